"""Barriers against hand-computed paths, and the zero of a network with itself."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pacbayes.errors import InputError, UsageError
from pacbayes.landscape import barrier, chain, same_sublevel_set
from pacbayes.landscape.statistics import re_estimated
from pacbayes.landscape.surface import Surface, state_of
from pacbayes.pruning import State
from tests.landscape.problems import at_minimum, examples, small, small_sample, ticket
from tests.networks import EVERY, build

LOSSES = ["error", "cross-entropy", "squared"]


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reference", ["mean", "line", "larger"])
@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_network_has_no_barrier_with_itself(name: str, loss: Any, reference: Any) -> None:
    factory, shape = EVERY[name]
    model = build(factory)
    inputs = torch.randn(30, *shape, generator=torch.Generator().manual_seed(1))
    sample = examples(inputs, torch.arange(30) % 3)
    state = State.of(model)
    found = barrier(model, state, state, sample, loss=loss, reference=reference, points=7)
    assert (found.height, found.low, found.high) == (0.0, 0.0, 0.0)
    assert set(found.path) == {found.path[0]}


@pytest.mark.parametrize("buffers", ["interpolate", "re-estimate"])
def test_nor_has_a_network_with_running_statistics(buffers: Any) -> None:
    model = build(normed)
    sample = small_sample()
    found = barrier(
        model, State.of(model), State.of(model), sample, buffers=buffers, loss="squared"
    )
    assert (found.height, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_quadratic_between_two_sides_of_its_minimum_is_a_valley() -> None:
    model, centre, sample = at_minimum([1.0, 4.0])
    shift = torch.tensor([[1.0, 0.0], [0.0, 0.5]], dtype=torch.float64)
    start, end = ticket(centre.trained["weight"] - shift), ticket(centre.trained["weight"] + shift)
    floor = Surface.of(model, sample, "squared").value(state_of(centre, model))
    found = barrier(model, start, end, sample, loss="squared", points=5)
    # 1/2 t^2 (1 * 1^2 + 4 * 0.5^2) around the minimum, t = -1, -1/2, 0, 1/2, 1.
    wanted = [floor + t * t for t in (-1, -0.5, 0, 0.5, 1)]
    assert found.path == pytest.approx(wanted, rel=1e-6)
    assert found.height == pytest.approx(0, abs=1e-12)
    assert found.positions == (0.0, 0.25, 0.5, 0.75, 1.0)


def test_a_permuted_network_is_the_same_function_behind_a_barrier() -> None:
    # One hidden unit against its sign-flipped twin: the midpoint is the zero network.
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Tanh(), nn.Linear(1, 2, bias=False))
    weights = {"0.weight": torch.tensor([[10.0]]), "2.weight": torch.tensor([[1.0], [-1.0]])}
    twin = {name: -tensor for name, tensor in weights.items()}
    sample = examples(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))
    found = barrier(model, weights, twin, sample, points=3)
    # Both ends are right everywhere; at the middle all logits tie, which counts as an error.
    assert found.path == (0.0, 1.0, 0.0)
    assert (found.height, found.top) == (1.0, 0.5)


@pytest.mark.parametrize(("reference", "height"), [("mean", 0.5), ("line", 0.0), ("larger", 0.0)])
def test_references_differ_on_a_slope(reference: Any, height: float) -> None:
    model = nn.Linear(1, 2, bias=False)
    right = {"weight": torch.tensor([[-1.0], [1.0]])}
    tie = {"weight": torch.tensor([[0.0], [0.0]])}
    sample = examples(torch.tensor([[1.0], [2.0]]), torch.tensor([1, 1]))
    found = barrier(model, right, tie, sample, points=2, reference=reference)
    assert found.path == (0.0, 1.0)
    assert found.height == height
    assert found.height_above("mean") == 0.5


@given(a=st.floats(-3, 3), b=st.floats(-3, 3), points=st.integers(2, 9))
def test_above_mean_and_larger_no_barrier_is_negative(a: float, b: float, points: int) -> None:
    model, centre, sample = at_minimum([1.0, 2.0])
    ends = [ticket(x * centre.trained["weight"]) for x in (a, b)]
    found = barrier(model, ends[0], ends[1], sample, points=points, loss="squared")
    assert 0 <= found.height_above("larger") <= found.height_above("mean") == found.height
    assert found.low <= found.height <= found.high


def test_the_interval_is_that_of_paired_differences() -> None:
    model, start = small(0)
    _, end = small(1)
    sample = small_sample()
    found = barrier(model, start, end, sample, loss="cross-entropy", reference="larger", points=5)
    surface = Surface.of(model, sample, "cross-entropy")
    middle = {n: t + found.top * (end.trained[n] - t) for n, t in start.trained.items()}
    worse = start if found.path[0] > found.path[-1] else end
    difference = surface.losses(state_of(middle, model)) - surface.losses(state_of(worse, model))
    assert found.height == pytest.approx(float(difference.mean()), rel=1e-9)
    half = 1.959964 * float(difference.std()) / len(difference) ** 0.5
    assert found.high - found.height == pytest.approx(half, rel=1e-9)


def test_re_estimated_statistics_are_those_of_the_sample() -> None:
    model = build(normed)
    generator = torch.Generator().manual_seed(0)
    sample = examples(3 + 2 * torch.randn(64, 6, generator=generator), torch.arange(64) % 3)
    weights = State.of(model).weights
    found = re_estimated(model, weights, sample, batch=64).buffers
    hidden = torch.nn.functional.linear(sample.inputs, weights["0.weight"], weights["0.bias"])
    assert torch.allclose(found["1.running_mean"], hidden.mean(0), atol=1e-6)
    assert torch.allclose(found["1.running_var"], hidden.var(0), atol=1e-5)
    halves = re_estimated(model, weights, sample, batch=32).buffers
    assert torch.allclose(halves["1.running_mean"], hidden.mean(0), atol=1e-5)
    assert int(halves["1.num_batches_tracked"]) == 2
    # The network itself is as it was.
    assert torch.equal(State.of(model).buffers["1.running_mean"], torch.zeros(4))


def test_held_out_barriers_re_estimate_on_the_examples_they_are_told() -> None:
    model, other = build(normed, seed=0), build(normed, seed=1)
    generator = torch.Generator().manual_seed(0)
    train = examples(torch.randn(60, 6, generator=generator), torch.arange(60) % 3)
    far = examples(5 + torch.randn(20, 6, generator=generator), torch.arange(20) % 3)
    options: dict[str, Any] = {"loss": "cross-entropy", "buffers": "re-estimate", "points": 3}
    told = barrier(model, State.of(model), State.of(other), far, statistics=train, **options)
    own = barrier(model, State.of(model), State.of(other), far, **options)
    end = re_estimated(model, State.of(other).weights, train)
    wanted = Surface.of(model, far, "cross-entropy").value(end)
    assert told.path[-1] == wanted != own.path[-1]


def test_a_chain_is_the_barriers_of_its_neighbours() -> None:
    model, first = small(0)
    tickets = [first, small(1)[1], small(2)[1]]
    sample = small_sample()
    found = chain(model, tickets, sample, points=4)
    assert found == (
        barrier(model, tickets[0], tickets[1], sample, points=4),
        barrier(model, tickets[1], tickets[2], sample, points=4),
    )


def test_sublevel_sets_of_a_quadratic() -> None:
    model, centre, sample = at_minimum([1.0, 4.0])
    step = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    near = ticket(centre.trained["weight"] + step)  # 1/2 above the minimum
    options: dict[str, Any] = {"loss": "squared", "points": 5}
    inside = same_sublevel_set(model, centre, near, sample, tolerance=0.5001, **options)
    assert inside.member
    assert inside.connected
    assert inside.level == pytest.approx(inside.barrier.path[0] + 0.5001)
    outside = same_sublevel_set(model, centre, near, sample, tolerance=0.4999, **options)
    assert not outside.member
    assert not outside.connected


def test_members_behind_a_barrier_are_not_connected() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Tanh(), nn.Linear(1, 2, bias=False))
    weights = {"0.weight": torch.tensor([[10.0]]), "2.weight": torch.tensor([[1.0], [-1.0]])}
    twin = {name: -tensor for name, tensor in weights.items()}
    sample = examples(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))
    found = same_sublevel_set(model, weights, twin, sample, tolerance=0.1, points=3)
    assert (found.member, found.connected) == (True, False)


REFUSED: list[tuple[Callable[..., Any], str]] = [
    (lambda m, t, s: barrier(m, t, t, s, points=1), "2 points"),
    (lambda m, t, s: barrier(m, t, t, s, loss="hinge"), "loss"),
    (lambda m, t, s: barrier(m, t, t, s, buffers="drop"), "buffers"),
    (lambda m, t, s: barrier(m, t, t, s, reference="lowest"), "reference"),
    (lambda m, t, s: chain(m, [t], s), "2 tickets"),
    (lambda m, t, s: same_sublevel_set(m, t, t, s, tolerance=float("nan")), "tolerance"),
]


@pytest.mark.parametrize(("call", "word"), REFUSED)
def test_arguments_out_of_range_are_refused(call: Callable[..., Any], word: str) -> None:
    model, given_ticket = small()
    with pytest.raises(UsageError, match=word):
        call(model, given_ticket, small_sample())


def test_weights_of_another_network_are_refused() -> None:
    model, given_ticket = small()
    other = {n: t for n, t in given_ticket.trained.items() if n != "first.bias"}
    with pytest.raises(InputError, match=r"first\.bias"):
        barrier(model, other, given_ticket, small_sample())


def test_a_loss_that_is_not_finite_is_refused() -> None:
    model = nn.Linear(1, 2, bias=False)
    start = {"weight": torch.tensor([[3e38], [0.0]])}
    sample = examples(torch.tensor([[10.0], [1.0]]), torch.tensor([0, 1]))
    with pytest.raises(InputError, match="not finite"):
        barrier(model, start, start, sample, loss="cross-entropy")
