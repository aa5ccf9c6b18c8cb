"""Scores: how important each weight is. The lowest scores are removed first.

Except for ``random``, a score is a function of the magnitudes of the kept weights of one tensor,
so scores of several tensors are comparable as far as the formula makes them so.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from pacbayes.tickets import Mask, Tensors

ScoreName = Literal["magnitude", "l1", "l2", "lamp", "softmax", "min-max", "largest", "random"]
Score = Callable[[Tensor, torch.Generator], Tensor]


def magnitude(size: Tensor, _generator: torch.Generator) -> Tensor:
    """Return the magnitudes themselves (Han et al. 2015)."""
    return size


def l1(size: Tensor, _generator: torch.Generator) -> Tensor:
    """Return each magnitude over their sum (Vandersmissen and Oramas 2023)."""
    return _share(size)


def l2(size: Tensor, _generator: torch.Generator) -> Tensor:
    """Return each squared magnitude over their sum (Vandersmissen and Oramas 2023)."""
    return _share(size.square())


def lamp(size: Tensor, _generator: torch.Generator) -> Tensor:
    """Return each squared magnitude over the sum of those at least as large (Lee et al. 2021).

    Of equal magnitudes, the later position counts as larger, so the largest scores exactly 1.
    """
    order = torch.argsort(size, stable=True)
    squares = size[order].square()
    # Summed from the smallest term of each tail upwards: flip, cumulate, flip.
    tails = squares.flip(0).cumsum(0).flip(0)
    scores = torch.empty_like(size)
    scores[order] = torch.where(tails > 0, squares / tails, torch.zeros_like(squares))
    return scores


def softmax(size: Tensor, _generator: torch.Generator) -> Tensor:
    """Return the softmax of the magnitudes (Vandersmissen and Oramas 2023)."""
    return torch.softmax(size, dim=0)


def min_max(size: Tensor, _generator: torch.Generator) -> Tensor:
    """Return the magnitudes rescaled to [0, 1] (Vandersmissen and Oramas 2023).

    Where all are equal, a single weight for instance, there is no scale and all count as largest.
    """
    low, high = size.min(), size.max()
    return (size - low) / (high - low) if high > low else torch.ones_like(size)


def largest(size: Tensor, _generator: torch.Generator) -> Tensor:
    """Return minus the magnitudes: the largest go first, a control."""
    return -size


def random(size: Tensor, generator: torch.Generator) -> Tensor:
    """Return uniform random numbers, a control that looks at nothing."""
    return torch.rand(size.shape, generator=generator, dtype=torch.float64)


SCORES: dict[ScoreName, Score] = {
    "magnitude": magnitude,
    "l1": l1,
    "l2": l2,
    "lamp": lamp,
    "softmax": softmax,
    "min-max": min_max,
    "largest": largest,
    "random": random,
}


def scores_of(
    name: ScoreName, weights: Tensors, mask: Mask, *, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return the score of every entry that the mask names, float64; removed entries score 0.

    Args:
        name: a key of ``SCORES``.
        weights: by parameter name.
        mask: only kept entries enter a tensor's sums and extremes.
        generator: for ``random``; the order of draws is that of the mask's names.

    Example:
        >>> full = Mask({"w": torch.ones(2, 2, dtype=torch.bool)})
        >>> weights = {"w": torch.tensor([[-3.0, 1.0], [4.0, 0.0]])}
        >>> scores_of("l1", weights, full, generator=torch.Generator())["w"].tolist()
        [[0.375, 0.125], [0.5, 0.0]]
    """
    found = {}
    for key in mask:
        kept = mask[key]
        found[key] = torch.zeros(kept.shape, dtype=torch.float64)
        if bool(kept.any()):
            size = weights[key].detach()[kept].double().abs()
            found[key][kept] = SCORES[name](size, generator)
    return found


def _share(size: Tensor) -> Tensor:
    total = size.sum()
    return size / total if total > 0 else size
