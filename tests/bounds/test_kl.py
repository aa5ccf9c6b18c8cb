"""The binary kl and its inverse: laws, edges, speed of search, indifference to surroundings."""

import decimal
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pacbayes.bounds import binary_kl, binary_kl_lower, binary_kl_upper, kl_inverse_upper
from pacbayes.errors import UsageError
from tests.bounds import oracle

probabilities = st.floats(0.0, 1.0)
nats = st.one_of(st.floats(0.0, 2.0), st.floats(0.0, 1e300))


@given(q=probabilities, p=probabilities)
@example(q=5e-324, p=1.0 - 2**-53)
@example(q=1.0, p=5e-324)
@example(q=0.5, p=0.5 + 2**-53)
def test_lower_and_upper_enclose_the_truth(q: float, p: float) -> None:
    low, high = binary_kl_lower(q=q, p=p), binary_kl_upper(q=q, p=p)
    assert 0 <= low <= high
    assert high == 0 or low == math.inf or high / low - 1 < Decimal("1e-20")
    if 0 < p < 1 and p != q:
        with oracle.flint.ctx.workprec(5000):
            truth = oracle.kl(Fraction(q), Fraction(p))
            assert oracle.decided(truth - oracle.ball(Fraction(low)))
            assert oracle.decided(oracle.ball(Fraction(high)) - truth)


@given(q=st.floats(1e-15, 1.0), p=st.floats(1e-15, 1.0))
def test_kl_is_the_same_for_the_other_side_of_the_coin(q: float, p: float) -> None:
    left = binary_kl(q=q, p=p)
    right = binary_kl(q=1 - Fraction(q), p=1 - Fraction(p))
    assert left == pytest.approx(right, rel=1e-15, abs=0)


def test_kl_at_the_ends() -> None:
    assert binary_kl(q=0, p=0) == binary_kl(q=1, p=1) == binary_kl(q="1/3", p="1/3") == 0.0
    assert binary_kl(q=0.5, p=0) == binary_kl(q=0.5, p=1) == math.inf
    assert binary_kl(q=1, p=0) == binary_kl(q=0, p=1) == math.inf
    assert binary_kl(q=0, p=0.5) == binary_kl(q=1, p=0.5) == 0.6931471805599454  # ln 2, up


def test_fractions_that_no_decimal_can_hold_are_enclosed() -> None:
    """kl(1/3, 2/3) = ln(2) / 3 = 0.23104906018664843..."""
    with oracle.flint.ctx.workprec(oracle.PRECISION):
        truth = oracle.ball(2).log() / 3
        for q, p in (("1/3", "2/3"), ("2/3", "1/3")):
            low, high = binary_kl_lower(q=q, p=p), binary_kl_upper(q=q, p=p)
            assert oracle.decided(truth - oracle.ball(Fraction(low)))
            assert oracle.decided(oracle.ball(Fraction(high)) - truth)
            assert high < low * (1 + Decimal("1e-40"))
    assert binary_kl_lower(q="1/3", p=Fraction(1, 3) + Fraction(1, 10**80)) == 0


@given(q=probabilities, c=nats, more=nats)
def test_the_inverse_grows_with_both_arguments(q: float, c: float, more: float) -> None:
    value = kl_inverse_upper(q=q, c=c)
    assert q <= value <= 1.0
    assert value <= kl_inverse_upper(q=q, c=c + more)
    assert value <= kl_inverse_upper(q=(1.0 + q) / 2, c=c)


@given(q=probabilities, c=st.floats(0.0, 2.0))
def test_the_inverse_is_never_above_pinskers(q: float, c: float) -> None:
    pinsker = q + math.sqrt(c / 2)
    assert kl_inverse_upper(q=q, c=c) <= pinsker * (1 + 2**-50) + 1e-323


@given(q=probabilities, p=probabilities)
def test_the_inverse_takes_kl_back(q: float, p: float) -> None:
    """The float kl is rounded up, so that it may inflate the result, by 1e-15 of the gap."""
    if q < p < 1.0:
        value = kl_inverse_upper(q=q, c=binary_kl_lower(q=q, p=p))
        assert value == p
        assert kl_inverse_upper(q=q, c=binary_kl(q=q, p=p)) >= p


@pytest.mark.parametrize("q", [0, 0.0, -0.0, 1e-300, 0.1, "0.3", Fraction(1, 3), 1 - 2**-53, 1])
def test_no_nats_give_the_smallest_double_from_the_risk_on(q: float | Fraction | str) -> None:
    value = kl_inverse_upper(q=q, c=0)
    exact = Fraction(q)
    assert Fraction(value) >= exact
    assert value == 0.0 or Fraction(math.nextafter(value, 0.0)) < exact
    assert math.copysign(1.0, value) == 1.0


@pytest.mark.parametrize("c", [math.inf, 1e308, 10**400, "1e4000", Decimal("Infinity")])
@pytest.mark.parametrize("q", [0.0, 1e-300, 0.5, 1.0])
def test_vacuous_is_exactly_one(q: float, c: float) -> None:
    assert kl_inverse_upper(q=q, c=c) == 1.0


def test_nats_below_the_smallest_double_still_count() -> None:
    assert kl_inverse_upper(q=0, c="1e-400") == 5e-324
    assert kl_inverse_upper(q=0.25, c="1e-400") == math.nextafter(0.25, 1.0)


def test_risks_within_an_ulp_of_one() -> None:
    assert kl_inverse_upper(q=1 - Fraction(1, 10**30), c=0) == 1.0
    assert kl_inverse_upper(q=1 - Fraction(1, 10**80), c=1) == 1.0
    below_one = 1 - 2**-53
    assert kl_inverse_upper(q=below_one, c=1e-20) == 1.0


def test_without_errors_the_inverse_is_a_geometric_sum() -> None:
    """kl(0, p) = -ln(1 - p), so that ln 2 gives 1/2."""
    assert kl_inverse_upper(q=0, c="0.69314718055994530941723212145817656807550013436025") == 0.5
    assert kl_inverse_upper(q=0, c="0.6931471805599453095") == math.nextafter(0.5, 1.0)


def test_a_foreign_decimal_context_changes_nothing() -> None:
    expected = kl_inverse_upper(q="0.02", c=0.01), binary_kl(q=0.1, p="0.2")
    hostile = decimal.Context(prec=2, rounding=decimal.ROUND_DOWN, Emin=-3, Emax=3)
    hostile.traps = dict.fromkeys(hostile.traps, True)
    with decimal.localcontext(hostile):
        found = kl_inverse_upper(q="0.02", c=0.01), binary_kl(q=0.1, p="0.2")
    assert found == expected


@pytest.mark.parametrize(("q", "p"), [(math.nan, 0.5), (0.5, math.nan), (1.1, 0.5), (0.5, -0.1)])
def test_what_is_no_probability_is_refused(q: float, p: float) -> None:
    for function in (binary_kl, binary_kl_lower, binary_kl_upper):
        with pytest.raises(UsageError):
            function(q=q, p=p)
