"""Re-equilibration, escape and rewind points, by hand and on problems with one minimum."""

import math
from typing import Any

import pytest
import torch

from pacbayes.errors import UsageError
from pacbayes.landscape import Retraining, baseline, escape, gap, requilibration, robustness
from pacbayes.pruning import TrainPlan
from pacbayes.tickets import IndexSet, Mask, Ticket
from tests.landscape.problems import at_minimum, examples, linear, quadratic
from tests.landscape.problems import ticket as linear_ticket

KEPT = torch.tensor([[True, False, True], [True, True, False]])


def level(trained: torch.Tensor, kept: torch.Tensor | None = None, **more: Any) -> Ticket:
    return linear_ticket(trained.double(), kept, **more)


FIRST = level(torch.tensor([[4.0, -0.5, 3.0], [-2.0, 1.0, 0.25]]))


def test_magnitudes_before_and_after_by_hand() -> None:
    # Kept 4, 3, 2, 1; removed 0.5 and 0.25; afterwards 8, 0.4, 4, 0.3.
    second = level(torch.tensor([[8.0, 0.0, 0.4], [-4.0, 0.3, 0.0]]), KEPT)
    found = requilibration(FIRST, second)
    assert (found.threshold, found.kept) == (0.5, 4)
    assert (found.below_before, found.below_after) == (0.0, 0.5)
    median = found.levels.index(0.5)
    assert found.before[median] == 2.5
    assert found.after[median] == pytest.approx(2.2, rel=1e-7)  # of float32 weights


def test_growth_of_all_weights_does_not_count() -> None:
    second = level(10 * FIRST.trained["weight"], KEPT)
    assert requilibration(FIRST, second).below_after_rescaled == 0.0
    shrunk = requilibration(FIRST, level(0.1 * FIRST.trained["weight"], KEPT))
    assert (shrunk.below_after, shrunk.below_after_rescaled) == (1.0, 0.0)


def test_neighbours_in_the_wrong_order_are_refused() -> None:
    second = level(FIRST.trained["weight"], KEPT)
    with pytest.raises(UsageError, match="in order"):
        requilibration(second, FIRST)
    with pytest.raises(UsageError, match="removes nothing"):
        requilibration(FIRST, FIRST)
    other = Ticket(init=None, mask=Mask({}), trained=FIRST.trained)
    with pytest.raises(UsageError, match="no neighbours"):
        requilibration(FIRST, other)


def test_escape_by_hand() -> None:
    sample = quadratic([1.0, 1.0, 1.0])
    start = torch.tensor([[1.0, 9.0, 0.0], [0.0, 0.0, 9.0]]).double()
    end = level(torch.tensor([[7.0, 0.0, 3.0], [-2.0, 1.0, 0.0]]), KEPT, init=start)
    found = escape(linear(3), FIRST, end, sample, loss="squared")
    # Baseline 4, 3, -2, 1 and retrained 7, 3, -2, 1, started from 1, 0, 0, 0.
    assert found.distance == pytest.approx(3.0)
    assert found.normalised == pytest.approx(1.5)
    assert found.relative == pytest.approx(3 / math.sqrt(30))
    assert found.start_distance == pytest.approx(math.sqrt(9 + 9 + 4 + 1))
    assert found.from_start == pytest.approx(math.sqrt(36 + 9 + 4 + 1))
    assert found.dimension == 4
    # A quadratic has no barrier above the larger end.
    assert (found.barrier.height, found.left_basin) == (0.0, False)
    assert torch.equal(baseline(FIRST, end).weights["weight"], FIRST.trained["weight"] * KEPT)


def test_the_baseline_itself_has_not_escaped() -> None:
    stayed = level(FIRST.trained["weight"], KEPT)
    found = escape(linear(3), FIRST, stayed, quadratic([1.0, 1.0, 1.0]))
    assert (found.distance, found.relative, found.left_basin) == (0.0, 0.0, False)
    assert (found.start_distance, found.from_start) == (None, None)


def test_a_twin_behind_a_barrier_has_left_the_basin() -> None:
    model = torch.nn.Sequential(
        torch.nn.Linear(1, 1, bias=False), torch.nn.Tanh(), torch.nn.Linear(1, 2, bias=False)
    )
    weights = {"0.weight": torch.tensor([[10.0]]), "2.weight": torch.tensor([[1.0], [-1.0]])}
    full = Mask.full(weights)
    first = Ticket(init=None, mask=full, trained=weights)
    twin = Ticket(init=None, mask=full, trained={name: -t for name, t in weights.items()})
    sample = examples(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))
    assert escape(model, first, twin, sample, points=3).left_basin
    assert escape(model, first, twin, sample, points=3, loss="error").barrier.height == 1.0


def test_the_gap_is_what_the_second_mask_removes_from_the_start() -> None:
    start = torch.tensor([[1.0, 3.0, 5.0], [2.0, 2.0, 4.0]]).double()
    first = level(FIRST.trained["weight"], init=start)
    second = level(FIRST.trained["weight"], KEPT, init=start)
    assert gap(first, second) == pytest.approx(5.0)
    assert gap(first, first) == 0.0
    with pytest.raises(UsageError, match="initial weights"):
        gap(first, FIRST)


def one_minimum() -> tuple[Any, Ticket, Any, Retraining]:
    """Two overlapping classes in one dimension: the cross-entropy has one minimum."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 2
    inputs = torch.randn(200, 1, generator=generator) + labels[:, None] - 0.5
    sample = examples(inputs, labels)
    model = torch.nn.Linear(1, 2)
    init = {"weight": torch.zeros(2, 1), "bias": torch.zeros(2)}
    ticket = Ticket(init=init, mask=Mask.full(init), trained=init)
    plan = TrainPlan(epochs=15, lr=0.5, batch_size=50, momentum=0.0)
    return model, ticket, sample, Retraining(examples=sample, part=IndexSet.all(200), plan=plan)


@pytest.mark.parametrize("disturbance", ["sgd", "push"])
def test_a_problem_with_one_minimum_is_robust(disturbance: Any) -> None:
    model, ticket, sample, retraining = one_minimum()
    options: dict[str, Any] = {"length": 0.5, "loss": "cross-entropy", "reference": "larger"}
    found = robustness(
        model, ticket, sample, retraining=retraining, disturbance=disturbance, pairs=2, **options
    )
    # Convex along every segment: never above the larger end.
    assert found.height.value == 0.0
    assert (found.height.draws, found.disturbance) == (2, disturbance)
    ends = [place for each in found.barriers for place in (each.path[0], each.path[-1])]
    assert max(ends) - min(ends) < 0.01
    assert found.barriers[0] != found.barriers[1]


def test_without_training_sgd_leaves_nothing_and_a_push_its_own_rise() -> None:
    model, centre, sample = at_minimum([2.0, 2.0])
    start = Ticket(init=dict(centre.trained), mask=centre.mask, trained=centre.trained)
    still = TrainPlan(epochs=0, lr=0.1)
    retraining = Retraining(examples=sample, part=IndexSet.all(len(sample)), plan=still)
    options: dict[str, Any] = {"retraining": retraining, "loss": "squared", "pairs": 2}
    quiet = robustness(model, start, sample, disturbance="sgd", **options)
    assert (quiet.height.value, quiet.height.low, quiet.height.high) == (0.0, 0.0, 0.0)
    pushed = robustness(model, start, sample, disturbance="push", length=0.3, **options)
    # Curvature 2: the pushed end lies 0.3^2 above the minimum, half of it above the mean.
    assert pushed.height.value == pytest.approx(0.5 * 0.3**2, rel=1e-5)
    first, *_, last = pushed.barriers[0].path
    assert last - first == pytest.approx(0.09, rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"disturbance": "storm"},
        {"disturbance": "push", "length": -1.0},
        {"disturbance": "sgd", "pairs": 1},
    ],
)
def test_arguments_out_of_range_are_refused(options: dict[str, Any]) -> None:
    model, ticket, sample, retraining = one_minimum()
    with pytest.raises(UsageError):
        robustness(model, ticket, sample, retraining=retraining, **options)


def test_a_rewind_point_needs_initial_weights() -> None:
    model, ticket, sample, retraining = one_minimum()
    bare = Ticket(init=None, mask=ticket.mask, trained=ticket.trained)
    with pytest.raises(UsageError, match="initial weights"):
        robustness(model, bare, sample, retraining=retraining, disturbance="sgd")
