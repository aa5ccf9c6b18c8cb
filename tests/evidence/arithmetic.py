"""Random and exhaustive inputs against Arb: is a published value unsafe, and how tight is it?"""

import random
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

import flint

from pacbayes.bounds import (
    binomial_upper,
    chernoff_upper,
    kl_bound,
    mcallester_bound,
    quad_bound,
    rodriguez_galvez_bound,
    thiemann_bound,
)
from tests.bounds import oracle
from tests.bounds.slacks import (
    binomial_slack,
    kl_slack,
    random_binomial_inputs,
    random_kl_inputs,
)
from tests.evidence.shards import Experiment, Result

SHARDS = 100
KL_INPUTS, BINOMIAL_INPUTS = 10_000, 1_000
ORDER_INPUTS = 500
LARGEST_N = 200
DELTAS = tuple(Fraction(text) for text in ("1/2", "1/4", "1/20", "1/40", "1/100", "1/1000000"))
DEPENDS = (
    "pacbayes/bounds/binomial.py",
    "pacbayes/bounds/directed.py",
    "pacbayes/bounds/doubles.py",
    "pacbayes/bounds/factorial.py",
    "pacbayes/bounds/kl.py",
    "tests/bounds/oracle.py",
    "tests/bounds/slacks.py",
)


def kl_inverses(shard: int) -> Result:
    """Return slacks of random inverses of the binary kl."""
    rng = random.Random(f"kl {shard}")  # noqa: S311
    with flint.ctx.workprec(oracle.PRECISION):
        return _summary(kl_slack(*random_kl_inputs(rng)) for _ in range(KL_INPUTS))


def binomial_tails(shard: int) -> Result:
    """Return slacks of random inverses of the binomial tail, up to ten million trials."""
    rng = random.Random(f"binomial {shard}")  # noqa: S311
    with flint.ctx.workprec(oracle.PRECISION):
        most = (rng.choice((3, 4, 5, 6, 7)) for _ in range(BINOMIAL_INPUTS))
        inputs = (random_binomial_inputs(rng, largest) for largest in most)
        return _summary(binomial_slack(*given) for given in inputs)


def exact_coverage(shard: int) -> Result:
    """Enumerate every count of the sizes n = shard + 1, shard + 51, ... up to 200.

    The chance that the value of the count lies below the truth p jumps where p passes a value, so
    that its supremum over p is the largest tail at a value: P(Bin(n, upper(k)) <= k) <= delta for
    every k is exact coverage. For the exact tail the double below must fail.
    """
    slacks, failures, chernoff = [], 0, 0.0
    with flint.ctx.workprec(oracle.PRECISION):
        for n in range(shard + 1, LARGEST_N + 1, LARGEST_N // 4):
            for delta in DELTAS:
                for k in range(n):
                    value = binomial_upper(errors=k, trials=n, delta=delta)
                    slacks.append(_tail_slack(k, n, delta, value))
                    value = chernoff_upper(risk=Fraction(k, n), draws=n, delta=delta)
                    held = oracle.tail_holds(k, n, delta, value)
                    failures += not held
                    chance = float(oracle.tail(k, n, Fraction(value)).mid()) if value < 1 else 0.0
                    chernoff = max(chernoff, chance / float(delta))
    return _summary(slacks) | {"chernoff_failures": failures, "chernoff_worst": chernoff}


def order(shard: int) -> Result:
    """Count relaxations of the kl bound below it, and its best tangents away from it."""
    rng = random.Random(f"order {shard}")  # noqa: S311
    below, apart = 0, 0.0
    for _ in range(ORDER_INPUTS):
        evidence = {
            "risk": rng.choice([0.0, rng.random(), 10 ** rng.uniform(-12, 0)]),
            "kl": rng.choice([0.0, 10 ** rng.uniform(-3, 6)]),
            "n": int(10 ** rng.uniform(0, 9)),
            "delta": rng.choice([0.05, max(rng.random(), 1e-9), 10 ** rng.uniform(-300, -0.01)]),
        }
        best = kl_bound(**evidence)
        relaxed = (quad_bound, mcallester_bound, thiemann_bound)
        below += sum(relaxation(**evidence) < best for relaxation in relaxed)
        apart = max(apart, abs(rodriguez_galvez_bound(**evidence) - best))
    return {"inputs": ORDER_INPUTS, "below": below, "apart": apart}


def _tail_slack(k: int, n: int, delta: Fraction, value: float) -> int:
    return oracle.slack(lambda p: oracle.tail_holds(k, n, delta, p), value)


def _summary(slacks: Iterable[int]) -> Result:
    counts = Counter(slacks)
    return {
        "inputs": counts.total(),
        "unsafe": counts[-1],
        "most": max(counts),
        "slacks": {str(slack): counts[slack] for slack in sorted(counts)},
    }


KL = Experiment(name="kl", shards=SHARDS, work=kl_inverses, depends=DEPENDS)
BINOMIAL = Experiment(name="binomial", shards=SHARDS, work=binomial_tails, depends=DEPENDS)
ORDER = Experiment(
    name="order",
    shards=20,
    work=order,
    depends=(*DEPENDS, "pacbayes/bounds/gibbs.py", "pacbayes/bounds/complexity.py"),
)
EXACT = Experiment(name="exact", shards=LARGEST_N // 4, work=exact_coverage, depends=DEPENDS)
