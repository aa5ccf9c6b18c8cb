"""Rank correlations against values worked out by hand."""

import pytest

from pacbayes.errors import UsageError
from pacbayes.studies.correlation import Correlation


def rows(first: list[float | None], second: list[float | None]) -> list[dict[str, float | None]]:
    return [{"x": a, "y": b} for a, b in zip(first, second, strict=True)]


def test_a_known_value() -> None:
    """Ranks 1..5 against 2, 1, 4, 3, 5: 1 - 6 * (1 + 1 + 1 + 1) / (5 * 24) = 0.8."""
    found = Correlation.of(rows([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]), "x", "y")
    assert found.value == pytest.approx(0.8)
    assert found.low <= found.value <= found.high
    assert found.rows == 5


def test_a_monotone_relation_has_no_spread() -> None:
    found = Correlation.of(rows([1, 2, 3, 4, 5, 6], [-1, -8, -27, -64, -125, -216]), "x", "y")
    assert (found.value, found.low, found.high) == pytest.approx((-1, -1, -1))


def test_noise_has_an_interval_around_zero() -> None:
    first = [float(k) for k in range(40)]
    second = [float((17 * k) % 41) for k in range(40)]
    found = Correlation.of(rows(first, second), "x", "y")
    assert found.low < 0 < found.high
    assert found.measurement("rho").low == found.low


def test_rows_without_a_value_are_left_out() -> None:
    known = rows([1, 2, None, 3, 4, 5], [1, 2, 3, None, 4, 5])
    with pytest.raises(UsageError, match="only 4 rows"):
        Correlation.of(known, "x", "y")
    with pytest.raises(UsageError, match="does not vary"):
        Correlation.of(rows([1, 2, 3, 4, 5], [2, 2, 2, 2, 2]), "x", "y")
