"""Nats added up: float sums inflated, decimal strings added exactly, prices of masks."""

import itertools
import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.bounds import (
    add_upper,
    count_prior_upper,
    entropy_price_upper,
    log_binomial_upper,
    sum_upper,
)
from pacbayes.errors import UsageError
from tests.bounds import oracle

U = Fraction(1, 2**53)


def test_the_inflation_is_the_stated_one() -> None:
    """(3 + 4u * 5)(1 + 220u), rounded up at the 17th digit: 1.1e-16 * 680 = 7.5e-14."""
    truth = (3 + 20 * U) * (1 + 220 * U)
    found = Fraction(sum_upper(total=3.0, absolute=5.0, count=100))
    assert truth <= found < truth + Fraction(1, 10**16)


@given(st.lists(st.floats(0.0, 1e9), max_size=200), st.randoms())
def test_any_order_of_adding_is_covered(terms: list[float], rng: random.Random) -> None:
    truth = sum(map(Fraction, terms), start=Fraction(0))
    rng.shuffle(terms)
    backwards = 0.0
    for term in terms:
        backwards = term + backwards
    found = Fraction(sum_upper(total=backwards, absolute=0.0, count=len(terms)))
    assert truth <= found <= truth * (1 + Fraction(len(terms) + 20, 10**15))


def test_tiny_scale_changes_are_covered() -> None:
    """x - log1p(x) loses 9 digits at x = 1e-7; the cancelled magnitudes make up for it."""
    rng = random.Random(5)  # noqa: S311
    shifts = [rng.uniform(-1e-6, 1e-6) for _ in range(2000)]
    terms = [0.5 * (x - math.log1p(x)) for x in shifts]
    absolute = math.fsum(map(abs, shifts))
    with oracle.flint.ctx.workprec(oracle.PRECISION):
        truth = sum((oracle.ball(x) - (1 + oracle.ball(x)).log()) / 2 for x in shifts)
        found = sum_upper(total=sum(terms), absolute=absolute, count=len(terms))
        excess = oracle.ball(found) - truth
        assert oracle.decided(excess)
        assert oracle.decided(5 * oracle.ball(U) * oracle.ball(absolute) - excess)


def test_a_sum_that_rounding_made_negative_is_an_upper_value_of_zero() -> None:
    assert Fraction(sum_upper(total=-1e-17, absolute=1.0, count=3)) > 0


@pytest.mark.parametrize(
    ("total", "absolute", "count"),
    [
        (-1.0, 0.0, 1), (-1e-17, 0.0, 1), (math.nan, 0.0, 1), (math.inf, 0.0, 1),
        (1.0, -1.0, 1), (1.0, math.nan, 1), (1.0, math.inf, 1), (1.0, 0.0, -1), (1.0, 0.0, 1.0),
    ],
)  # fmt: skip
def test_no_sum_of_nats(total: float, absolute: float, count: int) -> None:
    with pytest.raises(UsageError):
        sum_upper(total=total, absolute=absolute, count=count)


def test_strings_are_added_exactly_and_rounded_up_once() -> None:
    assert add_upper([]) == "0"
    assert add_upper(["0.1"] * 10) == "1"
    assert add_upper(["1", "1e-30"]) == "1.0000000000000001"
    assert add_upper(["1e-30"] * 3) == "3E-30"
    assert add_upper(iter(["12345678901234567890", "1"])) == "12345678901234568000"
    assert add_upper(["1/3", "2/3", 0.5, 2]) == "3.5"


@pytest.mark.parametrize("item", ["-1", "x", "inf", math.nan, math.inf])
def test_what_is_no_amount_is_not_added(item: str | float) -> None:
    with pytest.raises(UsageError, match="amount"):
        add_upper(["1", item])


def test_small_masks_against_exact_integers() -> None:
    with oracle.flint.ctx.workprec(oracle.PRECISION):
        for n, k in itertools.combinations_with_replacement(range(0, 131, 10), 2):
            kept, total = n, k
            masks = math.comb(total, kept)
            for found, count in (
                (log_binomial_upper(total, kept), masks),
                (count_prior_upper(total, kept), masks * (total + 1)),
            ):
                excess = oracle.ball(found) - oracle.ball(count).log()
                assert oracle.decided(excess)
                assert oracle.decided(oracle.ball(found) * oracle.ball("1e-16") - excess)


@pytest.mark.parametrize(("n", "k"), [(266200, 26620), (10**9, 10**8), (10**9, 3), (11_000_000, 1)])
def test_large_masks_against_arb(n: int, k: int) -> None:
    with oracle.flint.ctx.workprec(oracle.PRECISION):
        gamma = [oracle.flint.arb(m + 1).lgamma() for m in (n, k, n - k)]
        truth = gamma[0] - gamma[1] - gamma[2]
        found = oracle.ball(log_binomial_upper(n, k))
        assert oracle.decided(found - truth)
        assert oracle.decided(truth * oracle.ball("1e-16") - (found - truth))


def test_the_prior_over_masks_is_a_probability() -> None:
    """The masses exp(-nats) of all masks of 16 entries add up to at most 1, and nearly so."""
    total = math.fsum(
        math.comb(16, k) * math.exp(-float(count_prior_upper(16, k))) for k in range(17)
    )
    assert 1 - 1e-13 < total <= 1 + 1e-15


@given(n=st.integers(0, 10**6), data=st.data())
def test_counting_costs_at_most_one_density_more_than_entropy(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    counted = float(count_prior_upper(n, k))
    assert counted >= float(log_binomial_upper(n, k))
    if 0 < k < n:
        entropy = float(entropy_price_upper(n, k, density=Fraction(k, n)))
        assert counted <= (entropy + math.log(n + 1)) * (1 + 1e-14)
        assert entropy <= float(entropy_price_upper(n, k, density="1/2")) * (1 + 1e-14)


def test_empty_and_full_masks() -> None:
    assert log_binomial_upper(0, 0) == log_binomial_upper(7, 0) == log_binomial_upper(7, 7) == "0"
    assert count_prior_upper(0, 0) == "0"
    assert entropy_price_upper(0, 0, density=0.5) == "0"


@pytest.mark.parametrize(("n", "k"), [(3, 4), (-1, 0), (3, -1), (3.0, 1), (True, 1)])
def test_what_is_no_mask_is_refused(n: int, k: int) -> None:
    for price in (log_binomial_upper, count_prior_upper):
        with pytest.raises(UsageError):
            price(n, k)
    with pytest.raises(UsageError):
        entropy_price_upper(n, k, density=0.5)


@pytest.mark.parametrize("density", [0, 1, -1, math.nan])
def test_a_density_is_strictly_between_none_and_all(density: float) -> None:
    with pytest.raises(UsageError, match="density"):
        entropy_price_upper(10, 5, density=density)
