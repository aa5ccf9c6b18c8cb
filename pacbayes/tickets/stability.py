"""How steady connections are over the levels of one chain of tickets."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from pacbayes.errors import InputError, UsageError
from pacbayes.tickets.mask import Mask
from pacbayes.tickets.ticket import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """Means over a group of connections that the last level keeps.

    Attributes:
        connections: size of the group.
        spread: standard deviation of a connection's trained value over levels (of the population
            of levels); the value is zero at a level that does not keep it.
        sign_flips: number of times that the sign of its trained value changes from one level to
            the next.
        moved: distance between its initial value and its trained value at the last level.
    """

    connections: int
    spread: float
    sign_flips: float
    moved: float

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON; those of an empty group are null."""
        return {k: None if math.isnan(v) else v for k, v in asdict(self).items()}


def stability(
    chain: Sequence[Ticket], common: Mask | None = None
) -> dict[str, dict[str, Steadiness]]:
    """Return how steady the connections of each tensor are, by tensor and group.

    Where ``common`` is given, the groups are ``common`` and ``other`` connections that the last
    level keeps; else there is one, ``kept``. A group without connections has NaN means.

    Args:
        chain: tickets of successive levels, in order, the last with initial weights.
        common: connections to tell apart, from :func:`pacbayes.tickets.overlap.overlap`.

    Raises:
        UsageError: there are fewer than two levels, or levels out of order.
        InputError: the last ticket has no initial weights, or tickets don't fit each other.
    """
    if len(chain) < 2 or [t.level for t in chain] != sorted({t.level for t in chain}):
        raise UsageError("stability needs two or more tickets of one chain, in order of level")
    last = chain[-1]
    if last.init is None:
        raise InputError("the last ticket has no initial weights")
    for ticket in chain:
        last.mask.require_fits(ticket.trained)
    if common is not None:
        common.require_fits(last.trained)
    found = {}
    for name, kept in last.mask.items():
        groups = {"kept": kept}
        if common is not None:
            inside = common.of(name, kept)
            groups = {"common": kept & inside, "other": kept & ~inside}
        values = torch.stack([ticket.trained[name].double() for ticket in chain])
        start = last.init[name].double()
        found[name] = {key: _steadiness(values, start, group) for key, group in groups.items()}
    return found


def _steadiness(values: Tensor, start: Tensor, group: Tensor) -> Steadiness:
    if not bool(group.any()):
        return Steadiness(connections=0, spread=math.nan, sign_flips=math.nan, moved=math.nan)
    chosen = values[:, group]  # (levels, connections)
    signs = torch.sign(chosen)
    return Steadiness(
        connections=int(group.sum()),
        spread=float(chosen.std(dim=0, correction=0).mean()),
        sign_flips=float((signs[1:] != signs[:-1]).double().sum(dim=0).mean()),
        moved=float((chosen[-1] - start[group]).abs().mean()),
    )
