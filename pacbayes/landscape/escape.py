"""Escape: how far retraining leaves the network that pruning made."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from pacbayes.data import Examples
from pacbayes.errors import UsageError
from pacbayes.landscape.barriers import Barrier, BufferRule, barrier
from pacbayes.landscape.requilibration import removed_entries
from pacbayes.landscape.surface import LossName, state_of
from pacbayes.pruning import State
from pacbayes.tickets import Tensors, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Escape:
    """Where retraining went, seen from the baseline: the network right after pruning. An estimate.

    Attributes:
        distance: Euclidean distance of the retrained network from the baseline, kept entries of
            all parameters.
        normalised: the same over the square root of their number.
        relative: the same over the norm of the baseline; 0 for a baseline of zeros.
        start_distance: distance of the point that retraining started from: 0 after fine-tuning;
            ``None`` where the ticket has no initial weights. It says where the ticket's initial
            weights lie, whatever training started from.
        from_start: distance of the retrained network from those initial weights; likewise.
        barrier: between the baseline and the retrained network.
        dimension: kept entries.
    """

    distance: float
    normalised: float
    relative: float
    start_distance: float | None
    from_start: float | None
    barrier: Barrier
    dimension: int

    @property
    def left_basin(self) -> bool:
        """Whether the segment rises above both of its ends, by more than its interval."""
        return self.barrier.low > 0


def baseline(previous: Ticket, ticket: Ticket) -> State:
    """Return the network right after pruning: trained weights of the level before, masked anew.

    Raises:
        UsageError: the masks are not nested.
    """
    removed_entries(previous, ticket)
    return State(weights=ticket.mask.apply(previous.trained), buffers=previous.buffers)


def escape(
    model: nn.Module,
    previous: Ticket,
    ticket: Ticket,
    sample: Examples,
    *,
    points: int = 11,
    loss: LossName = "cross-entropy",
    buffers: BufferRule = "interpolate",
    statistics: Examples | None = None,
) -> Escape:
    """Return how far a ticket lies from its baseline, and whether a barrier lies between.

    Rewinding is said to leave the neighbourhood of the baseline, fine-tuning to stay in it (Saleem
    et al. 2024); compare the two on the same baseline.

    Args:
        model: the network.
        previous: the level before.
        ticket: pruned from it and retrained.
        sample: examples that the loss is averaged over.
        points: see :func:`~pacbayes.landscape.barriers.barrier`, also for the rest.
        loss: see there.
        buffers: see there.
        statistics: see there.

    Raises:
        UsageError: the masks are not nested, or an argument is outside its range.
    """
    start = baseline(previous, ticket)
    found = barrier(
        model,
        start,
        ticket,
        sample,
        points=points,
        loss=loss,
        buffers=buffers,
        statistics=statistics,
        reference="larger",
    )
    trained = state_of(ticket, model).weights
    dimension = sum(int(ticket.mask.of(name, t).sum()) for name, t in trained.items())
    if not dimension:
        raise UsageError("nothing is kept, so nothing can move")
    norm = _norm(start.weights, None)
    distance = _norm(start.weights, trained)
    init = None if ticket.init is None else ticket.mask.apply(ticket.init)
    return Escape(
        distance=distance,
        normalised=distance / math.sqrt(dimension),
        relative=distance / norm if norm else 0.0,
        start_distance=None if init is None else _norm(start.weights, init),
        from_start=None if init is None else _norm(init, trained),
        barrier=found,
        dimension=dimension,
    )


def _norm(first: Tensors, second: Tensors | None) -> float:
    parts = [
        (t if second is None else t - second[name].to(t.device)).double().norm()
        for name, t in sorted(first.items())
    ]
    return float(torch.stack(parts).norm())
