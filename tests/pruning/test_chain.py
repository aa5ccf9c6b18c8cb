"""Chains of tickets: every method, what each ingredient has seen, going on where it stopped."""

from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch

from pacbayes.data import Split
from pacbayes.errors import UsageError
from pacbayes.pruning import METHODS, SCORES, FindPlan, State, parse_rewind, train
from pacbayes.pruning.plan import AT_INIT, WITHOUT_DATA
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Ticket, digest
from tests.networks import build
from tests.pruning.problems import chain, digits, find_plan, halves, network, train_plan
from tests.pruning.test_train import normed

PLANS: dict[str, dict[str, Any]] = {
    **{method: {"method": method, "levels": 2} for method in METHODS},
    **{f"score {score}": {"score": score, "levels": 2} for score in SCORES},
    "one-shot random": {"method": "one-shot", "score": "random"},
    "late": {"rewind": 5},
    "late one-shot": {"rewind": 5, "method": "one-shot"},
    "lr": {"rewind": "lr"},
    "none": {"rewind": "none"},
    "lr one-shot": {"rewind": "lr", "method": "one-shot"},
    "per tensor": {"scope": "tensor"},
    "protected": {"protected": ("fc2.weight",)},
    "densities": {"densities": (0.5, 0.2, 0.1)},
    "adam": {"train": train_plan(optimizer="adam", lr=0.01)},
    "sam": {"train": train_plan(optimizer="sam"), "levels": 1},
}


def nothing() -> IndexSet:
    return IndexSet.none(len(digits().train))


@cache
def planned(name: str) -> tuple[Ticket, ...]:
    return tuple(chain(find_plan(**PLANS[name])))


# --- the same for every plan


@pytest.mark.parametrize("name", PLANS)
def test_a_killed_run_goes_on_to_the_same_bits(name: str) -> None:
    plan = find_plan(**PLANS[name])
    whole = planned(name)
    assert [ticket.level for ticket in whole] == list(range(plan.levels + 1))
    for level in range(len(whole) + 1):
        rest = chain(plan, done=whole[:level])
        assert [t.digest for t in rest] == [t.digest for t in whole[level:]]
        assert [t.notes for t in rest] == [t.notes for t in whole[level:]]


@pytest.mark.parametrize("name", PLANS)
def test_densities_fall_as_planned(name: str) -> None:
    plan = find_plan(**PLANS[name])
    for ticket in planned(name):
        free = [key for key in ticket.mask if key not in plan.protected]
        entries = sum(ticket.mask[key].numel() for key in free)
        kept = sum(int(ticket.mask[key].sum()) for key in free)
        # Iterative levels each round once, per tensor where the scope is that.
        slack = max(1, ticket.level) * (len(free) if plan.where == "tensor" else 1)
        assert abs(kept - plan.density(ticket.level) * entries) <= slack
        assert all(bool(ticket.mask[key].all()) for key in plan.protected)


@pytest.mark.parametrize("name", [name for name in PLANS if name not in METHODS[-2:]])
def test_masks_are_nested(name: str) -> None:
    """Supermasks and soft masks are found anew at each density."""
    found = planned(name)
    for wide, narrow in pairwise(found):
        assert all(not bool((narrow.mask[key] & ~wide.mask[key]).any()) for key in wide.mask)


@pytest.mark.parametrize("name", PLANS)
def test_everything_that_was_seen_is_recorded(name: str) -> None:
    plan = find_plan(**PLANS[name])
    dense, *tickets = planned(name)
    part = halves().prior
    assert (dense.provenance.init, dense.provenance.mask) == (nothing(), nothing())
    for ticket in (dense, *tickets):
        assert ticket.provenance.data == digits().digest
        assert ticket.provenance.trained == part
        assert ticket.provenance.buffers == nothing()
    without_data = plan.method in WITHOUT_DATA or (
        plan.score == "random" and plan.method in ("iterative", "one-shot")
    )
    late = isinstance(plan.rewind, int)
    for ticket in tickets:
        assert ticket.provenance.mask == (nothing() if without_data else part)
        assert ticket.provenance.init == (part if late else nothing())
        assert ticket.dense == dense.digest
    assert dense.dense is None


# --- what data-free means


@pytest.mark.parametrize("method", WITHOUT_DATA)
def test_masks_without_data_are_the_same_whatever_the_data(method: str) -> None:
    """Another part, other training: the masks don't move; without a prior part they stay free."""
    plan = find_plan(method=method, levels=2)
    total = len(digits().train)
    everything = chain(plan, split=Split.everything(total))
    other = chain(
        find_plan(method=method, levels=2, train=train_plan(epochs=1, optimizer="adam", lr=0.01))
    )
    for first, second in zip(everything, other, strict=True):
        assert first.mask == second.mask
        assert first.provenance.mask == nothing()
        assert first.provenance.trained == IndexSet.all(total)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in WITHOUT_DATA])
def test_masks_with_data_move_with_the_data(method: str) -> None:
    """The control of the test above: these masks are functions of the part."""
    plan = find_plan(method=method, levels=1, fraction=0.7)
    split = halves()
    swapped = Split(prior=split.certificate, certificate=split.prior, description={})
    assert chain(plan)[1].mask != chain(plan, split=swapped)[1].mask


def test_random_masks_move_with_the_seed() -> None:
    plan = find_plan(method="random", levels=1)
    assert chain(plan)[1].mask != chain(plan, seeds=Seeds(4))[1].mask


@pytest.mark.parametrize("method", AT_INIT)
def test_masks_at_init_leave_the_initial_weights_whole(method: str) -> None:
    ticket = chain(find_plan(method=method, levels=1))[1]
    assert ticket.init is not None
    assert digest(ticket.init) == digest(State.of(network()).weights)


# --- rewinding


def untrained(ticket: Ticket) -> State:
    assert ticket.init is not None
    return State(weights=ticket.init)


def test_survivors_return_to_init() -> None:
    plan = find_plan()
    for ticket in chain(plan)[1:]:
        again = train(
            network(),
            State.of(network()),
            ticket.mask,
            digits().train,
            halves().prior,
            plan=plan.train,
            seeds=Seeds(3).child(f"level {ticket.level}"),
        )
        assert digest(again.weights) == digest(ticket.trained)


def test_survivors_return_to_the_dense_network_of_an_early_step() -> None:
    plan = find_plan(rewind=5)
    dense, *tickets = chain(plan)
    model = network()
    full = Mask.full(State.of(model).weights)
    early = train(
        model,
        State.of(model),
        full,
        digits().train,
        halves().prior,
        plan=plan.train,
        seeds=Seeds(3).child("level 0"),
        last=5,
    )
    assert dense.init is not None
    assert digest(dense.init) == digest(State.of(model).weights)
    for ticket in tickets:
        assert digest(untrained(ticket).weights) == digest(early.weights)


def distance(ticket: Ticket, before: Ticket) -> float:
    return sum(
        float((ticket.trained[name] - tensor).square().sum())
        for name, tensor in ticket.mask.apply(before.trained).items()
    )


def test_fine_tuning_stays_nearest_to_the_dense_network() -> None:
    moved = {}
    for rewind in ("none", "lr", "init"):
        _, ticket = chain(find_plan(levels=1, rewind=rewind))
        dense = chain(find_plan(levels=0))[0]
        moved[rewind] = distance(ticket, dense)
    assert 0 < moved["none"] < min(moved["lr"], moved["init"])
    assert moved["lr"] != moved["init"]


def test_one_shot_fine_tuning_starts_from_the_dense_network() -> None:
    plan = find_plan(method="one-shot", rewind="none", levels=2, train=train_plan(lr=1e-12))
    dense, *tickets = chain(plan)
    for ticket in tickets:
        assert distance(ticket, dense) < 1e-12


# --- networks with running statistics


def test_running_statistics_go_with_the_ticket() -> None:
    data = digits()
    model = build(
        lambda: torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, 12), torch.nn.BatchNorm1d(12),
            torch.nn.ReLU(), torch.nn.Linear(12, 10),
        )
    )  # fmt: skip
    for ticket in chain(find_plan(levels=1, rewind=3), model=model):
        assert set(ticket.buffers) == {"2.running_mean", "2.running_var", "2.num_batches_tracked"}
        assert ticket.provenance.buffers == halves().prior
        assert ticket.provenance.data == data.digest
    assert digest(State.of(build(normed)).buffers) == digest(State.of(build(normed)).buffers)


# --- the alarm


def test_the_notes_tell_what_is_kept_and_what_has_collapsed() -> None:
    dense, ticket, last = chain(find_plan(densities=(0.05, 1 / 1480), levels=2))
    assert dense.notes["kept"] == {"fc1.weight": [1280, 1280], "fc2.weight": [200, 200]}
    assert dense.notes["collapsed"] == []
    assert sum(kept for kept, _ in ticket.notes["kept"].values()) == 74
    assert ticket.notes["collapsed"] == []
    gone = [name for name, (kept, _) in last.notes["kept"].items() if not kept]
    assert len(gone) == 1
    assert last.notes["collapsed"] == gone


# --- plans that contradict themselves


@pytest.mark.parametrize(
    "changes",
    [
        {"levels": -1},
        {"fraction": 0.0},
        {"fraction": 1.0},
        {"method": "magic"},
        {"score": "vibes"},
        {"scope": "layer"},
        {"method": "snip", "score": "l1"},
        {"method": "random", "rewind": 5},
        {"method": "continuous", "rewind": "lr"},
        {"rewind": 0},
        {"rewind": True},
        {"rewind": "late"},
        {"densities": (0.5,)},
        {"densities": (0.5, 0.5, 0.1)},
        {"densities": (0.1, 0.2, 0.3)},
        {"densities": (0.5, 0.2, 0.0)},
        {"densities": (1.5, 0.2, 0.1)},
    ],
)
def test_contradictory_plans_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        find_plan(**changes)


def test_a_rewind_step_outside_training_is_refused() -> None:
    steps = 2 * 15  # 750 examples in batches of 50
    assert len(halves().prior) == 750
    assert len(chain(find_plan(rewind=steps, levels=1))) == 2
    with pytest.raises(UsageError, match="outside"):
        chain(find_plan(rewind=steps + 1, levels=1))


def test_an_unknown_protected_name_is_refused_before_training() -> None:
    with pytest.raises(UsageError, match="no prunable tensor"):
        chain(find_plan(protected=("fc1.bias",)))


@pytest.mark.parametrize(
    ("text", "point"), [("init", "init"), ("0", "init"), ("17", 17), ("lr", "lr"), ("none", "none")]
)
def test_rewind_points_are_read(text: str, point: object) -> None:
    assert parse_rewind(text) == point


@pytest.mark.parametrize("text", ["", "-1", "1.5", "late", "\u0663"])
def test_other_texts_are_no_rewind_points(text: str) -> None:
    with pytest.raises(UsageError):
        parse_rewind(text)


def test_the_density_of_a_level() -> None:
    plan = FindPlan(train=train_plan(), levels=15)
    assert plan.density(5) == pytest.approx(0.32768, rel=1e-12)
    assert 1 - plan.density(15) == pytest.approx(0.9648, abs=5e-5)  # papers.md 4.3
