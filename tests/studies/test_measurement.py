"""Intervals against numbers worked out by hand."""

import math

import pytest

from pacbayes.errors import UsageError
from pacbayes.studies.measurement import Measurement


def test_students_interval_of_three_seeds() -> None:
    """Mean 2, deviation 1, t(0.975, 2) = 4.30265, half 4.30265 / sqrt(3) = 2.48414."""
    found = Measurement.over_seeds("x", [1.0, 2.0, 3.0])
    assert found.value == 2.0
    assert found.high - 2.0 == pytest.approx(2.48414, abs=1e-5)
    assert 2.0 - found.low == pytest.approx(2.48414, abs=1e-5)
    assert found.values == (1.0, 2.0, 3.0)


def test_one_seed_says_nothing_about_the_spread() -> None:
    found = Measurement.over_seeds("x", [0.5])
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert (found.to_json()["low"], found.to_json()["high"]) == (None, None)


def test_exact_binomial_interval() -> None:
    """No hit in 20: the upper limit solves (1 - p)^20 = 0.025."""
    found = Measurement.share("x", 0, 20)
    assert found.low == 0.0
    assert (1 - found.high) ** 20 == pytest.approx(0.025, rel=1e-9)
    assert Measurement.share("x", 20, 20).high == 1.0


@pytest.mark.parametrize(("hits", "trials"), [(-1, 3), (4, 3), (0, 0)])
def test_impossible_shares_are_refused(hits: int, trials: int) -> None:
    with pytest.raises(UsageError):
        Measurement.share("x", hits, trials)


def test_values_must_be_finite_and_inside() -> None:
    with pytest.raises(UsageError, match="not finite"):
        Measurement.over_seeds("x", [math.nan])
    with pytest.raises(UsageError, match="no values"):
        Measurement.over_seeds("x", [])
    with pytest.raises(UsageError, match="outside"):
        Measurement(name="x", value=2.0, low=0.0, high=1.0, how="made up")
