"""Removing the entries with the lowest scores, over all tensors at once."""

import torch
from torch import Tensor

from pacbayes.tickets import Mask


def prune(mask: Mask, scores: dict[str, Tensor], *, fraction: float) -> Mask:
    """Return the mask without the given fraction of its kept entries.

    One threshold holds for all tensors. What was removed stays removed; equal scores go in the
    order of names and positions, so the result is the same everywhere.

    Args:
        mask: kept entries so far.
        scores: one value per entry; only kept entries are looked at.
        fraction: fraction of the kept entries to remove, in [0, 1].

    Example:
        >>> full = Mask({"w": torch.ones(4, dtype=torch.bool)})
        >>> prune(full, {"w": torch.tensor([3.0, 1.0, 2.0, 4.0])}, fraction=0.5)["w"].tolist()
        [True, False, False, True]
    """
    names = list(mask)
    kept = torch.cat([mask[name].reshape(-1) for name in names])
    flat = torch.cat([scores[name].detach().reshape(-1).double() for name in names])
    positions = torch.nonzero(kept).squeeze(1)
    order = torch.argsort(flat[positions], stable=True)
    removed = positions[order[: round(fraction * positions.numel())]]
    kept[removed] = False
    pieces = kept.split([mask[name].numel() for name in names])
    return Mask({n: piece.reshape(mask[n].shape) for n, piece in zip(names, pieces, strict=True)})
