"""How often each bound fails where the true risk is known, exactly and by simulation."""

import math
from collections.abc import Callable
from fractions import Fraction

import flint
import numpy as np

from pacbayes import bounds
from tests.bounds import oracle
from tests.evidence.shards import Experiment, Result

DELTA, RISK, N, CHOICES, RUNS = Fraction(1, 20), 0.2, 200, 10**4, 4000

Bound = Callable[[int, float], float]
"""A bound from errors out of N and nats."""


def _gibbs(theorem: Callable[..., float], **rest: object) -> Bound:
    return lambda errors, nats: theorem(risk=Fraction(errors, N), kl=nats, n=N, delta=DELTA, **rest)


def _drawn(**rest: object) -> Bound:
    return lambda errors, nats: bounds.disintegrated_bound(
        risk=Fraction(errors, N), log_ratio=nats, n=N, delta=DELTA, **rest
    )


def _recursive(errors: int, nats: float) -> float:
    stage = bounds.Stage(n=N, kl=nats, risks=(Fraction(errors, N),))
    return bounds.recursive_bound(stages=[stage], delta=DELTA)


BOUNDS: dict[str, Bound] = {
    "kl": _gibbs(bounds.kl_bound),
    "kl with xi": _gibbs(bounds.kl_bound, constant="xi"),
    "quadratic": _gibbs(bounds.quad_bound),
    "McAllester": _gibbs(bounds.mcallester_bound),
    "Thiemann": _gibbs(bounds.thiemann_bound),
    "Rodriguez-Galvez": _gibbs(bounds.rodriguez_galvez_bound),
    "Catoni, C = 1": _gibbs(bounds.catoni_bound, c=1),
    "Catoni, four rates": _gibbs(bounds.catoni_grid_bound, grid=["1/2", 1, 2, 4]),
    "Recursive, T = 1": _recursive,
    "Rivasplata": _drawn(),
    "Catoni, one drawn": _drawn(kind="catoni", c=1),
    "Renyi": _drawn(kind="renyi"),
    "Occam": lambda errors, nats: bounds.occam_bound(errors=errors, n=N, nats=nats, delta=DELTA),
}


def _worst(bound: Bound) -> float:
    """Return the largest chance of failure over all risks, for one fixed classifier, over delta.

    It jumps where the risk passes a value of the bound; below one, the value of k fails from there
    on as long as k or fewer errors are seen.
    """
    worst = 0.0
    with flint.ctx.workprec(oracle.PRECISION):
        for errors in range(N):
            value = bound(errors, 0.0)
            if value < 1:
                worst = max(worst, float(oracle.tail(errors, N, Fraction(value)).mid()))
    return worst / float(DELTA)


def _selected(bound: Bound, price: float) -> int:
    """Return failures for the best of many classifiers, at some price for the choice."""
    from scipy.stats import binom

    rng = np.random.default_rng(8)
    chances = 1 - (1 - binom.cdf(np.arange(N + 1), N, RISK)) ** CHOICES
    counts = np.searchsorted(chances, rng.random(RUNS)).clip(0, N)
    different, repeats = np.unique(counts, return_counts=True)
    pairs = zip(different.tolist(), repeats.tolist(), strict=True)
    return sum(times for errors, times in pairs if bound(errors, price) < RISK)


def one_bound(position: int) -> Result:
    """Return what is known of one bound."""
    name = list(BOUNDS)[position]
    bound, price = BOUNDS[name], math.nextafter(math.log(CHOICES), math.inf)
    return {
        "bound": name,
        "worst": _worst(bound),
        "paid": _selected(bound, price),
        "unpaid": _selected(bound, 0.0),
        "runs": RUNS,
    }


EXPERIMENT = Experiment(
    name="coverage",
    shards=len(BOUNDS),
    work=one_bound,
    depends=("pacbayes/bounds/*.py", "tests/evidence/coverage.py"),
)
