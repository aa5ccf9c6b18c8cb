"""What a ticket refuses, and what its digest stands for."""

from typing import Any

import pytest
import torch

from pacbayes.errors import InputError, UsageError
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket

INIT = {"fc.weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "fc.bias": torch.zeros(2)}
MASK = Mask({"fc.weight": torch.tensor([[True, False], [True, True]])})


def make(**changes: Any) -> Ticket:
    fields = {"init": INIT, "mask": MASK, "trained": MASK.apply(INIT)}
    return Ticket(**{**fields, **changes})


def test_a_sound_ticket() -> None:
    ticket = make()
    assert ticket.provenance == Provenance()
    assert (ticket.level, ticket.dense, ticket.model, ticket.buffers) == (0, None, None, {})
    make(init=None)
    make(mask=Mask({}), trained=INIT)


NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"trained": {}, "init": None, "mask": Mask({})}, "needs trained weights"),
        ({"trained": INIT}, "not zero where the mask removes"),
        ({"trained": {"fc.weight": MASK.apply(INIT)["fc.weight"]}}, r"names: \['fc.bias'\]"),
        ({"trained": {"fc.bias": INIT["fc.bias"]}}, "mask does not fit"),
        ({"mask": Mask({"fc.weight": torch.ones(4, dtype=torch.bool)})}, "mask does not fit"),
        ({"init": {**INIT, "x": torch.ones(1)}}, r"names: \['x'\]"),
        ({"init": {**INIT, "fc.bias": torch.ones(3)}}, "shape of fc.bias"),
        ({"init": {**INIT, "fc.bias": torch.tensor([0.0, NAN])}}, r"initial.*fc.bias\[1\] is nan"),
        ({"trained": {**MASK.apply(INIT), "fc.bias": torch.tensor([NAN, 0.0])}}, r"bias\[0\]"),
        ({"buffers": {"steps": torch.tensor(NAN)}}, "buffers: steps"),
        ({"buffers": {"fc.bias": torch.zeros(2)}}, "both parameters and buffers"),
        ({"mask": Mask({"fc.bias": torch.tensor([True, False])}),
          "trained": {**INIT, "fc.bias": torch.tensor([1.0, 1e-45])}}, "not zero"),
    ],
)  # fmt: skip
def test_refusals(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        make(**changes)


def test_levels_start_at_zero() -> None:
    with pytest.raises(UsageError, match="level"):
        make(level=-1)


def test_digest_ignores_order_and_labels() -> None:
    ticket = make()
    turned = make(init=dict(reversed(INIT.items())))
    assert turned.digest == ticket.digest
    assert make(level=3, model="mlp", notes={"a": 1}, dense="x").digest == ticket.digest


def test_digest_tells_the_parts_apart() -> None:
    nudged = {**INIT, "fc.bias": torch.tensor([1e-45, 0.0])}
    tickets = [
        make(),
        make(init=None),
        make(init=nudged),
        make(trained=MASK.apply(nudged)),
        make(init=MASK.apply(INIT), trained=MASK.apply(INIT)),
        make(mask=Mask({}), trained=MASK.apply(INIT)),
        make(mask=Mask.full(INIT), trained=MASK.apply(INIT)),
        make(buffers={"x": torch.zeros(1)}),
        make(buffers={"y": torch.zeros(1)}),
    ]
    assert len({ticket.digest for ticket in tickets}) == len(tickets)


def test_unknown_provenance_counts_as_everything() -> None:
    known = Provenance(init=IndexSet.none(5), mask=IndexSet.of([1], total=5))
    assert known.seen("init", total=5) == IndexSet.none(5)
    assert known.seen("mask", total=5) == IndexSet.of([1], total=5)
    assert known.seen("trained", total=5) == IndexSet.all(5)
    assert known.seen("buffers", total=5) == IndexSet.all(5)


def test_index_sets_of_different_data_do_not_mix() -> None:
    with pytest.raises(UsageError, match=r"\[5, 6\]"):
        Provenance(init=IndexSet.none(5), mask=IndexSet.none(6))


def test_with_provenance_changes_only_what_is_named() -> None:
    seen = IndexSet.of([2], total=5)
    ticket = make(provenance=Provenance(data="d", init=IndexSet.none(5)))
    changed = ticket.with_provenance(mask=seen, data="e")
    assert changed.provenance == Provenance(data="e", init=IndexSet.none(5), mask=seen)
    assert changed.digest == ticket.digest
    assert ticket.provenance.mask is None
    with pytest.raises(UsageError):
        ticket.with_provenance(mask=IndexSet.none(6))
