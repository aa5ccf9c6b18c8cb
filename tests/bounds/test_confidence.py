"""Shares of delta: exact, re-adding, never more than the whole."""

from dataclasses import FrozenInstanceError
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.bounds import Confidence
from pacbayes.errors import UsageError


def test_default_shares() -> None:
    confidence = Confidence("0.05")
    assert confidence.delta == Fraction(1, 20)
    assert confidence.shares == (("theorem", Fraction(9, 200)), ("draws", Fraction(1, 200)))
    assert (confidence.theorem, confidence.draws) == (Fraction(9, 200), Fraction(1, 200))


def test_a_string_is_what_it_says_and_a_float_is_its_double() -> None:
    exact = Fraction(1, 20)
    assert Confidence("0.05") == Confidence("1/20") == Confidence(exact)
    assert Confidence(Decimal("0.05")).delta == exact
    assert Confidence(0.05).delta == Fraction(0.05) != exact


@given(delta=st.floats(1e-300, 0.999), rows=st.integers(1, 1000))
def test_shares_and_rows_add_up_again(delta: float, rows: int) -> None:
    whole = Confidence(delta)
    assert sum(share for _, share in whole.shares) == whole.delta
    part = whole.split(rows)
    assert part.delta * rows == whole.delta
    assert part.theorem * rows == whole.theorem
    assert part.draws * rows == whole.draws


@pytest.mark.parametrize("parts", [7, 11, 100])
def test_equal_shares_that_floats_add_up_to_more(parts: int) -> None:
    """Seven times 0.05 / 7 is more than 0.05 in floats; eleven and a hundred times as well."""
    assert sum([0.05 / parts] * parts) > 0.05
    shares = {f"event {i}": Fraction(1, 20 * parts) for i in range(parts)}
    confidence = Confidence("0.05", shares=shares)
    assert sum(share for _, share in confidence.shares) == confidence.delta


def test_shares_may_leave_some_of_delta_but_not_exceed_it() -> None:
    assert Confidence("0.05", shares={"theorem": "0.04"}).theorem == Fraction(1, 25)
    tiny = Fraction(1, 10**30)
    with pytest.raises(UsageError, match="more than delta"):
        Confidence("0.05", shares={"theorem": "0.04", "draws": Fraction(1, 100) + tiny})


@pytest.mark.parametrize(
    "delta", [0, 1, 5, -0.05, float("nan"), float("inf"), "", "5%", None, True]
)
def test_a_delta_that_is_none_is_refused(delta: float | str | None) -> None:
    with pytest.raises(UsageError, match="delta"):
        Confidence(delta)  # type: ignore[arg-type]


def test_a_share_must_be_a_probability() -> None:
    for share in (0, -0.01, 1):
        with pytest.raises(UsageError, match="share of theorem"):
            Confidence("0.05", shares={"theorem": share})


def test_the_draws_get_less_than_a_quarter() -> None:
    Confidence("0.5", shares={"draws": Fraction(1, 4) - Fraction(1, 10**30)})
    with pytest.raises(UsageError, match="below 1/4"):
        Confidence("0.5", shares={"draws": "0.25"})


def test_a_purpose_without_share_is_named() -> None:
    with pytest.raises(UsageError, match=r"no share for 'draws'; it has theorem"):
        _ = Confidence("0.05", shares={"theorem": "0.05"}).draws
    with pytest.raises(UsageError, match="it has none"):
        _ = Confidence("0.05", shares={}).theorem


def test_rows_are_counted() -> None:
    for rows in (0, -1, 1.0, True):
        with pytest.raises(UsageError, match="rows"):
            Confidence("0.05").split(rows)  # type: ignore[arg-type]


def test_it_cannot_be_changed() -> None:
    confidence = Confidence("0.05")
    with pytest.raises(FrozenInstanceError):
        confidence.delta = Fraction(1, 2)  # type: ignore[misc]
    assert hash(confidence) == hash(Confidence("1/20"))
