"""A mean over independent draws, with the interval that the draws allow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from pacbayes.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """An estimate from independent draws; it carries no guarantee.

    Attributes:
        value: mean of the draws.
        low: lower end of Student's 95 % interval of the mean.
        high: upper end.
        draws: how many draws there were.
    """

    value: float
    low: float
    high: float
    draws: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Return the mean of the values with Student's 95 % interval.

        The interval has its level if the values are normal, and about that level if there are
        many; it knows of no error that all draws share.

        Args:
            values: one finite number per draw, at least two.

        Raises:
            UsageError: there are fewer than two values, or one is not finite.

        Example:
            >>> found = Sampled.of([1.0, 3.0])
            >>> found.value, round(found.high - found.value, 4)  # 12.7062 * sqrt(2) / sqrt(2)
            (2.0, 12.7062)
        """
        from scipy.stats import t

        draws = len(values)
        if draws < 2:
            raise UsageError(f"an interval needs at least 2 draws, got {draws}")
        array = np.asarray(values, dtype=np.float64)
        if not np.isfinite(array).all():
            raise UsageError("a draw is not finite, so there is no mean")
        # Equal draws have no spread, whatever the rounding of their mean says.
        if (array == array[0]).all():
            value = float(array[0])
            return cls(value=value, low=value, high=value, draws=draws)
        value = math.fsum(array) / draws
        half = float(t.ppf(0.975, draws - 1)) * float(array.std(ddof=1)) / math.sqrt(draws)
        return cls(value=value, low=value - half, high=value + half, draws=draws)

    @classmethod
    def exactly(cls, value: float) -> Self:
        """Return a value that no draw was needed for."""
        return cls(value=value, low=value, high=value, draws=0)

    def times(self, factor: float, plus: float = 0.0) -> "Sampled":
        """Return ``factor * value + plus`` with its interval; the factor is not negative."""
        return Sampled(
            value=factor * self.value + plus,
            low=factor * self.low + plus,
            high=factor * self.high + plus,
            draws=self.draws,
        )
