"""Means with intervals: by hand, and by simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pacbayes.errors import UsageError
from pacbayes.landscape import Sampled


def test_by_hand() -> None:
    found = Sampled.of([1.0, 2.0, 3.0, 6.0])
    # Mean 3, variance (4 + 1 + 0 + 9) / 3, and Student's 3.182446 for 3 degrees of freedom.
    half = 3.182446 * math.sqrt(14 / 3) / 2
    assert (found.value, found.draws) == (3.0, 4)
    assert found.high - 3.0 == 3.0 - found.low == pytest.approx(half, rel=1e-6)


def test_equal_draws_have_no_spread() -> None:
    # The mean of three times 0.1 is not 0.1 in floating point.
    assert Sampled.of([0.1] * 3) == Sampled(value=0.1, low=0.1, high=0.1, draws=3)


def test_nothing_drawn() -> None:
    assert Sampled.exactly(2.0) == Sampled(value=2.0, low=2.0, high=2.0, draws=0)


def test_scaling_moves_all_ends() -> None:
    found = Sampled(value=1.0, low=0.5, high=2.0, draws=7).times(2.0, plus=1.0)
    assert found == Sampled(value=3.0, low=2.0, high=5.0, draws=7)
    assert replace(found, draws=0) != found


def test_intervals_hold_the_mean_as_often_as_they_say() -> None:
    drawn = np.random.default_rng(0).normal(1.0, 3.0, (2000, 5))
    found = [Sampled.of(row.tolist()) for row in drawn]
    held = np.mean([one.low <= 1.0 <= one.high for one in found])
    # Binomial with p = 0.95: four standard deviations are 0.0195.
    assert abs(held - 0.95) < 0.0195


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_what_has_no_interval_is_refused(values: list[float]) -> None:
    with pytest.raises(UsageError):
        Sampled.of(values)
