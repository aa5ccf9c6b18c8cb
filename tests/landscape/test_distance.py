"""Distances by hand: every tensor counts, removed entries do not."""

import pytest
import torch

from pacbayes.errors import UsageError
from pacbayes.landscape import distance
from pacbayes.tickets import Mask, Ticket


def moved() -> Ticket:
    kept = torch.tensor([[True, True], [False, True]])
    return Ticket(
        init={
            "shortcut.weight": torch.tensor([[1.0, 2.0], [9.0, 3.0]]),
            "shortcut.bias": torch.tensor([0.0, 1.0]),
        },
        mask=Mask({"shortcut.weight": kept}),
        trained={
            "shortcut.weight": torch.tensor([[1.0, 5.0], [0.0, -7.0]]),
            "shortcut.bias": torch.tensor([0.0, 3.0]),
        },
    )


def test_by_hand() -> None:
    found = distance(moved())
    # Moves 0, 3, -10 and, of the bias, 0 and 2; the removed 9 does not count.
    assert found.raw == pytest.approx((9 + 100 + 4) ** 0.5)
    assert found.normalised == pytest.approx((113 / 5) ** 0.5)
    weight = found.per_tensor["shortcut.weight"]
    assert (weight.kept, weight.raw) == (3, pytest.approx(109**0.5))
    assert found.per_tensor["shortcut.bias"].raw == pytest.approx(2.0)
    assert found.whole.norm == pytest.approx((1 + 25 + 49 + 9) ** 0.5)
    assert found.whole.initial_norm == pytest.approx((1 + 4 + 9 + 1) ** 0.5)
    assert found.prunable.kept == 3


def test_rank_correlation_is_about_magnitudes_of_prunable_entries() -> None:
    # |init| 1, 2, 3 and |trained| 1, 5, 7: the same order.
    assert distance(moved()).rank_correlation == pytest.approx(1.0)
    ticket = moved()
    ticket.trained["shortcut.weight"][0, 0] = 8.0
    # 1, 2, 3 against 8, 5, 7, ranks 3, 1, 2: 1 - 6 (4 + 1 + 1) / (3 * 8).
    assert distance(ticket).rank_correlation == pytest.approx(-0.5)


def test_what_does_not_vary_has_no_correlation() -> None:
    ticket = moved()
    assert ticket.init is not None
    ticket.init["shortcut.weight"].fill_(0.3)
    assert distance(ticket).rank_correlation is None


def test_top_fifth() -> None:
    start = torch.arange(1.0, 11.0)[None]
    end = start.clone()
    end[0, 9] = 0.5  # the largest becomes the smallest
    both = Mask.full({"w": start})
    found = distance(Ticket(init={"w": start}, mask=both, trained={"w": end}))
    assert found.whole.top_overlap == 0.5
    assert distance(moved()).prunable.top_overlap is None


def test_nothing_kept_has_not_moved() -> None:
    zero = torch.zeros(2, 2)
    mask = Mask({"w": zero.bool()})
    found = distance(Ticket(init={"w": zero + 1}, mask=mask, trained={"w": zero}))
    assert (found.raw, found.normalised, found.rank_correlation) == (0.0, 0.0, None)


def test_a_ticket_without_initial_weights_is_refused() -> None:
    bare = Ticket(init=None, mask=Mask({}), trained={"w": torch.ones(2)})
    with pytest.raises(UsageError, match="initial weights"):
        distance(bare)
