"""Numbers are taken exactly, or refused in one line."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.bounds.inputs import amount, count, exact, finite, probability, proper, union_weight
from pacbayes.errors import UsageError


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.fractions()))
def test_numbers_are_taken_exactly(value: float | int | Fraction) -> None:
    assert Fraction(exact("x", value)) == Fraction(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.05", Fraction(1, 20)), ("1/20", Fraction(1, 20)), ("+5.e-2", Fraction(1, 20)),
        (".05", Fraction(1, 20)), ("5E-0002", Fraction(1, 20)), ("-3/4", Fraction(-3, 4)),
        ("007", Fraction(7)), ("1e9999", Fraction(10**9999)),
    ],
)  # fmt: skip
def test_strings_are_what_they_say(text: str, value: Fraction) -> None:
    assert Fraction(exact("x", text)) == value


def test_a_thousand_characters_are_not_too_many() -> None:
    assert exact("x", "0" * 999 + "7") == 7
    assert exact("x", "0" * 997 + "7/2") == Fraction(7, 2)


def test_numbers_of_numpy_are_numbers() -> None:
    assert exact("x", np.float64(0.1)) == Decimal.from_float(0.1)
    assert exact("x", np.int64(3)) == 3  # type: ignore[arg-type]
    assert count("n", np.int32(3)) == 3


@pytest.mark.parametrize(
    "value",
    [
        "", " 1", "1 ", "1\n", "1_000", "0x10", "1,5", "5%", "nan", "inf", "Infinity", "1/0", "1/",
        "1e100000", "1e10000", "9" * 1001, "1/" + "9" * 1000, "\u0661", "--1", "e5", ".", None,
        True, [], 1j, b"1", math.nan, Decimal("nan"), Decimal("snan"), Decimal("1e-10000"),
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_everything_else_is_refused_in_one_short_line(value: Any) -> None:
    with pytest.raises(UsageError, match="weight of it") as caught:
        exact("weight of it", value)
    message = str(caught.value)
    assert len(message) < 150
    assert message.isprintable()


def test_ranges_include_their_ends_or_not() -> None:
    assert (probability("x", 0), probability("x", 1), amount("x", 0)) == (0, 1, 0)
    assert union_weight(1) == 1
    assert amount("x", math.inf) == Decimal("Infinity")
    for check, value in ((proper, 0), (proper, 1), (probability, 1.0000001), (amount, -1e-300)):
        with pytest.raises(UsageError, match="x must"):
            check("x", value)
    for weight in (0, Fraction(10**18 + 1, 10**18), math.inf):
        with pytest.raises(UsageError, match="weight"):
            union_weight(weight)


def test_counts_are_integers() -> None:
    assert count("n", 0) == 0
    for value in (60000.0, "3", None, True, -1):
        with pytest.raises(UsageError, match="n must be an integer"):
            count("n", value)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 1"):
        count("n", 0, least=1)


def test_sums_are_finite() -> None:
    assert finite("x", 0.5) == Decimal("0.5")
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(UsageError, match="x must be finite"):
            finite("x", value)
