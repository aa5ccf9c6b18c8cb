"""Re-equilibration: does retraining make small weights again, for the next round to remove?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pacbayes.errors import UsageError
from pacbayes.tickets import Ticket

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requilibration:
    """Magnitudes of a ticket's kept weights before and after retraining. Nothing is sampled.

    "Before" is the state right after pruning: the trained weights of the level before, on the
    entries that this level keeps.

    Attributes:
        levels: of the quantiles.
        before: quantiles of the magnitudes before retraining.
        after: quantiles after retraining.
        threshold: largest magnitude among the weights that this level removed.
        below_before: share of the kept weights whose magnitude was at most the threshold.
        below_after: the same share after retraining: the mass that has refilled.
        below_after_rescaled: the same, the threshold scaled by the ratio of the root mean squares,
            so that growth or decay of all weights together does not count.
        kept: number of weights.
    """

    levels: tuple[float, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    threshold: float
    below_before: float
    below_after: float
    below_after_rescaled: float
    kept: int


def requilibration(previous: Ticket, ticket: Ticket) -> Requilibration:
    """Return how the magnitudes of the kept prunable weights changed in one level.

    Args:
        previous: the level before.
        ticket: pruned from it and retrained, by rewinding or fine-tuning.

    Raises:
        UsageError: the masks are not nested, nothing was removed, or nothing is kept.

    References:
        Paul et al. (2023), section 3.4.
    """
    before, after, removed = [], [], []
    for name, gone in removed_entries(previous, ticket).items():
        kept = ticket.mask[name]
        before.append(previous.trained[name][kept].abs().double())
        after.append(ticket.trained[name][kept].abs().double())
        removed.append(previous.trained[name][gone].abs().double())
    first, last, gone_sizes = torch.cat(before), torch.cat(after), torch.cat(removed)
    if not len(first) or not len(gone_sizes):
        raise UsageError("a level that removes nothing or keeps nothing has no re-equilibration")
    threshold = float(gone_sizes.max())
    growth = float(last.square().mean().sqrt()) / (float(first.square().mean().sqrt()) or 1.0)
    return Requilibration(
        levels=LEVELS,
        before=_quantiles(first),
        after=_quantiles(last),
        threshold=threshold,
        below_before=_share(first, threshold),
        below_after=_share(last, threshold),
        below_after_rescaled=_share(last, threshold * growth),
        kept=len(first),
    )


def removed_entries(previous: Ticket, ticket: Ticket) -> dict[str, Tensor]:
    """Return what a level removed from the mask of the one before, as bool tensors.

    Raises:
        UsageError: the masks are not nested.
    """
    if set(previous.mask) != set(ticket.mask):
        raise UsageError("the masks name different tensors, so the tickets are no neighbours")
    odd = [name for name in ticket.mask if bool((ticket.mask[name] & ~previous.mask[name]).any())]
    if odd:
        raise UsageError(f"the second mask is not inside the first in {odd}; give them in order")
    return {name: previous.mask[name] & ~ticket.mask[name] for name in ticket.mask}


def _quantiles(sizes: Tensor) -> tuple[float, ...]:
    import numpy as np

    found: list[float] = np.quantile(sizes.numpy(), LEVELS).tolist()
    return tuple(found)


def _share(sizes: Tensor, threshold: float) -> float:
    return float((sizes <= threshold).double().mean())
