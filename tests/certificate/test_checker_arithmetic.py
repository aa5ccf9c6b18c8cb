"""The checker's enclosures against Arb, hand-computed numbers, and the certified bounds."""

import math
import random
from collections.abc import Iterator
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import flint
import pytest
from flint import arb

from pacbayes.bounds import (
    binomial_upper,
    catoni_bound,
    decimal_up,
    disintegrated_bound,
    kl_bound,
    occam_bound,
)
from pacbayes.certificate import checker
from pacbayes.certificate.decimals import float_up


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    before = flint.ctx.prec
    flint.ctx.prec = 300
    yield
    flint.ctx.prec = before


def ball(value: Decimal) -> arb:
    return arb(str(value))


def assert_upper(value: Decimal, truth: arb, width: float) -> None:
    """The value is not certainly below the truth, and close to it."""
    assert truth.is_finite()
    assert not ball(value) < truth
    assert ball(value) - truth <= abs(truth) * width


def reaches_the_mean(k: int, n: int, p: Decimal) -> bool:
    """The last two terms of the tail no longer rise."""
    share = Fraction(p)
    return k * (1 - share) >= (n - k + 1) * share


# The price of a binomial coefficient is 1e-23 too high, its three factorials are off by 1e-24 each.
WIDTH = 1.4e-23


def arb_tail(k: int, n: int, p: Decimal) -> arb:
    """P(Bin(n, p) <= k), at twice the precision where Arb needs it."""
    truth = (1 - ball(p)).beta_lower(arb(n - k), arb(k + 1), regularized=True)
    if not truth.is_finite():
        flint.ctx.prec = 2000
        truth = (1 - ball(p)).beta_lower(arb(n - k), arb(k + 1), regularized=True)
        flint.ctx.prec = 300
    return truth


# validity.md 2.9: errors, trials, delta, smallest p with P(Bin <= errors) <= delta
TAILS = [
    (0, 100, "1/20", "0.02951304960703993450048"),
    (5, 100, "1/20", "0.1022533776432745088579"),
    (99, 100, "1/20", "0.9994871985837377078976"),
    (600, 30000, "1/40", "0.02164817334094330189239"),
    (1200, 60000, "1/20", "0.02096581428158290454958"),
    (8206, 60000, "1/1000", "0.1411503864982617196077"),
    (37, 10**6, "1/1000000000000", "0.00009864644879782057357643"),
    (3, 416543, "1/10000000000000", "0.00009416954981633400951257"),
    (10, 100000, "1/200000000000", "0.0005030609007572587219658"),
    (30, 10**9, "1/1000", "0.00000005108312362742845505245"),
    (10**8, 10**9, "1/20", "0.1000156058064825771761"),
    (10**9 - 1, 10**9, "1/20", "0.9999999999487067056138"),
    (0, 10**9, "1/1000000000000", "0.00000002763102073419188776970"),
    (10**6, 10**8, "1/100", "0.01002317119125703907727"),
]


@pytest.mark.parametrize(("errors", "trials", "delta", "root"), TAILS)
def test_golden_tail_inversions(errors: int, trials: int, delta: str, root: str) -> None:
    """The limit falls between the last digit down and the last digit up."""
    places = Decimal(1).scaleb(Decimal(root).as_tuple().exponent)  # type: ignore[arg-type]
    limit = Fraction(delta)
    above = checker.binomial_tail(errors, trials, Decimal(root) + places)
    below = checker.binomial_tail(errors, trials, Decimal(root) - places)
    assert Fraction(above) < limit < Fraction(below)


# validity.md 2.9: errors of n, kl, delta, bound
BOUNDS = [
    (0, 8, 0, "1/20", "0.4462683124846005719508289"),
    (0, 100, 0, "1/20", "0.05815507911697226896871542"),
    (5, 100, 0, "1/20", "0.1614194884683824772471765"),
    (0, 10000, 0, "1/40", "0.0008983159544877618601030368"),
    (200, 10000, 100, "1/40", "0.04800050313274210355801412"),
    (600, 30000, 2500, "1/40", "0.1345076882250385809281148"),
    (1200, 60000, 5000, "1/20", "0.1343401916716210518143487"),
    (3000, 60000, 20000, "1/20", "0.4006187184894439494177335"),
    (30000, 60000, 0, "1/20", "0.5087504866238025271531417"),
    (59999, 60000, 0, "1/20", "0.9999999993741956508073924"),
    (0, 60000, 300000, "1/20", "0.9932630849428344403863252"),
    (1, 10**9, 0, "1/20", "0.00000001793740015646354078543610"),
    (10**8, 10**9, 12, "1/20", "0.1000684908401024158976915"),
    (10**9 - 1, 10**9, 0, "1/20", "0.9999999999999997091656807"),
]


@pytest.mark.parametrize(("errors", "n", "kl", "delta", "bound"), BOUNDS)
def test_golden_kl_inversions(errors: int, n: int, kl: int, delta: str, bound: str) -> None:
    """The limit falls between two units of the last digit down and two up."""
    q = checker.DOWN.divide(Decimal(errors), Decimal(n))
    need = priced(n=n, share=Fraction(delta)).nats(str(kl), n) / n
    step = 2 * Decimal(1).scaleb(Decimal(bound).as_tuple().exponent)  # type: ignore[arg-type]
    with localcontext(prec=60):
        above, below = Decimal(bound) + step, Decimal(bound) - step
    assert checker.kl_lower(q, below) < need < checker.kl_lower(q, above)


def test_tails_are_upper_and_close() -> None:
    dice = random.Random(1)  # noqa: S311
    for _ in range(400):
        n = int(10 ** dice.uniform(0, 9))
        k = dice.choice([dice.randrange(n), min(n - 1, int(10 ** dice.uniform(0, 3))), n - 1])
        share = k / n
        p = share + dice.uniform(-4, 8) * math.sqrt(max(share * (1 - share), 1 / n) / n)
        exact = Decimal(p if 0 < p < 1 else dice.random())
        tail = checker.binomial_tail(k, n, exact)
        if reaches_the_mean(k, n, exact):
            assert tail == 1
        else:
            assert_upper(tail, arb_tail(k, n, exact), WIDTH)


def test_small_tails_against_exact_sums() -> None:
    for n in range(1, 25):
        for k in range(n + 1):
            for p in (Fraction(1, 100), Fraction(1, 2), Fraction(7, 8)):
                exact = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))
                upper = checker.binomial_tail(k, n, Decimal(p.numerator) / p.denominator)
                assert exact <= Fraction(upper)
                if reaches_the_mean(k, n, Decimal(p.numerator) / p.denominator):
                    assert upper == 1
                else:
                    assert Fraction(upper) - exact <= Fraction(WIDTH) * exact


def test_the_longest_tail_is_as_close() -> None:
    """Just below the mean of the most trials that are taken, where the terms fall slowly."""
    k, n, p = checker.MOST // 2, checker.MOST, Decimal("0.5000001")
    assert_upper(checker.binomial_tail(k, n, p), arb_tail(k, n, p), WIDTH)


def test_logarithms_of_factorials() -> None:
    for n in (0, 1, 2, 255, 256, 257, 258, 1000, 10**6, 10**9, 10**10):
        assert abs(ball(checker.log_factorial(n)) - arb(n + 1).lgamma()) < 1e-24


def test_logarithms_of_coefficients_are_upper() -> None:
    dice = random.Random(10)  # noqa: S311
    for _ in range(300):
        n = int(10 ** dice.uniform(0, 10))
        k = dice.choice([0, 1, n, dice.randrange(n + 1)])
        upper = ball(checker.log_choose(n, k))
        truth = arb(n + 1).lgamma() - arb(k + 1).lgamma() - arb(n - k + 1).lgamma()
        assert not upper < truth
        assert upper - truth < WIDTH


def test_binary_kl_is_a_lower_value() -> None:
    dice = random.Random(2)  # noqa: S311
    for _ in range(2000):
        q = Decimal(dice.choice([0.0, 10 ** dice.uniform(-12, 0), dice.random()]))
        p = Decimal(math.nextafter(float(q) + (1 - float(q)) * 10 ** dice.uniform(-9, 0), 0))
        if not q <= p < 1:
            continue
        a, b = ball(q), ball(p)
        first = a * (a / b).log() if q else arb(0)
        truth = first + (1 - a) * ((1 - a) / (1 - b)).log()
        low = ball(checker.kl_lower(q, p))
        assert not low > truth
        assert truth - low < 1e-45 * (1 + abs(truth))


def test_mask_prices_are_the_count_code() -> None:
    for d in range(1, 40):
        for k in range(d + 1):
            truth = (arb(d + 1) * math.comb(d, k)).log()
            price = checker.UP.add(checker.log(d + 1)[1], checker.log_choose(d, k))
            assert not ball(price) < truth
            assert ball(price) - truth < WIDTH


def random_counts(dice: random.Random) -> tuple[int, int, Fraction]:
    trials = int(10 ** dice.uniform(0.5, 8))
    errors = dice.choice([0, dice.randrange(trials - 1), int(trials ** dice.random()) - 1])
    return (
        min(errors, trials - 2),
        trials,
        Fraction(dice.choice([1, 5, 7]), 10 ** dice.randrange(2, 12)),
    )


def test_accepts_every_tail_that_bounds_proposes() -> None:
    dice = random.Random(3)  # noqa: S311
    for _ in range(500):
        errors, trials, delta = random_counts(dice)
        text = decimal_up(binomial_upper(errors=errors, trials=trials, delta=delta))
        priced(n=trials, share=delta).tail("risk", (errors, trials), "0", text, delta)


def priced(*, n: int, share: Fraction, paid: int = 1, **fields: Any) -> Any:
    """The audit of a document of which nothing is known but what a theorem needs."""
    audit = object.__new__(checker._Audit)
    audit.n, audit.share, audit.paid = n, {"theorem": share}, paid
    audit.__dict__ |= fields
    return audit


def random_theorem(dice: random.Random) -> dict[str, Any]:
    n = int(10 ** dice.uniform(0.5, 9))
    return {
        "n": n,
        "risk": dice.choice([0.0, dice.random(), 10 ** dice.uniform(-9, 0)]),
        "kl": dice.choice([0.0, n * 10 ** dice.uniform(-6, 1)]),
        "delta": Fraction(dice.choice([1, 9]), 10 ** dice.randrange(1, 10)),
        "weight": Fraction(1, dice.choice([1, 3, 320**6])),
    }


def exactly(value: float) -> str:
    return f"{Decimal(value):f}"


def test_accepts_every_kl_bound_that_bounds_proposes() -> None:
    dice = random.Random(4)  # noqa: S311
    for _ in range(1000):
        case = random_theorem(dice)
        audit = priced(n=case["n"], share=case["delta"], paid=case["weight"].denominator)
        text = decimal_up(kl_bound(**case))
        audit.maurer("bound", exactly(case["risk"]), exactly(case["kl"]), text)
        signed = case["kl"] * dice.choice([1, -1])
        names = {"n": case["n"], "risk": case["risk"], "delta": case["delta"]}
        bound = disintegrated_bound(**names, weight=case["weight"], log_ratio=signed)
        audit.maurer("bound", exactly(case["risk"]), exactly(signed), decimal_up(bound))


def test_accepts_every_catoni_bound_that_bounds_proposes() -> None:
    dice = random.Random(11)  # noqa: S311
    for _ in range(1000):
        case, c = random_theorem(dice), f"{10 ** dice.uniform(-4, 2):.6g}"
        audit = priced(n=case["n"], share=case["delta"], paid=case["weight"].denominator)
        audit.doc = {"bound": {"parameter": c}}
        text = decimal_up(catoni_bound(**case, c=c))
        audit.catoni("bound", exactly(case["risk"]), exactly(case["kl"]), text)


def test_accepts_every_occam_bound_that_bounds_proposes() -> None:
    dice = random.Random(12)  # noqa: S311
    for _ in range(300):
        errors, n, delta = random_counts(dice)
        nats = dice.choice(["0", f"{10 ** dice.uniform(-3, 5):.12g}"])
        text = decimal_up(occam_bound(errors=errors, n=n, nats=nats, delta=delta))
        audit = priced(n=n, share=delta, mc={"errors": errors})
        audit.occam("bound", "unused", nats, text)


def test_float_up_never_goes_down() -> None:
    dice = random.Random(5)  # noqa: S311
    for _ in range(500):
        text = f"{dice.random():.17f}"
        assert Decimal(math.nextafter(float_up(text), 0)) < Decimal(text) <= Decimal(float_up(text))
