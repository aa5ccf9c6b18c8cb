"""Verdicts follow from intervals alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.errors import UsageError
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.verdicts import Claim, Rule, above, below, between, combined, judge

NUMBERS = st.floats(-10, 10)


def interval(name: str, low: float, high: float) -> Measurement:
    middle = low if math.isinf(high) else high if math.isinf(low) else 0.5 * (low + high)
    value = 0.0 if math.isinf(middle) else middle
    return Measurement(name=name, value=value, low=low, high=high, how="given")


def claim(*rules: Rule) -> Claim:
    return Claim(key="k", text="t", source="s", rules=rules)


@pytest.mark.parametrize(
    ("rule", "low", "high", "outcome"),
    [
        (above("x", 0), 0.1, 0.2, "reproduced"),
        (above("x", 0), -0.2, -0.1, "not reproduced"),
        (above("x", 0), -0.1, 0.1, "inconclusive"),
        (above("x", 0), 0.0, 0.0, "not reproduced"),  # exactly zero is not above zero
        (above("x", 0), 0.0, 0.1, "inconclusive"),
        (below("x", 1), 0.0, 0.0, "reproduced"),
        (below("x", 1), 1.0, 1.0, "not reproduced"),
        (between("x", -1, 1), -0.5, 0.5, "reproduced"),
        (between("x", -1, 1), 0.5, 1.5, "inconclusive"),
        (between("x", -1, 1), -2.0, 2.0, "inconclusive"),
        (between("x", -1, 1), 1.5, 2.5, "not reproduced"),
        (above("x", 0), -math.inf, math.inf, "inconclusive"),
    ],
)
def test_an_interval_decides(rule: Rule, low: float, high: float, outcome: str) -> None:
    assert rule.judge(interval("x", low, high)) == outcome


@given(st.lists(NUMBERS, min_size=2, max_size=2).map(sorted), NUMBERS)
def test_a_rule_and_its_opposite_never_both_hold(ends: list[float], limit: float) -> None:
    found = interval("x", ends[0], ends[1])
    outcomes = {above("x", limit).judge(found), below("x", limit).judge(found)}
    assert outcomes in (
        {"reproduced", "not reproduced"},
        {"inconclusive"},
        {"inconclusive", "not reproduced"},  # the interval ends exactly at the limit
        {"not reproduced"},  # it is the limit itself
    )


def test_all_rules_must_hold() -> None:
    found = [interval("x", 1, 2), interval("y", -1, 1), interval("z", -2, -1)]
    assert judge(claim(above("x", 0)), found).outcome == "reproduced"
    assert judge(claim(above("x", 0), above("y", 0)), found).outcome == "inconclusive"
    assert judge(claim(above("y", 0), above("z", 0)), found).outcome == "not reproduced"
    assert combined(["reproduced"]) == "reproduced"


def test_the_verdict_shows_the_rule_and_what_it_rests_on() -> None:
    shown = judge(claim(above("x", 0), below("y", 2)), [interval("y", -1, 1), interval("x", 1, 2)])
    assert shown.to_json()["rule"] == "`x` lies above 0 and `y` lies below 2"
    assert [m["name"] for m in shown.to_json()["measurements"]] == ["x", "y"]


def test_a_rule_without_its_measurement_is_refused() -> None:
    with pytest.raises(UsageError, match="nobody measured"):
        judge(claim(above("x", 0)), [interval("y", 0, 1)])
    with pytest.raises(UsageError, match="twice"):
        judge(claim(above("x", 0)), [interval("x", 0, 1), interval("x", 0, 1)])
    with pytest.raises(UsageError, match="no rule"):
        claim()
    with pytest.raises(UsageError, match="nothing lies between"):
        between("x", 1, 1)
