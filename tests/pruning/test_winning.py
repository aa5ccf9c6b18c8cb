"""Winning and matching, by hand."""

import pytest

from pacbayes.errors import UsageError
from pacbayes.pruning import compare_risks


def test_by_hand() -> None:
    found = compare_risks([0.020, 0.024, 0.025], [0.021, 0.022, 0.023], tolerance=0.001)
    # Differences -0.001, 0.002, 0.002: mean 0.001, variance 3e-6, standard error 1e-3.
    assert found.difference == pytest.approx(0.001, rel=1e-9)
    assert found.standard_error == pytest.approx(0.001, rel=1e-9)
    assert found.seeds == 3
    assert (found.ticket, found.dense) == pytest.approx((0.023, 0.022), rel=1e-9)


def test_tolerance_decides() -> None:
    tickets, dense = [0.5, 0.25], [0.25, 0.25]
    assert not compare_risks(tickets, dense).holds
    assert not compare_risks(tickets, dense, tolerance=0.12).holds
    found = compare_risks(tickets, dense, tolerance=0.125)
    assert found.holds
    assert found.margin == 0


def test_the_word_depends_on_the_rewind_point() -> None:
    good, bad = compare_risks([0.25], [0.25]), compare_risks([0.5], [0.25])
    assert [good.word("init"), good.word(500), bad.word("init")] == [
        "winning",
        "matching",
        "neither",
    ]


def test_one_seed_has_no_standard_error() -> None:
    assert compare_risks([0.25], [0.5]).standard_error is None


@pytest.mark.parametrize(
    ("tickets", "dense", "tolerance"),
    [
        ([], [], 0.0),
        ([0.1], [0.1, 0.2], 0.0),
        ([1.1], [0.1], 0.0),
        ([float("nan")], [0.1], 0.0),
        ([0.1], [0.1], -0.1),
        ([0.1], [0.1], float("nan")),
    ],
)
def test_impossible_comparisons_are_refused(
    tickets: list[float], dense: list[float], tolerance: float
) -> None:
    with pytest.raises(UsageError):
        compare_risks(tickets, dense, tolerance=tolerance)
