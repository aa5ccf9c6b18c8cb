"""The tail inversion: exact coverage by enumeration, edges, and trials of unequal means."""

import itertools
import math
import random
from collections.abc import Callable
from fractions import Fraction

import flint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.bounds import (
    binomial_upper,
    chernoff_upper,
    kl_bound,
    kl_inverse_upper,
    poisson_binomial_upper,
)
from pacbayes.bounds.binomial import LARGEST_TRIALS
from pacbayes.errors import UsageError
from tests.bounds import oracle
from tests.bounds.oracle import exact_tail

TWENTIETH = Fraction(1, 20)


def worst_failure(upper: Callable[[int], float], n: int) -> Fraction:
    """Largest probability, over all true risks, that the upper value lies below the risk.

    It is approached just above one of the upper values, where the tail is largest.
    """
    values = [Fraction(upper(errors)) for errors in range(n)]
    return max(exact_tail(errors, n, value) for errors, value in enumerate(values))


def worst_failure_in_units(upper: Callable[[int], float], n: int) -> float:
    """The same to 15 digits, in units of 1/20, for larger n."""
    with flint.ctx.workprec(256):
        tails = [float(oracle.tail(k, n, Fraction(upper(k)))) for k in range(n)]
    return 20.0 * max(tails)


@pytest.mark.parametrize("delta", [Fraction(1, 2), TWENTIETH, Fraction(1, 1000)])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 12, 20])
def test_no_true_risk_fails_more_often_than_delta(n: int, delta: Fraction) -> None:
    worst = worst_failure(lambda errors: binomial_upper(errors=errors, trials=n, delta=delta), n)
    assert delta * (1 - Fraction(1, 10**12)) < worst <= delta


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_one_double_less_would_fail_too_often(n: int) -> None:
    for errors in range(n):
        value = binomial_upper(errors=errors, trials=n, delta=TWENTIETH)
        assert exact_tail(errors, n, Fraction(math.nextafter(value, 0.0))) > TWENTIETH


# Worst failure in units of delta, from an exact computation by another program.
@pytest.mark.parametrize(("n", "expected"), [(50, 0.071), (200, 0.035)])
def test_the_slack_of_the_pac_bayes_bound_is_what_it_should_be(n: int, expected: float) -> None:
    upper = lambda k: kl_bound(risk=Fraction(k, n), kl=0, n=n, delta=TWENTIETH)  # noqa: E731
    assert worst_failure_in_units(upper, n) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("n", [1, 10, 50])
def test_chernoff_is_exact_without_errors(n: int) -> None:
    worst = worst_failure(
        lambda k: chernoff_upper(risk=Fraction(k, n), draws=n, delta=TWENTIETH), n
    )
    assert TWENTIETH * (1 - Fraction(1, 10**12)) < worst <= TWENTIETH


@pytest.mark.parametrize(
    ("nats", "expected"),
    [
        (lambda n: math.log(40 * math.sqrt(n)) / (2 * n), 1.19),
        (lambda n: math.log(2 * math.sqrt(n)) / n, 1.41),
        (lambda n: math.log(10) / n, 2.00),
    ],
    ids=["divided by 2n", "delta forgotten", "delta doubled without sqrt(n)"],
)
def test_enumeration_sees_wrong_formulas(nats: Callable[[int], float], expected: float) -> None:
    """Negative controls, at n = 50 and delta = 1/20."""
    upper = lambda k: kl_inverse_upper(q=Fraction(k, 50), c=nats(50))  # noqa: E731
    assert worst_failure_in_units(upper, 50) == pytest.approx(expected, abs=5e-3)


def mean_is_missed(upper: Callable[[int], float], means: tuple[Fraction, ...]) -> Fraction:
    """Probability that the upper value of independent unequal trials lies below their mean."""
    counts = [Fraction(1)]
    for mean in means:
        shifted, kept = [Fraction(0), *counts], [*counts, Fraction(0)]
        counts = [a * mean + b * (1 - mean) for a, b in zip(shifted, kept, strict=True)]
    average = sum(means) / len(means)
    return sum(
        (chance for errors, chance in enumerate(counts) if upper(errors) < average), Fraction(0)
    )


def test_unequal_means_break_the_plain_inversion_at_the_very_top_only() -> None:
    means = (Fraction("0.94936"), Fraction(1))
    missed = mean_is_missed(lambda k: binomial_upper(errors=k, trials=2, delta="0.05"), means)
    assert missed == Fraction("0.05064")
    assert (
        mean_is_missed(lambda k: poisson_binomial_upper(errors=k, trials=2, delta="0.05"), means)
        == 0
    )


@pytest.mark.parametrize("delta", [Fraction(24, 100), TWENTIETH])
def test_unequal_means_are_covered(delta: Fraction) -> None:
    rng = random.Random(11)  # noqa: S311
    grid = [Fraction(i, 20) for i in range(21)]
    for trials in (2, 3, 5, 8):
        uppers = [
            poisson_binomial_upper(errors=k, trials=trials, delta=delta) for k in range(trials + 1)
        ]
        sets = itertools.product(grid, repeat=2) if trials == 2 else (
            tuple(rng.choice([grid, grid[:4], grid[-4:], grid[::20]])[i % 2] if rng.random() < 0.3
                  else rng.choice(grid) for i in range(trials)) for _ in range(300)
        )  # fmt: skip
        assert max(mean_is_missed(uppers.__getitem__, means) for means in sets) <= delta


def test_unequal_means_need_a_share_below_a_quarter() -> None:
    with pytest.raises(UsageError, match="below 1/4"):
        poisson_binomial_upper(errors=1, trials=10, delta=0.25)
    below = Fraction(1, 4) - Fraction(1, 10**30)
    assert poisson_binomial_upper(errors=1, trials=10, delta=below) < 0.5
    assert poisson_binomial_upper(errors=9, trials=10, delta=below) == 1.0
    assert poisson_binomial_upper(errors=8, trials=10, delta=below) < 1.0


@given(
    errors=st.integers(0, 400),
    others=st.integers(0, 400),
    delta=st.floats(1e-300, 0.999, exclude_min=True),
)
def test_monotone_and_above_the_observed_rate(errors: int, others: int, delta: float) -> None:
    trials = errors + others + 1
    value = binomial_upper(errors=errors, trials=trials, delta=delta)
    assert 0.0 < value <= 1.0
    assert value <= binomial_upper(errors=errors + 1, trials=trials, delta=delta)
    assert value >= binomial_upper(errors=errors, trials=trials + 1, delta=delta)
    assert value <= binomial_upper(errors=errors, trials=trials, delta=delta / 2)
    if delta <= 0.25:
        assert Fraction(value) >= Fraction(errors, trials)
    risk = Fraction(errors, trials)
    assert value <= chernoff_upper(risk=risk, draws=trials, delta=delta)


@given(trials=st.integers(1, 10**9), delta=st.floats(1e-300, 0.999))
def test_all_errors_give_one(trials: int, delta: float) -> None:
    assert binomial_upper(errors=trials, trials=trials, delta=delta) == 1.0


def test_a_delta_near_one_is_inverted_below_the_observed_rate() -> None:
    """The median of ten coins with four heads, and a delta that no one would choose."""
    for delta in (0.5, 0.9, 1 - 2**-53):
        value = binomial_upper(errors=4, trials=10, delta=delta)
        below = Fraction(math.nextafter(value, 0.0))
        assert exact_tail(4, 10, Fraction(value)) <= Fraction(delta) < exact_tail(4, 10, below)


def test_above_the_largest_size_chernoff_is_published() -> None:
    assert LARGEST_TRIALS == 10**10
    trials = LARGEST_TRIALS + 1
    value = binomial_upper(errors=1000, trials=trials, delta="0.05")
    risk = Fraction(1000, trials)
    assert value == chernoff_upper(risk=risk, draws=trials, delta="0.05")
    assert value > binomial_upper(errors=1000, trials=LARGEST_TRIALS, delta="0.05")


@pytest.mark.parametrize(
    ("errors", "trials", "delta"),
    [
        (-1, 10, 0.05), (11, 10, 0.05), (0, 0, 0.05), (1.0, 10, 0.05), (1, 10.0, 0.05),
        (True, 10, 0.05), (1, 10, 0), (1, 10, 1), (1, 10, math.nan), (1, 10, 5), (1, 10, "5%"),
    ],
)  # fmt: skip
def test_what_is_no_count_or_delta_is_refused(errors: int, trials: int, delta: float | str) -> None:
    for function in (binomial_upper, poisson_binomial_upper):
        with pytest.raises(UsageError):
            function(errors=errors, trials=trials, delta=delta)


@pytest.mark.parametrize(("risk", "draws", "delta"), [(1.5, 10, 0.1), (0, 0, 0.1), (0, 10, 1.0)])
def test_chernoff_refuses_what_is_outside_its_range(risk: float, draws: int, delta: float) -> None:
    with pytest.raises(UsageError):
        chernoff_upper(risk=risk, draws=draws, delta=delta)
