"""Random and exhaustive comparison with Arb: never below the truth, at most 4 ulp above it.

A hundredth of what `make evidence` does.
"""

import random
from collections.abc import Iterator
from fractions import Fraction

import flint
import pytest

from pacbayes.bounds import binary_kl, binomial_upper, kl_bound
from tests.bounds import oracle
from tests.bounds.slacks import (
    binomial_slack,
    kl_slack,
    random_binomial_inputs,
    random_kl_inputs,
)

MOST_ULPS = 4


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with flint.ctx.workprec(oracle.PRECISION):
        yield


def require_tight(slacks: list[int]) -> None:
    assert min(slacks) >= 0, "unsafe"
    assert max(slacks) <= MOST_ULPS


def test_random_kl_inverses() -> None:
    rng = random.Random(20240501)  # noqa: S311
    require_tight([kl_slack(*random_kl_inputs(rng)) for _ in range(10_000)])


def test_random_binomial_tails() -> None:
    rng = random.Random(20240502)  # noqa: S311
    require_tight([binomial_slack(*random_binomial_inputs(rng, 6)) for _ in range(1_000)])


DELTAS = [Fraction(1, 2), Fraction(1, 4), Fraction(1, 20), Fraction(1, 100), Fraction(1, 10**6)]


def grid_slacks(sizes: range) -> list[int]:
    """Slacks of the tail inverse and of the kl bound for every count of every size."""
    slacks = []
    for n in sizes:
        for errors in range(n):
            for delta in DELTAS:
                value = binomial_upper(errors=errors, trials=n, delta=delta)
                holds = oracle.tail_holds
                slacks.append(oracle.slack(lambda p: holds(errors, n, delta, p), value))  # noqa: B023
            risk = Fraction(errors, n)
            value = kl_bound(risk=risk, kl=1, n=n, delta="0.05")
            c = (1 + (40 * oracle.ball(n).sqrt()).log()) / n
            slacks.append(oracle.slack(lambda p: oracle.kl_holds(risk, c, p), value))  # noqa: B023
    return slacks


def test_every_count_up_to_12() -> None:
    require_tight(grid_slacks(range(1, 13)))


def test_binary_kl_is_an_upper_value_within_an_ulp() -> None:
    rng = random.Random(20240505)  # noqa: S311
    for _ in range(300):
        q, p = rng.random() ** rng.choice([1, 30]), rng.random() ** rng.choice([1, 30])
        value, truth = binary_kl(q=q, p=p), oracle.kl(Fraction(q), Fraction(p))
        above = oracle.slack(lambda x: oracle.decided(oracle.ball(x) - truth), value)  # noqa: B023
        assert 0 <= above <= 1
