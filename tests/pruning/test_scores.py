"""Scores against formulas written out slowly, and their limits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.pruning.scores import SCORES, ScoreName, scores_of
from pacbayes.tickets import Mask

SIZES = st.lists(st.floats(0, 100, width=32), min_size=1, max_size=12)


def scored(name: ScoreName, values: list[float], kept: list[bool] | None = None) -> list[float]:
    mask = Mask({"w": torch.tensor(kept or [True] * len(values))})
    weights = {"w": torch.tensor(values)}
    found = scores_of(name, weights, mask, generator=torch.Generator().manual_seed(0))
    return [float(value) for value in found["w"]]


def slow(name: ScoreName, sizes: list[float]) -> list[float]:
    """The formula of the paper, one weight at a time; lamp's ties go by position."""
    squares = [size**2 for size in sizes]
    low, high = min(sizes), max(sizes)
    powers = [math.exp(size - high) for size in sizes]
    tails = [sum(_at_least(squares, place)) for place in range(len(sizes))]
    return {
        "magnitude": sizes,
        "largest": [-size for size in sizes],
        "l1": [_ratio(size, sum(sizes)) for size in sizes],
        "l2": [_ratio(square, sum(squares)) for square in squares],
        "lamp": [_ratio(square, tail) for square, tail in zip(squares, tails, strict=True)],
        "softmax": [power / sum(powers) for power in powers],
        "min-max": [(s - low) / (high - low) if high > low else 1.0 for s in sizes],
    }[name]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _at_least(squares: list[float], place: int) -> list[float]:
    return [other for i, other in enumerate(squares) if (other, i) >= (squares[place], place)]


@pytest.mark.parametrize("name", [name for name in SCORES if name != "random"])
@given(sizes=SIZES)
def test_a_score_is_its_formula(name: ScoreName, sizes: list[float]) -> None:
    # A dozen float64 terms: each sum and quotient is good to far better than 1e-12.
    assert scored(name, sizes) == pytest.approx(slow(name, sizes), rel=1e-12, abs=1e-300)


def test_by_hand() -> None:
    weights = [-3.0, 1.0, 0.0, 4.0]
    assert scored("magnitude", weights) == [3, 1, 0, 4]
    assert scored("l1", weights) == [3 / 8, 1 / 8, 0, 1 / 2]
    assert scored("l2", weights) == pytest.approx([9 / 26, 1 / 26, 0, 16 / 26], rel=1e-15)
    assert scored("lamp", weights) == pytest.approx([9 / 25, 1 / 26, 0, 1], rel=1e-15)
    assert scored("min-max", weights) == [3 / 4, 1 / 4, 0, 1]
    assert scored("largest", weights) == [-3, -1, 0, -4]


@pytest.mark.parametrize("name", SCORES)
def test_removed_weights_neither_count_nor_score(name: ScoreName) -> None:
    kept = [True, False, True, False]
    whole = scored(name, [1.0, 7.0, 2.0, 9.0], kept)
    assert [whole[0], whole[2]] == scored(name, [1.0, 2.0])
    assert [whole[1], whole[3]] == [0, 0]


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("values", [[0.0, 0.0], [5.0], [2.0, 2.0, 2.0], [1e30, 1e-30]])
def test_scores_are_finite(name: ScoreName, values: list[float]) -> None:
    assert all(math.isfinite(score) for score in scored(name, values))


@pytest.mark.parametrize("name", SCORES)
def test_a_tensor_of_which_nothing_is_left_scores_zero(name: ScoreName) -> None:
    assert scored(name, [3.0, 4.0], [False, False]) == [0, 0]


@pytest.mark.parametrize("name", ["magnitude", "l1", "l2", "lamp", "softmax", "min-max"])
@given(sizes=SIZES)
def test_inside_a_tensor_all_scores_agree_with_magnitude(
    name: ScoreName, sizes: list[float]
) -> None:
    scores = scored(name, sizes)
    pairs = [(a, b) for a in range(len(sizes)) for b in range(len(sizes)) if sizes[a] < sizes[b]]
    assert all(scores[a] <= scores[b] for a, b in pairs)


def test_random_scores_come_from_the_generator_alone() -> None:
    assert scored("random", [1.0, 2.0, 3.0]) == scored("random", [9.0, 0.0, 4.0])
