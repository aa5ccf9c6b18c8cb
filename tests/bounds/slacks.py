"""Random inputs of many regimes, and how far a published value is from the truth."""

import random
from fractions import Fraction

from pacbayes.bounds import binomial_upper, kl_inverse_upper
from tests.bounds import oracle


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
    """One (errors, trials, delta) of at most 10^largest trials."""
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
