"""Whether tickets do as well as the dense network, over several seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pacbayes.errors import UsageError
from pacbayes.pruning.plan import Rewind


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Tickets against dense networks of the same seeds; an observation, not a certificate.

    Attributes:
        ticket: mean risk of the tickets.
        dense: mean risk of the dense networks.
        difference: ticket minus dense.
        standard_error: of the difference over seeds; ``None`` for a single seed.
        tolerance: how much worse a ticket may be.
        seeds: number of pairs.
    """

    ticket: float
    dense: float
    difference: float
    standard_error: float | None
    tolerance: float
    seeds: int

    @property
    def holds(self) -> bool:
        """Whether the tickets' mean risk is at most that of the dense networks plus tolerance."""
        return self.difference <= self.tolerance

    @property
    def margin(self) -> float:
        """How far from the limit the difference lies; negative where it does not hold."""
        return self.tolerance - self.difference

    def word(self, rewind: Rewind) -> str:
        """Return ``winning`` (from init) or ``matching`` (from later), or ``neither``.

        Frankle and Carbin (2019) call tickets that start at init winning; Frankle et al. (2020)
        call those that start later matching.
        """
        if not self.holds:
            return "neither"
        return "winning" if rewind == "init" else "matching"


def compare_risks(
    ticket: Sequence[float], dense: Sequence[float], *, tolerance: float = 0.0
) -> Comparison:
    """Return how tickets compare with the dense networks of the same seeds.

    Args:
        ticket: risk of the ticket of each seed, each in [0, 1].
        dense: risk of the dense network of the same seeds, in the same order.
        tolerance: how much worse a ticket may be, at least 0.

    Raises:
        UsageError: the lists are empty or differ in length, or a number is out of range.

    Example:
        >>> found = compare_risks([0.02, 0.03], [0.03, 0.03])
        >>> found.holds, round(found.difference, 4), round(found.standard_error, 4)
        (True, -0.005, 0.005)
    """
    if not ticket or len(ticket) != len(dense):
        raise UsageError(f"expected pairs of risks, got {len(ticket)} and {len(dense)}")
    if not all(0 <= risk <= 1 for risk in (*ticket, *dense)) or not tolerance >= 0:
        raise UsageError("risks must lie in [0, 1] and the tolerance must not be negative")
    differences = np.subtract(ticket, dense)
    count = len(differences)
    error = float(differences.std(ddof=1)) / math.sqrt(count) if count > 1 else None
    return Comparison(
        ticket=float(np.mean(ticket)),
        dense=float(np.mean(dense)),
        difference=float(differences.mean()),
        standard_error=error,
        tolerance=tolerance,
        seeds=count,
    )
