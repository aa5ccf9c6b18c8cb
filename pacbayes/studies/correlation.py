"""Rank correlations with bootstrap intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pacbayes.errors import UsageError
from pacbayes.runtime.seeds import Seeds
from pacbayes.studies.measurement import LEVEL, Measurement

DRAWS = 2000
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Spearman's rank correlation of two columns of a table. An estimate.

    Attributes:
        first: name of one column.
        second: name of the other.
        value: in [-1, 1].
        low: lower end of the 95 % percentile interval over resampled rows.
        high: upper end.
        rows: rows in which both columns have a value.
    """

    first: str
    second: str
    value: float
    low: float
    high: float
    rows: int

    @classmethod
    def of(
        cls, rows: Sequence[Mapping[str, Any]], first: str, second: str, *, seed: int = 1
    ) -> Self:
        """Return the correlation over the rows that have both columns.

        The bootstrap resamples rows as if they were independent; rows that share initial weights
        are not quite, so the interval errs on the short side.

        Args:
            rows: one per ticket.
            first: name of a column of numbers.
            second: name of another.
            seed: of the resampling.

        Raises:
            UsageError: fewer than five rows have both, or a column does not vary.

        Example:
            >>> rows = [{"x": k, "y": k**3} for k in range(10)]
            >>> Correlation.of(rows, "x", "y").value
            1.0
        """
        known = [(r.get(first), r.get(second)) for r in rows]
        pairs = np.array([pair for pair in known if None not in pair], dtype=np.float64)
        if len(pairs) < 5:
            raise UsageError(f"{first} and {second} are known together in only {len(pairs)} rows")
        if any(len(set(column)) < 2 for column in pairs.T):
            raise UsageError(f"{first} or {second} does not vary")
        generator = Seeds(seed).numpy("bootstrap")
        drawn = pairs[generator.integers(0, len(pairs), size=(DRAWS, len(pairs)))]
        values = _spearman(drawn[..., 0], drawn[..., 1])
        # A draw of one repeated row has no correlation.
        values = values[np.isfinite(values)]
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found = float(_spearman(*pairs.T))
        return cls(
            first=first,
            second=second,
            value=found,
            low=min(float(low), found),
            high=max(float(high), found),
            rows=len(pairs),
        )

    def measurement(self, name: str) -> Measurement:
        """Return the correlation as a measurement that rules can refer to."""
        how = f"{self.rows} tickets, bootstrap over tickets"
        return Measurement(name=name, value=self.value, low=self.low, high=self.high, how=how)


def _spearman(first: Array, second: Array) -> Array:
    """Return the correlation of ranks along the last axis; not a number where one side is flat."""
    from scipy.stats import rankdata

    ranks = [rankdata(side, axis=-1) for side in (first, second)]
    left, right = (rank - rank.mean(axis=-1, keepdims=True) for rank in ranks)
    lengths = np.sqrt((left**2).sum(axis=-1) * (right**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.clip((left * right).sum(axis=-1) / lengths, -1.0, 1.0)
    return found
