"""The declared grid on which prior scales lie."""

import math
from dataclasses import dataclass
from fractions import Fraction

from pacbayes.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleGrid:
    """Geometric grid of prior standard deviations, fixed before any data are seen.

    Value j is ``top * 2^(-j / steps_per_octave)`` for j in [0, size). Choosing one value per
    tensor on the certificate data costs ``ln(size)`` nats per tensor: each value has the union
    weight ``1 / size`` (Dziugaite and Roy 2017, with a finite grid).

    Example:
        >>> ScaleGrid(top=1.0, steps_per_octave=2, size=8).value(2)
        0.5
    """

    top: float = 1.0
    steps_per_octave: int = 32
    size: int = 320

    def value(self, index: int) -> float:
        """Return the scale at an index.

        Raises:
            UsageError: the index is outside the grid.
        """
        if not 0 <= index < self.size:
            raise UsageError(f"grid index must be in [0, {self.size}), got {index}")
        return self.top * math.pow(2.0, -index / self.steps_per_octave)

    def nearest(self, scale: float) -> int:
        """Return the index of the value nearest to a scale in logarithm, clipped to the grid."""
        index = round(-math.log2(scale / self.top) * self.steps_per_octave)
        return min(max(index, 0), self.size - 1)

    @property
    def weight(self) -> Fraction:
        """Exact union weight of each value."""
        return Fraction(1, self.size)

    def to_json(self) -> dict[str, str | int]:
        """Return the grid as the certificate lists it."""
        return {
            "top": repr(self.top),
            "steps_per_octave": self.steps_per_octave,
            "size": self.size,
        }
