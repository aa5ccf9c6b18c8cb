"""The coordinates that a ticket can move along: the kept entries of its weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pacbayes.errors import UsageError
from pacbayes.tickets import Mask, Tensors

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subspace:
    """Kept entries of named tensors, as vectors for the solvers that need one.

    This is the one place where named tensors become a vector: names sorted, entries of each in row
    order.

    Attributes:
        kept: bool tensors by parameter name; a tensor without kept entries adds nothing.
    """

    kept: dict[str, Tensor]

    @classmethod
    def of(cls, mask: Mask, weights: Tensors, *, prunable_only: bool = False) -> "Subspace":
        """Return the kept entries of all weights, or only of those that the mask names.

        Raises:
            UsageError: nothing is kept.
        """
        mask.require_fits(weights)
        kept = {
            name: mask.of(name, tensor)
            if name in mask or not prunable_only
            else torch.zeros(tensor.shape, dtype=torch.bool)
            for name, tensor in sorted(weights.items())
        }
        found = cls(kept=kept)
        if not found.dimension:
            raise UsageError("the mask keeps nothing, so there is nothing to move along")
        return found

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return sum(int(kept.sum()) for kept in self.kept.values())

    def vector(self, tensors: Tensors) -> Array:
        """Return the kept entries as one float64 vector.  # (d,)."""
        parts = [tensors[name].detach().cpu()[kept].double() for name, kept in self.kept.items()]
        return torch.cat(parts).numpy()

    def tensors(self, vector: Array, like: Tensors) -> dict[str, Tensor]:
        """Return tensors shaped and typed as ``like``, zero outside the kept entries."""
        found, first = {}, 0
        for name, kept in self.kept.items():
            count = int(kept.sum())
            filled = torch.zeros(kept.shape, dtype=like[name].dtype)
            piece = torch.from_numpy(np.ascontiguousarray(vector[first : first + count]))
            filled[kept] = piece.to(filled.dtype)
            found[name], first = filled, first + count
        return found

    def moved(self, weights: Tensors, vector: Array) -> dict[str, Tensor]:
        """Return the weights plus a vector along the coordinates."""
        step = self.tensors(vector, weights)
        return {name: tensor + step[name].to(tensor.device) for name, tensor in weights.items()}

    def sizes(self, weights: Tensors) -> Array:
        """Return for each coordinate the root mean square of its tensor's kept weights.  # (d,).

        A tensor whose kept weights are all zero gets the root mean square of all of them.
        """
        whole = float(np.sqrt(np.mean(self.vector(weights) ** 2))) or 1.0
        parts = []
        for name, kept in self.kept.items():
            values = weights[name].detach().cpu()[kept].double()
            size = float(values.square().mean().sqrt()) if len(values) else 0.0
            parts.append(torch.full_like(values, size or whole))
        return torch.cat(parts).numpy()

    def direction(self, generator: np.random.Generator) -> Array:
        """Return a direction drawn uniformly from the unit sphere.  # (d,)."""
        drawn = generator.standard_normal(self.dimension)
        return drawn / np.linalg.norm(drawn)
