"""One measured number with its interval: where it comes from decides how the interval is made."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from pacbayes.errors import UsageError

LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A number, an interval of confidence 95 % around it, and how both were made.

    It is an estimate: intervals cover their target 95 % of the time if what ``how`` says holds.

    Attributes:
        name: what was measured; rules refer to it.
        value: the number.
        low: lower limit; minus infinity where nothing bounds it.
        high: upper limit; infinity where nothing bounds it.
        how: how the interval was made, in a few words.
        values: the single values behind it, one per seed, where there are any.

    Raises:
        UsageError: the value is not finite, or lies outside its limits.
    """

    name: str
    value: float
    low: float
    high: float
    how: str
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise UsageError(f"{self.name}: the measured value is not finite: {self.value}")
        if not self.low <= self.value <= self.high:
            raise UsageError(f"{self.name}: {self.value} is outside [{self.low}, {self.high}]")

    @classmethod
    def over_seeds(cls, name: str, values: Sequence[float]) -> Self:
        """Return the mean of one value per seed with Student's t interval.

        A single seed has no spread, so its interval is the whole line. Values that are all equal
        give an interval of length zero.

        Example:
            >>> found = Measurement.over_seeds("gain", [1.0, 2.0, 3.0])
            >>> round(found.low, 3), found.value, round(found.high, 3)
            (-0.484, 2.0, 4.484)
        """
        from scipy.stats import t

        numbers = [float(value) for value in values]
        if not numbers:
            raise UsageError(f"{name}: there are no values")
        mean, count = float(np.mean(numbers)), len(numbers)
        half = math.inf
        if count > 1:
            spread = float(np.std(numbers, ddof=1)) / math.sqrt(count)
            half = float(t.ppf((1 + LEVEL) / 2, count - 1)) * spread
        how = f"mean over {count} seed{'s' if count > 1 else ''}, Student's t"
        return cls(
            name=name,
            value=mean,
            low=mean - half,
            high=mean + half,
            how=how,
            values=tuple(numbers),
        )

    @classmethod
    def share(cls, name: str, hits: int, trials: int) -> Self:
        """Return a share of independent trials with its exact binomial interval.

        Clopper and Pearson (1934), two-sided.

        Example:
            >>> found = Measurement.share("wins", 0, 20)
            >>> found.value, found.low, round(found.high, 4)
            (0.0, 0.0, 0.1684)
        """
        from scipy.stats import beta

        if not 0 <= hits <= trials or trials < 1:
            raise UsageError(f"{name}: {hits} of {trials} is no share")
        tail = (1 - LEVEL) / 2
        low = float(beta.ppf(tail, hits, trials - hits + 1)) if hits else 0.0
        high = float(beta.ppf(1 - tail, hits + 1, trials - hits)) if hits < trials else 1.0
        how = f"{hits} of {trials}, exact binomial"
        return cls(name=name, value=hits / trials, low=low, high=high, how=how)

    @classmethod
    def exact(cls, name: str, value: float, *, how: str = "counted, exact") -> Self:
        """Return a number without uncertainty of its own: a count, or one fixed network's."""
        return cls(name=name, value=value, low=value, high=value, how=how)

    @classmethod
    def unknown(cls, name: str, why: str) -> Self:
        """Return a number of which nothing could be learned; every rule about it stays open."""
        return cls(name=name, value=0.0, low=-math.inf, high=math.inf, how=f"not measured: {why}")

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON; limits that are infinite are null."""
        return {
            "name": self.name,
            "value": self.value,
            "low": self.low if math.isfinite(self.low) else None,
            "high": self.high if math.isfinite(self.high) else None,
            "how": self.how,
            "values": list(self.values),
        }
