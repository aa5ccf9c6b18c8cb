"""Random and exhaustive comparison with Arb: never below the truth, at most 4 ulp above it.

``PACBAYES_EVIDENCE_SCALE=k`` multiplies the numbers of random inputs of the fast tests and extends
the slow grid to all counts of all sizes up to 200 (ten minutes).
"""

import os
import random
from collections.abc import Iterator
from fractions import Fraction

import flint
import pytest

from pacbayes.bounds import binary_kl, binomial_upper, kl_bound, kl_inverse_upper
from tests.bounds import oracle

SCALE = int(os.environ.get("PACBAYES_EVIDENCE_SCALE", "1"))
MOST_ULPS = 4


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with flint.ctx.workprec(oracle.PRECISION):
        yield


def random_kl_inputs(rng: random.Random) -> tuple[float, float]:
    """One (q, c) of eight regimes, from everyday certificates to the ends of the double range."""
    n = 10 ** rng.uniform(4, 9)
    regimes = [
        lambda: (rng.random(), rng.uniform(0, 2e4) / rng.uniform(1e4, 6e4)),
        lambda: (rng.random() ** 4, rng.uniform(5, 50) / n),
        lambda: (10 ** rng.uniform(-12, -1), 10 ** rng.uniform(-9, 0)),
        lambda: (10 ** rng.uniform(-300, -6), 10 ** rng.uniform(-300, 0)),
        lambda: (1 - 10 ** rng.uniform(-16, -1), 10 ** rng.uniform(-17, 1)),
        lambda: (rng.random(), rng.uniform(1, 50)),
        lambda: (0.0, 10 ** rng.uniform(-320, 1.5)),
        lambda: (rng.random(), 10 ** rng.uniform(-40, -12)),
    ]
    return rng.choice(regimes)()


def kl_slack(q: float, c: float) -> int:
    """Doubles between the published value and the smallest valid one; -1 if it is unsafe."""
    value, bound = kl_inverse_upper(q=q, c=c), oracle.ball(c)
    return oracle.slack(lambda p: oracle.kl_holds(Fraction(q), bound, p), value)


def random_binomial_inputs(rng: random.Random, largest: float) -> tuple[int, int, float]:
    trials = int(10 ** rng.uniform(0, largest))
    errors = rng.choice(
        [
            lambda: rng.randrange(trials + 1),
            lambda: int(trials * 10 ** rng.uniform(-6, 0)),
            lambda: min(trials, rng.randrange(50)),
            lambda: max(0, trials - 1 - rng.randrange(20)),
        ]
    )()
    delta = rng.choice([rng.random, lambda: 10 ** rng.uniform(-300, -0.01)])()
    return errors, trials, min(max(delta, 1e-300), 1 - 2**-53)


def binomial_slack(errors: int, trials: int, delta: float) -> int:
    """As `kl_slack`, for the binomial tail."""
    value, share = binomial_upper(errors=errors, trials=trials, delta=delta), Fraction(delta)
    if errors == trials:
        return 0 if value == 1.0 else -1
    return oracle.slack(lambda p: oracle.tail_holds(errors, trials, share, p), value)


def require_tight(slacks: list[int]) -> None:
    assert min(slacks) >= 0, "unsafe"
    assert max(slacks) <= MOST_ULPS


def test_random_kl_inverses() -> None:
    rng = random.Random(20240501)  # noqa: S311
    require_tight([kl_slack(*random_kl_inputs(rng)) for _ in range(1000 * SCALE)])


def test_random_binomial_tails() -> None:
    rng = random.Random(20240502)  # noqa: S311
    require_tight([binomial_slack(*random_binomial_inputs(rng, 6)) for _ in range(150 * SCALE)])


@pytest.mark.slow
def test_a_hundred_thousand_kl_inverses() -> None:
    rng = random.Random(20240503)  # noqa: S311
    require_tight([kl_slack(*random_kl_inputs(rng)) for _ in range(100_000)])


@pytest.mark.slow
def test_ten_thousand_binomial_tails() -> None:
    rng = random.Random(20240504)  # noqa: S311
    require_tight([binomial_slack(*random_binomial_inputs(rng, 7)) for _ in range(10_000)])


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


@pytest.mark.slow
def test_every_count_up_to_60_or_200() -> None:
    require_tight(grid_slacks(range(13, 201 if SCALE > 1 else 61)))


def test_binary_kl_is_an_upper_value_within_an_ulp() -> None:
    rng = random.Random(20240505)  # noqa: S311
    for _ in range(300 * SCALE):
        q, p = rng.random() ** rng.choice([1, 30]), rng.random() ** rng.choice([1, 30])
        value, truth = binary_kl(q=q, p=p), oracle.kl(Fraction(q), Fraction(p))
        above = oracle.slack(lambda x: oracle.decided(oracle.ball(x) - truth), value)  # noqa: B023
        assert 0 <= above <= 1
