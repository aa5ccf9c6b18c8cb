"""Removing the entries with the lowest scores, over all tensors at once or in each."""

from collections.abc import Collection
from typing import Literal

import torch
from torch import Tensor

from pacbayes.errors import UsageError
from pacbayes.tickets import Mask

Scope = Literal["global", "tensor"]


def prune(
    mask: Mask,
    scores: dict[str, Tensor],
    *,
    fraction: float,
    scope: Scope = "global",
    protected: Collection[str] = (),
) -> Mask:
    """Return the mask without the given fraction of its kept, unprotected entries.

    The number removed is ``fraction`` times the number of candidates, rounded to the nearest
    integer. What was removed stays removed; equal scores go in the order of names and positions,
    so the result is the same everywhere.

    Args:
        mask: kept entries so far.
        scores: one value per entry; only kept entries are looked at.
        fraction: fraction of the candidates to remove, in [0, 1].
        scope: ``global`` compares all tensors by one threshold, ``tensor`` removes the same
            fraction of each.
        protected: names of tensors that stay as they are.

    Raises:
        UsageError: the fraction is outside [0, 1] or a protected name is not in the mask.

    Example:
        >>> full = Mask({"w": torch.ones(4, dtype=torch.bool)})
        >>> prune(full, {"w": torch.tensor([3.0, 1.0, 2.0, 4.0])}, fraction=0.5)["w"].tolist()
        [True, False, False, True]
    """
    if not 0 <= fraction <= 1:
        raise UsageError(f"fraction must lie in [0, 1], got {fraction}")
    require_names(mask, protected)
    free = [name for name in mask if name not in protected]
    groups = [free] if scope == "global" else [[name] for name in free]
    pruned = dict(mask)
    for names in groups:
        candidates = sum(int(mask[name].sum()) for name in names)
        pruned |= _without_lowest(mask, scores, names, count=round(fraction * candidates))
    return Mask(pruned)


def prune_to(
    mask: Mask,
    scores: dict[str, Tensor],
    *,
    density: float,
    scope: Scope = "global",
    protected: Collection[str] = (),
) -> Mask:
    """Return the mask pruned until ``density`` of all unprotected entries is left.

    A mask that is sparser already comes back unchanged.

    Args:
        mask: kept entries so far.
        scores: one value per entry; only kept entries are looked at.
        density: fraction of the entries of unprotected tensors to keep, in [0, 1].
        scope: see :func:`prune`.
        protected: names of tensors that stay as they are.

    Raises:
        UsageError: the density is outside [0, 1] or a protected name is not in the mask.
    """
    if not 0 <= density <= 1:
        raise UsageError(f"density must lie in [0, 1], got {density}")
    require_names(mask, protected)
    free = [name for name in mask if name not in protected]
    groups = [free] if scope == "global" else [[name] for name in free]
    pruned = dict(mask)
    for names in groups:
        entries = sum(mask[name].numel() for name in names)
        kept = sum(int(mask[name].sum()) for name in names)
        count = max(0, kept - round(density * entries))
        pruned |= _without_lowest(mask, scores, names, count=count)
    return Mask(pruned)


def require_names(mask: Mask, protected: Collection[str]) -> None:
    """Refuse protected names that are no prunable tensors.

    Raises:
        UsageError: names them, and what there is.
    """
    unknown = sorted(set(protected) - set(mask))
    if unknown:
        raise UsageError(f"--protect {unknown} names no prunable tensor; there are {list(mask)}")


def _without_lowest(
    mask: Mask, scores: dict[str, Tensor], names: list[str], *, count: int
) -> dict[str, Tensor]:
    if not names:
        return {}
    kept = torch.cat([mask[name].reshape(-1) for name in names])
    flat = torch.cat([scores[name].detach().reshape(-1).double() for name in names])
    positions = torch.nonzero(kept).squeeze(1)
    order = torch.argsort(flat[positions], stable=True)
    kept[positions[order[:count]]] = False
    pieces = kept.split([mask[name].numel() for name in names])
    return {n: piece.reshape(mask[n].shape) for n, piece in zip(names, pieces, strict=True)}
