"""The primitives: each errs in its direction, by little."""

import math
import random
from collections.abc import Iterator
from decimal import Context, Decimal
from fractions import Fraction

import flint
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.bounds import factorial
from pacbayes.bounds.directed import DOWN, UP, end, exp, ln, log1p, log_inverse, sqrt
from pacbayes.bounds.doubles import decimal_up, double_up, smallest_double, text_up
from pacbayes.bounds.factorial import ln_choose, ln_factorial
from pacbayes.errors import UsageError
from tests.bounds.oracle import ball, decided


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with flint.ctx.workprec(1500):
        yield


def require_enclosed(low: Decimal, high: Decimal, truth: arb, width: str = "1e-46") -> None:
    """The truth lies between, and both ends are near it."""
    below, above = ball(Fraction(low)), ball(Fraction(high))
    assert decided(truth - below)
    assert decided(above - truth)
    assert decided(abs(truth) * ball(width) - (above - below))


def numbers(seed: int, low: float, high: float) -> list[Decimal]:
    rng = random.Random(seed)  # noqa: S311
    return [Decimal(10 ** rng.uniform(low, high)) for _ in range(200)]


def test_logarithms() -> None:
    for x in numbers(1, -300, 300):
        require_enclosed(ln(DOWN, x), ln(UP, x), ball(Fraction(x)).log())
    assert ln(DOWN, Decimal(1)) == ln(UP, Decimal(1)) == 0


def test_logarithms_near_one_keep_relative_precision() -> None:
    for x in [*numbers(2, -300, 300), *numbers(3, -14, -10), Decimal("1e-12")]:
        truth = ball(Fraction(x)).log1p()
        require_enclosed(log1p(DOWN, x), log1p(UP, x), truth)
    assert log1p(DOWN, Decimal(0)) == log1p(UP, Decimal(0)) == 0


def test_exponentials_and_roots() -> None:
    for x in numbers(4, -20, 2):
        negative = x.copy_negate()
        require_enclosed(exp(DOWN, negative), exp(UP, negative), ball(Fraction(negative)).exp())
        require_enclosed(sqrt(DOWN, x), sqrt(UP, x), ball(Fraction(x)).sqrt())
    zero = Decimal(0)
    assert exp(DOWN, zero) == exp(UP, zero) == 1
    assert sqrt(DOWN, zero) == sqrt(UP, zero) == 0
    assert exp(DOWN, Decimal("-1e30")) == 0 < exp(UP, Decimal("-1e30"))


def test_logarithms_of_inverses() -> None:
    for share in (
        Fraction(1, 3),
        Fraction(1, 20),
        Fraction(1, 256**50),
        Fraction(10**40, 10**40 + 1),
    ):
        low, high = log_inverse(DOWN, share), log_inverse(UP, share)
        require_enclosed(low, high, -ball(share).log(), "1e-15")
    assert log_inverse(UP, Fraction(1)) == 0


@given(st.fractions())
def test_ends_of_fractions(x: Fraction) -> None:
    assert Fraction(end(DOWN, x)) <= x <= Fraction(end(UP, x))


@pytest.mark.parametrize("m", [0, 1, 2, 10, 127, 128, 129, 200, 1000, 10**6, 10**9, 10**12])
def test_factorials_on_both_sides_of_the_series(m: int) -> None:
    low, high = ln_factorial(DOWN, m), ln_factorial(UP, m)
    truth = arb(m + 1).lgamma()
    assert decided(truth - ball(Fraction(low)))
    assert decided(ball(Fraction(high)) - truth)
    assert high - low < Decimal("1e-32") * (1 + abs(low) / 10**15)


def test_each_end_of_a_factorial_takes_its_own_end_of_two_pi(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(factorial, "TWO_PI_DOWN", Decimal(6))
    monkeypatch.setattr(factorial, "TWO_PI_UP", Decimal(7))
    truth = arb(1001).lgamma()
    assert decided(truth - ball(Fraction(ln_factorial(DOWN, 1000))))
    assert decided(ball(Fraction(ln_factorial(UP, 1000))) - truth)


@pytest.mark.parametrize("to", [DOWN, UP])
def test_binomial_coefficients(to: Context) -> None:
    sign = 1 if to is UP else -1
    for n, k in ((5, 2), (300, 150), (1000, 1), (1000, 999)):
        excess = ball(Fraction(ln_choose(to, n, k))) - ball(math.comb(n, k)).log()
        assert decided(sign * excess)
        assert decided(ball("1e-31") - abs(excess))
    assert ln_choose(to, 9, 0) == ln_choose(to, 9, 9) == 0


# --- doubles and text


@given(st.fractions(min_value=0, max_value=2))
def test_the_smallest_double_above_a_decimal(x: Fraction) -> None:
    decimal = end(UP, x)
    value = double_up(decimal)
    assert Decimal(value) >= decimal
    assert value == 0.0 or Decimal(math.nextafter(value, 0.0)) < decimal


@given(st.floats(0.0, allow_infinity=False), st.integers(1, 30))
def test_text_is_never_below_the_double(x: float, digits: int) -> None:
    text = decimal_up(x, digits)
    assert Decimal(text) >= Decimal(x)
    assert len(Decimal(text).as_tuple().digits) <= max(digits, 41)
    assert Fraction(text) <= Fraction(x) * (1 + Fraction(10, 10**digits))


@pytest.mark.parametrize(
    ("x", "digits", "text"),
    [
        (0.0, 17, "0"), (-0.0, 17, "0"), (1.0, 17, "1"), (0.5, 17, "0.5"), (120.0, 17, "120"),
        (0.123449999, 4, "0.1235"), (0.20004, 4, "0.2001"), (0.99999, 3, "1"),
        (0.046515921067767685, 17, "0.046515921067767683"),  # repr is 2.1e-18 lower than the double
        (1e-20, 3, "0.00000000000000000001"), (2.0**-70, 3, "8.48E-22"), (1e300, 3, "1.01E+300"),
        (1e12, 17, "1000000000000"), (math.nextafter(1.0, 0.0), 17, "0.99999999999999989"),
    ],
)  # fmt: skip
def test_the_canonical_form(x: float, digits: int, text: str) -> None:
    assert decimal_up(x, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.12345678901234567891", "0.12345678901234568"),  # 17 digits, unless told otherwise
        ("1e-20", "0.00000000000000000001"), ("1e-21", "1E-21"),
        ("1e40", "1" + 40 * "0"), ("1e41", "1E+41"),
    ],
)  # fmt: skip
def test_decimals_of_any_size(value: str, text: str) -> None:
    assert text_up(Decimal(value)) == text


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf, -1e-300])
def test_what_is_not_written(x: float) -> None:
    with pytest.raises(UsageError):
        decimal_up(x)


@given(threshold=st.floats(0.0, 1.0), start=st.floats(0.0, 1.0))
def test_the_search_finds_the_threshold_from_anywhere(threshold: float, start: float) -> None:
    asked = []

    def accepts(p: float) -> bool:
        asked.append(p)
        assert 0 <= p < 1
        assert len(asked) <= 130
        return p >= threshold

    assert smallest_double(accepts, start) == threshold


def test_a_good_start_costs_two_questions() -> None:
    asked = []
    assert smallest_double(lambda p: bool(asked.append(p)) or p >= 0.3, 0.3) == 0.3
    assert len(asked) == 2


def test_one_is_not_asked_for_where_it_is_the_start() -> None:
    """A proof may break down at one itself and hold below: one is accepted in any case."""
    assert smallest_double(lambda p: 0.3 <= p < 1, 1.0) == 0.3


def test_zero_is_found_from_its_neighbour() -> None:
    def accepts(p: float) -> bool:
        assert 0 <= p < 1  # so it is not NaN, which the bits below those of zero are
        return True

    assert smallest_double(accepts, 5e-324) == 0.0
