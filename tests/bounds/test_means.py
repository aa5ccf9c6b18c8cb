"""Means of draws: formulas in Arb, exact coverage by enumeration, stopping, refusals."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pacbayes.bounds import (
    betting_upper,
    binomial_upper,
    chernoff_upper,
    draw_until,
    empirical_bernstein_upper,
)
from pacbayes.errors import UsageError
from tests.bounds import oracle
from tests.bounds.oracle import ball, decided


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with flint.ctx.workprec(oracle.PRECISION):
        yield


counts = st.lists(st.integers(0, 50), min_size=2, max_size=40)
deltas = st.fractions("1/1000", "1/2", max_denominator=1000)
UPPER: dict[str, Callable[..., float]] = {
    "bernstein": empirical_bernstein_upper,
    "betting": betting_upper,
}


@given(values=counts, delta=deltas)
def test_empirical_bernstein_is_its_formula(values: list[int], delta: Fraction) -> None:
    m, draws = len(values), [Fraction(value, 50) for value in values]
    pairs = itertools.combinations(draws, 2)
    variance = sum(((x - y) ** 2 for x, y in pairs), start=Fraction(0)) / (m * (m - 1))
    nats = (2 / ball(delta)).log()
    truth = ball(sum(draws) / m) + (ball(2 * variance / m) * nats).sqrt() + 7 * nats / (3 * (m - 1))
    value = empirical_bernstein_upper(values=values, delta=delta, size=50)
    if truth >= 1:
        assert value == 1.0
    else:
        assert 0 <= oracle.slack(lambda p: decided(ball(p) - truth), value) <= 1


def bets(draws: Sequence[Fraction], delta: Fraction, horizon: int | None) -> list[Fraction]:
    """The plug-in bets by their formula, in floating point; twelve digits of them are the law."""
    found = []
    for index in range(1, len(draws) + 1):
        means = [(0.5 + float(sum(draws[:count]))) / (count + 1) for count in range(1, index)]
        squares = 0.25 + sum((float(x) - m) ** 2 for x, m in zip(draws, means, strict=False))
        time = horizon or index * math.log(1 + index)
        found.append(min(1.0, math.sqrt(2 * math.log(1 / delta) / (squares / index * time))))
    return [Fraction(bet) for bet in found]


def capitals(draws: Sequence[Fraction], stakes: Sequence[Fraction], p: float) -> arb:
    """The largest capital so far of the bets that the mean is below p."""
    capital = best = arb(1)
    for stake, draw in zip(stakes, draws, strict=True):
        capital *= 1 + ball(stake) * (ball(p) - ball(draw))
        best = max(best, capital, key=lambda x: float(x.mid()))
    return best


@settings(max_examples=40)
@given(values=counts, delta=deltas, horizon=st.one_of(st.none(), st.integers(1, 100)))
@example(values=[0, 50] * 60, delta=Fraction(1, 20), horizon=None)  # most bets are below 1
def test_betting_is_its_formula(values: list[int], delta: Fraction, horizon: int | None) -> None:
    draws = [Fraction(value, 50) for value in values]
    stakes = bets(draws, delta, horizon)
    value = betting_upper(values=values, delta=delta, size=50, horizon=horizon)
    # A relative error of 1e-10 in the bets moves the logarithm of the capital by less than 1e-8.
    if value < 1:
        assert capitals(draws, stakes, value).log() > -ball(delta).log() - 1e-8
    below = value * (1 - 1e-7)
    assert capitals(draws, stakes, below).log() < -ball(delta).log() + 1e-8


def test_two_draws_of_nothing_by_hand() -> None:
    """Both bets are one, and (1 + p)^2 reaches 1 / 0.64 = 1.25^2 at p = 1/4 exactly."""
    assert betting_upper(values=[0, 0], delta="0.64") == 0.25


@given(values=counts, delta=deltas)
def test_more_draws_refute_no_less(values: list[int], delta: Fraction) -> None:
    whole = betting_upper(values=values, delta=delta, size=50)
    assert whole <= betting_upper(values=values[:-1], delta=delta, size=50)


@pytest.mark.parametrize("name", UPPER)
@given(values=counts, delta=deltas)
def test_upper_values_are_above_the_mean_and_monotone(
    name: str, values: list[int], delta: Fraction
) -> None:
    upper = UPPER[name]
    value = upper(values=values, delta=delta, size=50)
    assert value <= 1
    assert upper(values=values, delta=delta / 2, size=50) >= value
    assert upper(values=[Fraction(count, 50) for count in values], delta=delta) == value


def test_many_equal_draws_are_certain() -> None:
    """Without spread the logarithm alone is left; for Chernoff's bound the spread is p (1 - p)."""
    values = [300] * 2000
    by_betting = betting_upper(values=values, delta="0.01", size=1000, horizon=2000)
    by_bernstein = empirical_bernstein_upper(values=values, delta="0.01", size=1000)
    by_chernoff = chernoff_upper(risk="0.3", draws=2000, delta="0.01")
    assert 0.3 < by_betting < 0.3025 < by_bernstein < 0.3065 < by_chernoff
    assert by_chernoff > 0.33


@pytest.mark.parametrize(("errors", "trials"), [(0, 300), (10, 300), (150, 300)])
def test_betting_on_zeros_and_ones_is_near_the_binomial(errors: int, trials: int) -> None:
    rng, ones = np.random.default_rng(3), [1] * errors + [0] * (trials - errors)
    exact = binomial_upper(errors=errors, trials=trials, delta="0.05") - errors / trials
    slacks = [
        betting_upper(values=rng.permutation(ones).tolist(), delta="0.05", horizon=trials)
        - errors / trials
        for _ in range(15)
    ]
    assert 0.9 * exact < np.median(slacks) < 1.7 * exact


# --- coverage, by enumeration of all sequences


def failing(upper: Callable[..., float], m: int, delta: Fraction, p: Fraction) -> Fraction:
    """Probability that the upper value of m zeros and ones lies below their mean, exactly."""
    found = Fraction(0)
    for values in itertools.product((0, 1), repeat=m):
        if Fraction(upper(values=values, delta=delta)) < p:
            found += p ** sum(values) * (1 - p) ** (m - sum(values))
    return found


GRID = [Fraction(k, 20) for k in range(1, 20)]


@pytest.mark.parametrize("delta", [Fraction(1, 20), Fraction(1, 4)])
def test_betting_fails_at_most_delta_whenever_one_stops(delta: Fraction) -> None:
    """The value after ten draws is the least of all on the way, so this covers any stopping."""
    table = {
        values: betting_upper(values=values, delta=delta)
        for values in itertools.product((0, 1), repeat=10)
    }
    lookup = lambda *, values, delta: table[values]  # noqa: E731
    worst = max(failing(lookup, 10, delta, p) for p in GRID)
    assert 0 < worst <= delta


@cache
def exact_limit(errors: int, trials: int, delta: Fraction) -> float:
    return binomial_upper(errors=errors, trials=trials, delta=delta)


def test_stopping_at_will_needs_betting() -> None:
    """The best binomial limit of all prefixes fails more often than delta: a negative control."""

    def peeking(*, values: Sequence[int], delta: Fraction) -> float:
        return min(exact_limit(sum(values[:m]), m, delta) for m in range(1, len(values) + 1))

    cached = {
        v: peeking(values=v, delta=Fraction(1, 4)) for v in itertools.product((0, 1), repeat=8)
    }
    lookup = lambda *, values, delta: cached[values]  # noqa: E731
    assert max(failing(lookup, 8, Fraction(1, 4), p) for p in GRID) > Fraction(1, 4)


def test_bets_that_see_the_draw_fail() -> None:
    """Negative control: a bet of 1 if the draw is 0, else of 0, never loses and refutes the truth.

    The capital is then (1 + p)^(number of zeros), and reaches 20 at p = 1/2 with 8 zeros of 20.
    """
    zeros = np.random.default_rng(5).binomial(20, 0.5, size=1000)
    assert ((1 + 0.5) ** zeros >= 20).mean() > 0.5


def test_empirical_bernstein_fails_at_most_delta() -> None:
    delta = Fraction(1, 20)
    for m in (2, 5, 12):
        cases = [
            (math.comb(m, k), k, Fraction(empirical_bernstein_upper(
                values=[1] * k + [0] * (m - k), delta=delta)))
            for k in range(m + 1)
        ]  # fmt: skip
        for p in GRID:
            failed = sum(w * p**k * (1 - p) ** (m - k) for w, k, upper in cases if upper < p)
            assert failed <= delta


def test_the_last_term_of_empirical_bernstein_is_needed() -> None:
    """Negative control: 30 draws without an error have no spread, but prove little about 5 %."""
    assert Fraction(19, 20) ** 30 > Fraction(1, 20)
    assert empirical_bernstein_upper(values=[0] * 30, delta="0.05") > 0.05


# --- stopping


def test_draws_are_taken_until_the_slack_is_small() -> None:
    rng = np.random.default_rng(11)
    asked = 0

    def draws() -> Iterator[int]:
        nonlocal asked
        while True:
            asked += 1
            yield int(rng.binomial(1000, 0.1))

    taken = draw_until(draws(), slack="0.01", delta="0.01", most=10**5, size=1000)
    assert asked == len(taken) < 2000
    mean = sum(taken) / len(taken) / 1000  # type: ignore[arg-type]
    assert betting_upper(values=taken, delta="0.01", size=1000) <= mean + 0.01
    before = taken[: int(len(taken) / 1.06)]
    mean = sum(before) / len(before) / 1000  # type: ignore[arg-type]
    assert betting_upper(values=before, delta="0.01", size=1000) > mean + 0.01


def test_a_slack_that_is_just_met_is_met() -> None:
    upper = Fraction(betting_upper(values=[0] * 12, delta="0.05"))
    assert upper < Fraction(betting_upper(values=[0] * 11, delta="0.05"))
    assert len(draw_until(itertools.repeat(0), slack=upper, delta="0.05", most=99)) == 12


def test_stopping_ends() -> None:
    assert draw_until(itertools.repeat(1), slack="0.01", delta="0.05", most=7) == (1,)
    alternating = itertools.cycle([0, 1])
    assert len(draw_until(alternating, slack="0.01", delta="0.05", most=7)) == 7
    assert draw_until(itertools.repeat(0), slack="0.01", delta="0.05", most=1) == (0,)
    assert draw_until([], slack="0.01", delta="0.05", most=7) == ()
    assert draw_until([0, 1], slack="0.01", delta="0.05", most=7) == (0, 1)


# --- limits and refusals


def test_limits() -> None:
    for delta in ("1e-9000", 5e-324, 1 - 2**-53):
        value = betting_upper(values=[0, 1, 0], delta=delta)
        assert 0 < value <= 1
    assert betting_upper(values=[], delta="0.05") == 1.0
    assert betting_upper(values=[1] * 50, delta="0.05") == 1.0
    assert betting_upper(values=[5e-324, 0.0, 1.0], delta="0.5") <= 1.0
    assert betting_upper(values=[0] * 20, delta="0.5", size=10**40) < 0.04
    assert empirical_bernstein_upper(values=[1, 1], delta="0.05") == 1.0
    certain = empirical_bernstein_upper(values=[0] * 10**4, delta=1 - 2**-53)
    assert 1.6e-4 < certain < 1.7e-4


@pytest.mark.parametrize("name", UPPER)
@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"values": [0.5, 1.1]}, r"in \[0, 1\]"),
        ({"values": [0.5, -0.1]}, r"in \[0, 1\]"),
        ({"values": [0.5, math.nan]}, "NaN"),
        ({"values": [0.5, math.inf]}, r"in \[0, 1\]"),
        ({"values": [0.5, None]}, "value must"),
        ({"values": [3, 4], "size": 3}, r"in \[0, 3\]"),
        ({"values": [0, 0.5], "size": 1000}, "whole counts"),
        ({"values": [0, 0.5], "size": 2}, "whole counts"),
        ({"size": 0}, "size must"),
        ({"delta": 0}, "delta must"),
        ({"delta": 1}, "delta must"),
    ],
    ids=str,
)
def test_nonsense_is_refused(name: str, wrong: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        UPPER[name](**{"values": [0, 1], "delta": "0.05"} | wrong)


def test_one_draw_has_no_spread() -> None:
    with pytest.raises(UsageError, match="at least two"):
        empirical_bernstein_upper(values=[0], delta="0.05")
    with pytest.raises(UsageError, match="horizon"):
        betting_upper(values=[0], delta="0.05", horizon=0)


@pytest.mark.parametrize(
    "wrong", [{"slack": 0}, {"slack": 1}, {"delta": 0}, {"most": 0}, {"size": 0}, {"horizon": 0}]
)
def test_nothing_is_drawn_for_nonsense(wrong: dict[str, Any]) -> None:
    def never() -> Iterator[int]:
        raise AssertionError("drawn")
        yield 0

    with pytest.raises(UsageError, match=next(iter(wrong))):
        draw_until(never(), **{"slack": "0.1", "delta": "0.05", "most": 9} | wrong)
