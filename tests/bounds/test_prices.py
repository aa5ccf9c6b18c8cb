"""Prices: sums of prior masses, exact integers, refusals."""

import math
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import flint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacbayes import bounds
from pacbayes.errors import UsageError
from tests.bounds import oracle


def mass(nats: str) -> float:
    return math.exp(-float(nats))


def test_one_choice_is_the_default() -> None:
    assert bounds.grid_price_upper(20) == bounds.grid_price_upper(20, choices=1)


@given(size=st.integers(1, 10**9), choices=st.integers(0, 1000))
def test_grids(size: int, choices: int) -> None:
    with flint.ctx.workprec(oracle.PRECISION):
        found = oracle.ball(bounds.grid_price_upper(size, choices=choices))
        truth = choices * oracle.ball(size).log()
        assert oracle.decided(found - truth)
        assert oracle.decided(truth * (1 + oracle.ball("1e-16")) - found)


@given(indices=st.lists(st.integers(1, 10**9), max_size=5))
def test_infinite_grids(indices: list[int]) -> None:
    with flint.ctx.workprec(oracle.PRECISION):
        found = oracle.ball(bounds.infinite_grid_price_upper(indices))
        truth = flint.arb(0)
        for j in indices:
            term = (j * j * flint.arb.pi() ** 2 / 6).log()
            truth += term
            weight = oracle.ball(bounds.infinite_grid_weight_lower(j))
            assert oracle.decided((-term).exp() - weight)
            assert oracle.decided(weight * (1 + oracle.ball("1e-50")) - (-term).exp())
        assert oracle.decided(found - truth)
        assert oracle.decided(truth * (1 + oracle.ball("1e-16")) + oracle.ball("1e-50") - found)


def test_the_weights_of_an_infinite_grid_add_up_to_less_than_one() -> None:
    weights = [bounds.infinite_grid_weight_lower(j) for j in range(1, 2001)]
    assert all(0 < low < high for high, low in pairwise(weights))
    total = float(sum(map(float, weights)))
    assert 1 - 6 / math.pi**2 / 2000 < total < 1


def test_gates_of_two_groups_have_masses_of_sum_one() -> None:
    total = 0.0
    for first in product((0, 1), repeat=4):
        for second in product((0, 1), repeat=3):
            groups = [(4, sum(first), "1/4"), (3, sum(second), "2/3")]
            total += mass(bounds.inclusion_price_upper(groups))
    assert total == pytest.approx(1, abs=1e-12)
    assert total <= 1 + 1e-14


def test_choosing_each_group_from_a_grid_costs_its_logarithm() -> None:
    groups: list[tuple[int, int, Any]] = [(100, 10, "1/8"), (50, 25, "1/2"), (10, 10, "7/8")]
    free = float(bounds.inclusion_price_upper(groups))
    paid = float(bounds.inclusion_price_upper(groups, grid=20))
    assert paid == pytest.approx(free + 3 * math.log(20), rel=1e-15)
    assert float(bounds.inclusion_price_upper([])) == 0
    with pytest.raises(UsageError, match="size"):
        bounds.inclusion_price_upper(groups, grid=0)
    with pytest.raises(UsageError, match="density"):
        bounds.inclusion_price_upper([(4, 1, 0)])


@pytest.mark.parametrize("rate", [None, "1/10"])
def test_near_masks_have_masses_of_sum_one(rate: str | None) -> None:
    prices = [bounds.near_mask_price_upper(12, flips, rate=rate) for flips in range(13)]
    total = sum(math.comb(12, flips) * mass(price) for flips, price in enumerate(prices))
    assert 1 - 1e-12 < total <= 1 + 1e-14


def test_near_masks_of_the_theory_page() -> None:
    """N = 266,200: .1 % flips 2.1k, .5 % 8.4k, 1 % 14.9k nats, with the best rate."""
    for flips, nats in ((266, 2.1e3), (1331, 8.4e3), (2662, 14.9e3)):
        rate = Fraction(flips, 266200)
        best = float(bounds.near_mask_price_upper(266200, flips, rate=rate))
        assert best == pytest.approx(nats, rel=0.02)
        counted = float(bounds.near_mask_price_upper(266200, flips))
        assert best - 10 < counted < best + math.log(266201)


def test_structured_masks_of_the_theory_page() -> None:
    """277 nats for 300 + 100 units, 1,248 for 3 x 600; 2:4 is .448 N, 119k at N = 266k."""
    assert float(bounds.structured_price_upper(400)) == pytest.approx(277, abs=0.5)
    assert float(bounds.structured_price_upper(1800)) == pytest.approx(1248, abs=0.5)
    semi = float(bounds.n_of_m_price_upper(266200 // 4, kept=2, of=4))
    assert semi == pytest.approx(0.448 * 266200, rel=1e-3)
    assert semi == pytest.approx(119e3, rel=0.01)


def test_n_of_m_counts_masks() -> None:
    assert bounds.n_of_m_price_upper(7, kept=4, of=4) == "0"
    assert bounds.n_of_m_price_upper(0, kept=2, of=4) == "0"
    exact = 3 * math.log(math.comb(8, 3))
    found = float(bounds.n_of_m_price_upper(3, kept=3, of=8))
    assert found == pytest.approx(exact, rel=1e-15)
    for wrong in ({"kept": 5, "of": 4}, {"kept": -1, "of": 4}, {"kept": 0, "of": 0}):
        with pytest.raises(UsageError, match=r"kept|of"):
            bounds.n_of_m_price_upper(3, **wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, None])
def test_counts_are_integers(wrong: Any) -> None:
    with pytest.raises(UsageError, match="integer"):
        bounds.grid_price_upper(wrong)
    with pytest.raises(UsageError, match="integer"):
        bounds.infinite_grid_weight_lower(wrong)
    with pytest.raises(UsageError, match="integer"):
        bounds.infinite_grid_price_upper([1, wrong])
    if wrong != 0:
        with pytest.raises(UsageError, match="integer"):
            bounds.structured_price_upper(wrong)
        with pytest.raises(UsageError, match="integer"):
            bounds.n_of_m_price_upper(wrong, kept=2, of=4)


def test_groups_of_one_that_keep_all_have_no_price() -> None:
    assert bounds.n_of_m_price_upper(5, kept=1, of=1) == "0"
