"""Spread, sign flips and distance of connections over levels, by hand."""

import math

import pytest
import torch

from pacbayes.errors import InputError, UsageError
from pacbayes.tickets import Mask, Ticket
from pacbayes.tickets.stability import stability


def ticket(level: int, values: list[float], init: list[float] | None = None) -> Ticket:
    trained = torch.tensor([values])
    return Ticket(
        init={"w": torch.tensor([init or [0.5, 0.5, 0.5]])},
        mask=Mask({"w": trained != 0}),
        trained={"w": trained},
        level=level,
    )


CHAIN = [ticket(0, [1.0, -1.0, 2.0]), ticket(1, [3.0, 1.0, 2.0]), ticket(2, [2.0, -2.0, 0.0])]


def test_by_hand() -> None:
    row = stability(CHAIN)["w"]["kept"]
    assert row.connections == 2
    # 1, 3, 2 has population variance 2/3; -1, 1, -2 has 14/9.
    spread = (math.sqrt(2 / 3) + math.sqrt(14 / 9)) / 2
    assert row.spread == pytest.approx(spread, rel=1e-12)
    assert row.sign_flips == (0 + 2) / 2
    assert row.moved == (1.5 + 2.5) / 2


def test_common_connections_apart_from_others() -> None:
    common = Mask({"w": torch.tensor([[True, False, True]])})
    rows = stability(CHAIN, common)["w"]
    assert {name: row.connections for name, row in rows.items()} == {"common": 1, "other": 1}
    assert (rows["common"].sign_flips, rows["other"].sign_flips) == (0, 2)
    assert (rows["common"].moved, rows["other"].moved) == (1.5, 2.5)


def test_an_empty_group_has_no_means() -> None:
    nothing = Mask({"w": torch.tensor([[False, False, False]])})
    row = stability(CHAIN, nothing)["w"]["common"]
    assert row.connections == 0
    assert math.isnan(row.spread)
    assert row.to_json() == {"connections": 0, "spread": None, "sign_flips": None, "moved": None}


def test_a_connection_that_never_moves_is_steady() -> None:
    row = stability([ticket(k, [0.5, 0.5, 0.5]) for k in range(3)])["w"]["kept"]
    assert (row.spread, row.sign_flips, row.moved) == (0, 0, 0)


@pytest.mark.parametrize("chain", [[], CHAIN[:1], CHAIN[::-1], [CHAIN[0], CHAIN[0]]])
def test_levels_out_of_order_are_refused(chain: list[Ticket]) -> None:
    with pytest.raises(UsageError, match="order"):
        stability(chain)


def test_tickets_that_do_not_fit_are_refused() -> None:
    other = Ticket(init=None, mask=Mask({}), trained={"v": torch.ones(1)}, level=0)
    with pytest.raises(InputError):
        stability([other, CHAIN[1]])
    bare = Ticket(init=None, mask=CHAIN[2].mask, trained=CHAIN[2].trained, level=2)
    with pytest.raises(InputError, match="initial weights"):
        stability([CHAIN[0], bare])
