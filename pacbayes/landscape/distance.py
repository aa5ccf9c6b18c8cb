"""How far training moved a ticket from its initial weights."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pacbayes.errors import UsageError
from pacbayes.tickets import Ticket

TOP = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How far a set of kept entries moved; arithmetic on one ticket, with nothing sampled.

    Attributes:
        kept: number of entries.
        raw: Euclidean norm of trained minus initial weights.
        normalised: the same over the square root of ``kept``; 0 where nothing is kept.
        norm: Euclidean norm of the trained weights.
        initial_norm: Euclidean norm of the initial weights.
        rank_correlation: Spearman's, between initial and trained magnitudes; ``None`` where one
            side does not vary or there are fewer than 2 entries.
        top_overlap: of the fifth of the entries that were largest at the start, the share that is
            among the largest fifth at the end (0.2 by chance); ``None`` below 5 entries.
    """

    kept: int
    raw: float
    normalised: float
    norm: float
    initial_norm: float
    rank_correlation: float | None
    top_overlap: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far a ticket moved, in all and tensor by tensor.

    Attributes:
        whole: every kept entry of every parameter, biases and shortcuts included.
        prunable: kept entries of the tensors that the mask names.
        per_tensor: by parameter name.
    """

    whole: Moved
    prunable: Moved
    per_tensor: dict[str, Moved]

    @property
    def raw(self) -> float:
        """Euclidean norm of trained minus initial weights, over all parameters."""
        return self.whole.raw

    @property
    def normalised(self) -> float:
        """The same over the square root of the number of kept entries."""
        return self.whole.normalised

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's correlation of initial and trained magnitudes over prunable kept entries."""
        return self.prunable.rank_correlation


def distance(ticket: Ticket) -> Distance:
    """Return how far training moved the kept entries of a ticket from its initial weights.

    Removed entries do not count: they are zero at the end whatever their start was. For a ticket
    that was rewound to a later step, "initial" means the weights of that step.

    Args:
        ticket: with initial weights.

    Raises:
        UsageError: the ticket has no initial weights.

    References:
        Sakamoto and Sato (2022), whose published code misses the shortcut tensors.
    """
    if ticket.init is None:
        raise UsageError("the distance needs initial weights, and this ticket has none")
    pairs = {}
    for name, trained in sorted(ticket.trained.items()):
        kept = ticket.mask.of(name, trained)
        pairs[name] = (ticket.init[name][kept].double(), trained[kept].double())
    return Distance(
        whole=_moved(list(pairs.values())),
        prunable=_moved([pair for name, pair in pairs.items() if name in ticket.mask]),
        per_tensor={name: _moved([pair]) for name, pair in pairs.items()},
    )


def _moved(pairs: list[tuple[Tensor, Tensor]]) -> Moved:
    nothing = torch.zeros(0, dtype=torch.float64)
    start = torch.cat([nothing, *(pair[0] for pair in pairs)])
    end = torch.cat([nothing, *(pair[1] for pair in pairs)])
    raw, kept = float((end - start).norm()), len(end)
    return Moved(
        kept=kept,
        raw=raw,
        normalised=raw / math.sqrt(kept) if kept else 0.0,
        norm=float(end.norm()),
        initial_norm=float(start.norm()),
        rank_correlation=_rank_correlation(start.abs(), end.abs()),
        top_overlap=_top_overlap(start.abs(), end.abs()),
    )


def _rank_correlation(start: Tensor, end: Tensor) -> float | None:
    from scipy.stats import spearmanr

    if len(start) < 2 or bool((start == start[0]).all()) or bool((end == end[0]).all()):
        return None
    return float(spearmanr(start.numpy(), end.numpy()).statistic)


def _top_overlap(start: Tensor, end: Tensor) -> float | None:
    count = int(TOP * len(start))
    if not count:
        return None
    first = set(torch.argsort(start, stable=True)[-count:].tolist())
    last = set(torch.argsort(end, stable=True)[-count:].tolist())
    return len(first & last) / count
