"""Scores: how important each weight is. The lowest scores are removed first."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from pacbayes.tickets import Mask, Tensors

ScoreName = Literal["magnitude"]
Score = Callable[[Tensors, Mask], dict[str, Tensor]]


def magnitude(weights: Tensors, mask: Mask) -> dict[str, Tensor]:
    """Return the absolute value of each prunable weight (Han et al. 2015)."""
    return {name: weights[name].abs() for name in mask}


SCORES: dict[ScoreName, Score] = {"magnitude": magnitude}
