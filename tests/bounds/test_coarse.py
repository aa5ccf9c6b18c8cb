"""The same proofs with a handful of digits: a result may be loose, but never on the wrong side.

At 60 digits one operation rounded the wrong way moves nothing that a double shows. At 3 or 6 digits
it does, so these tests see each single direction of each single operation.
"""

import math
import random
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import flint
import pytest
from flint import arb

from pacbayes import bounds
from pacbayes.bounds import binomial, means, xi
from pacbayes.bounds.binomial import _Tail
from pacbayes.bounds.directed import DOWN, UP, exp, ln, log1p, log_inverse, sqrt
from pacbayes.bounds.factorial import ln_choose, ln_factorial
from tests.bounds import oracle
from tests.bounds.oracle import ball, decided


@pytest.fixture(autouse=True, params=[3, 6], ids="{} digits".format)
def _coarse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for context in (DOWN, UP):
        monkeypatch.setattr(context, "prec", request.param)
    monkeypatch.setattr(binomial, "_UNIT", 1 << 12)
    monkeypatch.setattr(binomial, "_NEGLIGIBLE", 1 << 5)
    monkeypatch.setattr(binomial, "_ODDS_BITS", 12)
    monkeypatch.setattr(xi, "_UNIT", 1 << 12)
    monkeypatch.setattr(xi, "_NEGLIGIBLE", 1 << 5)
    with flint.ctx.workprec(oracle.PRECISION):
        yield


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311


def require_between(low: Decimal, high: Decimal, truth: arb) -> None:
    assert low == -math.inf or decided(truth - ball(Fraction(low)))
    assert high == math.inf or decided(ball(Fraction(high)) - truth)


def test_primitives() -> None:
    rng = dice(1)
    for _ in range(300):
        x = Decimal.from_float(10 ** rng.uniform(-30, 3))
        truth = ball(Fraction(x))
        require_between(ln(DOWN, x), ln(UP, x), truth.log())
        require_between(sqrt(DOWN, x), sqrt(UP, x), truth.sqrt())
        require_between(log1p(DOWN, x), log1p(UP, x), truth.log1p())
        negative = x.copy_negate()
        require_between(exp(DOWN, negative), exp(UP, negative), (-truth).exp())
        share = Fraction(rng.randrange(1, 10**6), 10**6 + 1)
        require_between(log_inverse(DOWN, share), log_inverse(UP, share), -ball(share).log())


def test_factorials() -> None:
    rng = dice(2)
    for _ in range(300):
        n = int(10 ** rng.uniform(0, 9))
        k = rng.randrange(n + 1)
        gamma = [arb(m + 1).lgamma() for m in (n, k, n - k)]
        require_between(ln_factorial(DOWN, n), ln_factorial(UP, n), gamma[0])
        truth = gamma[0] - gamma[1] - gamma[2] if 0 < k < n else arb(0)
        require_between(ln_choose(DOWN, n, k), ln_choose(UP, n, k), truth)


def random_probability(rng: random.Random) -> float | Fraction:
    """A double or a fraction, somewhere or next to 0 or 1."""
    whole = 10**9 + 7
    return rng.choice(
        [
            rng.random,
            lambda: Fraction(rng.randrange(1, whole), whole),
            lambda: 10 ** rng.uniform(-20, 0),
            lambda: 1 - Fraction(rng.randrange(1, 1000), whole),
        ]
    )()


def test_kl() -> None:
    rng = dice(3)
    for _ in range(600):
        q = random_probability(rng)
        shift = Fraction(10 ** rng.uniform(-4, 1))
        near = Fraction(q) * shift / (1 + Fraction(q) * (shift - 1))
        p = rng.choice([random_probability(rng), near])
        low, high = bounds.binary_kl_lower(q=q, p=p), bounds.binary_kl_upper(q=q, p=p)
        require_between(low, high, oracle.kl(Fraction(q), Fraction(p)))
        assert bounds.binary_kl(q=q, p=p) >= high


def test_kl_inverse_and_chernoff() -> None:
    rng = dice(4)
    for _ in range(150):
        q, c = random_probability(rng), Fraction(rng.randrange(1, 1000), 10 ** rng.randrange(3, 7))
        c *= Fraction(10**9, 10**9 + 7)
        value = bounds.kl_inverse_upper(q=q, c=c)
        assert oracle.kl_holds(Fraction(q), ball(c), value)
        draws, delta = rng.randrange(1, 10**4), Fraction(1, rng.randrange(2, 10**4))
        value = bounds.chernoff_upper(risk=q, draws=draws, delta=delta)
        assert oracle.kl_holds(Fraction(q), -ball(delta).log() / draws, value)


def random_counts(rng: random.Random) -> tuple[int, int]:
    trials = int(10 ** rng.uniform(0.31, 3))
    return rng.choice([rng.randrange(1, trials), 1, trials - 1, max(1, trials // 50)]), trials


def test_tails() -> None:
    rng = dice(5)
    for _ in range(120):
        errors, trials = random_counts(rng)
        p = min(1 - 2**-53, errors / trials * rng.uniform(0.5, 2.0))
        total, last = _Tail(errors, trials, ln_choose(UP, trials, errors)).at(p)
        truth = oracle.tail(errors, trials, Fraction(p))
        assert decided(ball(Fraction(total)) - truth)
        chance = ball(p)
        truth = math.comb(trials, errors) * chance**errors * (1 - chance) ** (trials - errors)
        assert decided(ball(Fraction(last)) - truth)


def test_tail_sums_in_fixed_point() -> None:
    """The integer part alone: sum of all terms over the last, for exact odds."""
    rng = dice(6)
    for _ in range(120):
        errors, trials = random_counts(rng)
        odds = rng.randrange(1, 1 << 16)
        term = truth = Fraction(1)
        for j in range(errors, 0, -1):
            term *= Fraction(j * odds, (trials - j + 1) << 12)
            truth += term
        found = Fraction(_Tail(errors, trials, Decimal(0))._terms(odds), 1 << 12)
        assert truth <= found


def test_inverted_tails() -> None:
    rng = dice(7)
    for _ in range(70):
        errors, trials = random_counts(rng)
        errors = rng.choice([errors, errors, 0])
        delta = Fraction(rng.randrange(1, 240), 1000 + rng.randrange(7))
        value = bounds.binomial_upper(errors=errors, trials=trials, delta=delta)
        assert oracle.tail_holds(errors, trials, delta, value)
        assert bounds.poisson_binomial_upper(errors=errors, trials=trials, delta=delta) in (
            value,
            1,
        )
        paid = bounds.test_set_bound(errors=errors, n=trials, delta=delta, weight="3/7")
        assert oracle.tail_holds(errors, trials, delta * Fraction(3, 7), paid)
        nats = Fraction(rng.randrange(1, 100), 7)
        paid = bounds.occam_bound(errors=errors, n=trials, nats=nats, delta=delta)
        if paid < 1:
            priced = ball(delta) * (-ball(nats)).exp()
            assert decided(priced - oracle.tail(errors, trials, Fraction(paid)))


def test_tails_of_more_trials_than_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binomial, "LARGEST_TRIALS", 0)
    rng = dice(9)
    for _ in range(100):
        errors, trials = random_counts(rng)
        delta = Fraction(rng.randrange(1, 240), 1000 + rng.randrange(7))
        value = bounds.binomial_upper(errors=errors, trials=trials, delta=delta)
        exponent = -ball(delta).log() / trials
        assert value == 1 or oracle.kl_holds(Fraction(errors, trials), exponent, value)


def test_theorems() -> None:
    rng = dice(8)
    for _ in range(300):
        risk, kl = random_probability(rng), Fraction(rng.randrange(1000), 7)
        n, delta = rng.randrange(1, 10**4), Fraction(1, rng.randrange(2, 1000))
        weight, lam = Fraction(1, rng.randrange(1, 100)), Fraction(rng.randrange(1, 21), 11)
        rate = Fraction(rng.randrange(1, 50), 7)
        evidence = {"risk": risk, "kl": kl, "n": n, "delta": delta, "weight": weight}
        q, price = ball(Fraction(risk)), ball(kl) - ball(delta * weight).log()
        c = (price + (2 * arb(n).sqrt()).log()) / n
        assert oracle.kl_holds(Fraction(risk), c, bounds.kl_bound(**evidence))
        mass = (-(ball(rate) * q + price / n)).exp()
        best = 2 / ((2 * q / c + 1).sqrt() + 1)
        scale, optimal = ball(lam), best * (1 - best / 2)
        truths = {
            bounds.quad_bound(**evidence): ((q + c / 2).sqrt() + (c / 2).sqrt()) ** 2,
            bounds.mcallester_bound(**evidence): q + (c / 2).sqrt(),
            bounds.thiemann_bound(**evidence): q / (1 - best / 2) + c / optimal,
            bounds.thiemann_bound(**evidence, lam=lam): q / (1 - scale / 2)
            + c / (scale * (1 - scale / 2)),
            bounds.catoni_bound(**evidence, c=rate): (1 - mass) / (1 - (-ball(rate)).exp()),
        }
        for value, truth in truths.items():
            assert value == 1.0 or decided(ball(value) - truth)


def test_tangents_and_grids() -> None:
    rng = dice(10)
    for _ in range(100):
        risk, kl = random_probability(rng), Fraction(rng.randrange(1000), 7)
        n, delta = rng.randrange(1, 10**4), Fraction(1, rng.randrange(2, 1000))
        evidence = {"risk": risk, "kl": kl, "n": n, "delta": delta}
        q, price = ball(Fraction(risk)), ball(kl) - ball(delta).log()
        c = (price + (2 * arb(n).sqrt()).log()) / n
        assert oracle.kl_holds(Fraction(risk), c, bounds.rodriguez_galvez_bound(**evidence))
        slope, scale = Fraction(rng.randrange(1, 99), 99), 1 + Fraction(rng.randrange(1, 99), 97)
        value = bounds.rodriguez_galvez_bound(**evidence, c=slope, gamma=scale)
        s, g = ball(slope), ball(scale)
        truth = s * g * ((g / (g - 1)).log() * q + c) + g * (1 - s * (1 - s.log()))
        assert value == 1.0 or decided(ball(value) - truth)
        grid = [Fraction(rng.randrange(1, 50), 7) for _ in range(3)]
        mass = [(-(ball(r) * q + (price + arb(3).log()) / n)).exp() for r in grid]
        truths = [(1 - m) / (1 - (-ball(r)).exp()) for m, r in zip(mass, grid, strict=True)]
        value = bounds.catoni_grid_bound(**evidence, grid=grid)
        assert value == 1.0 or any(decided(ball(value) - truth) for truth in truths)


def test_one_drawn_classifier() -> None:
    rng = dice(11)
    for _ in range(150):
        risk, ratio = random_probability(rng), Fraction(rng.randrange(-40, 1000), 7)
        n, delta = rng.randrange(1, 10**4), Fraction(1, rng.randrange(2, 1000))
        evidence = {"risk": risk, "log_ratio": ratio, "n": n, "delta": delta, "weight": "3/7"}
        share = ball(delta * Fraction(3, 7))
        price, constant = ball(ratio) - share.log(), (2 * arb(n).sqrt()).log()
        value = bounds.disintegrated_bound(**evidence)
        if price + constant >= 0:
            assert oracle.kl_holds(Fraction(risk), (price + constant) / n, value)
        exponent = ball("10/7") * ball(Fraction(risk)) + price / n
        truth = (1 - (-exponent).exp()) / (1 - (-ball("10/7")).exp())
        value = bounds.disintegrated_bound(**evidence, kind="catoni", c="10/7")
        assert value == 1.0 or decided(ball(value) - truth)
        if ratio >= 0:
            c = (ball(ratio) + constant + (8 / share**3).log()) / n
            value = bounds.disintegrated_bound(**evidence, kind="renyi")
            assert oracle.kl_holds(Fraction(risk), c, value)


def test_losses_of_few_values() -> None:
    rng = dice(12)
    for _ in range(40):
        values = sorted({Fraction(rng.randrange(-50, 50), 7) for _ in range(4)})
        risks = sorted((Fraction(rng.randrange(99), 99) for _ in values[1:]), reverse=True)
        n, delta, kl = rng.randrange(1, 10**4), Fraction(1, 30), Fraction(rng.randrange(300), 7)
        if not risks:
            continue
        c = (ball(kl) + (2 * len(risks) * arb(n).sqrt() / ball(delta)).log()) / n
        truth = ball(values[0])
        for (low, high), risk in zip(pairwise(values), risks, strict=True):
            truth += (ball(high) - ball(low)) * oracle.kl_inverse(risk, c)
        found = bounds.split_kl_bound(values=values, risks=risks, kl=kl, n=n, delta=delta)
        assert decided(ball(Fraction(found)) - truth)


def test_means_of_draws() -> None:
    rng = dice(13)
    for _ in range(60):
        draws = [Fraction(rng.randrange(8), 7 + 4 * rng.randrange(2)) for _ in range(30)]
        delta = Fraction(1, rng.randrange(2, 50))
        m, mean = len(draws), sum(draws) / len(draws)
        variance = sum((draw - mean) ** 2 for draw in draws) / (m - 1)
        nats = (2 / ball(delta)).log()
        truth = ball(mean) + (ball(2 * variance / m) * nats).sqrt() + 7 * nats / (3 * (m - 1))
        value = bounds.empirical_bernstein_upper(values=draws, delta=delta)
        assert value == 1.0 or decided(ball(value) - truth)
        value = bounds.betting_upper(values=draws, delta=delta)
        stakes = [Fraction(bet) for bet in means._bets(draws, delta, None)]
        capital, reached = Fraction(1), False
        for stake, draw in zip(stakes, draws, strict=True):
            capital *= 1 + stake * (Fraction(value) - draw)
            reached = reached or capital >= 1 / delta
        assert value == 1.0 or reached


def test_catoni_near_the_risk() -> None:
    """With many examples and a small rate, rounding must not push the bound below the risk."""
    for risk in (Fraction(1, 3), Fraction(2, 7)):
        value = bounds.catoni_bound(risk=risk, kl=0, n=10**9, delta="1/20", c="1/3")
        assert Fraction(value) >= risk


def test_xi() -> None:
    for n in range(1, 80):
        terms = (math.comb(n, k) * k**k * (n - k) ** (n - k) for k in range(n + 1))
        truth = Fraction(sum(terms), n**n)
        assert Fraction(bounds.xi_upper(n)) >= truth
        evidence = {"risk": Fraction(1, 3), "kl": Fraction(7, 3), "n": n, "delta": "1/30"}
        c = (ball(Fraction(7, 3)) + (30 * ball(truth)).log()) / n
        value = bounds.kl_bound(**evidence, constant="xi")
        assert oracle.kl_holds(Fraction(1, 3), c, value)


def test_sums_and_prices() -> None:
    rng = dice(9)
    for _ in range(300):
        n = int(10 ** rng.uniform(0, 6))
        k, density = rng.randrange(n + 1), Fraction(rng.randrange(1, 1000), 1001)
        gamma = [arb(m + 1).lgamma() for m in (n, k, n - k)]
        masks = gamma[0] - gamma[1] - gamma[2] if 0 < k < n else arb(0)
        gates = -k * ball(density).log() - (n - k) * (1 - ball(density)).log()
        circle = arb.pi() * arb(n)
        for found, truth in (
            (bounds.grid_price_upper(n, choices=k), k * arb(n).log()),
            (bounds.infinite_grid_price_upper([n]), (circle * circle / 6).log()),
            (bounds.structured_price_upper(n), n * arb(2).log()),
            (bounds.n_of_m_price_upper(n, kept=2, of=4), n * arb(6).log()),
            (bounds.inclusion_price_upper([(n, k, density)], grid=7), gates + arb(7).log()),
            (bounds.log_binomial_upper(n, k), masks),
            (bounds.count_prior_upper(n, k), masks + arb(n + 1).log()),
            (bounds.entropy_price_upper(n, k, density=density), gates),
        ):
            assert decided(ball(found) - truth)
        weight = Fraction(bounds.infinite_grid_weight_lower(n))
        assert decided(6 / (circle * circle) - ball(weight))
        total, absolute = rng.random(), rng.random()
        u = Fraction(1, 2**53)
        inflated = (Fraction(total) + 4 * u * Fraction(absolute)) * (1 + (2 * n + 20) * u)
        assert Fraction(bounds.sum_upper(total=total, absolute=absolute, count=n)) >= inflated
        items = [Fraction(rng.randrange(1000), 7) for _ in range(5)]
        assert Fraction(bounds.add_upper(items)) >= sum(items)
