"""The checker's roundings, one by one: made coarse or pushed, none moves a verdict to unsafe.

At 50 digits an operation rounded the wrong way moves nothing that a certificate shows. So the same
rules run with a handful of digits, where each wrong direction does, and once for each operation
that is pushed by a millionth in the direction it claims.
"""

import math
import random
from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from typing import Any

import flint
import pytest
from flint import arb

from pacbayes.certificate import checker
from tests.bounds.oracle import ball, decided
from tests.bounds.test_directions import Clock, Pushed, require_outward
from tests.certificate.test_checker_arithmetic import priced

Holds = Callable[[Decimal], bool]


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with flint.ctx.workprec(400):
        yield


def captured(rule: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Holds:
    """The test that a rule puts to a published risk."""
    found: list[Holds] = []
    monkeypatch.setattr(checker, "require_tight", lambda _field, _text, holds: found.append(holds))
    rule()
    return found[-1]


def exactly_chosen(n: int, k: int) -> Decimal:
    """ln C(n, k) from the integer, to 60 digits and up."""
    wide = Context(prec=60, rounding=ROUND_CEILING)
    return wide.next_plus(wide.ln(Decimal(math.comb(n, k))))


# --- a handful of digits


@pytest.fixture(params=[3, 6], ids="{} digits".format)
def coarse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> random.Random:
    """Dice, with few digits for everything that is rounded."""
    for context in (checker.DOWN, checker.UP):
        monkeypatch.setattr(context, "prec", request.param)
    monkeypatch.setattr(checker, "log_choose", exactly_chosen)
    return random.Random(request.param)  # noqa: S311


def some(dice: random.Random) -> Decimal:
    """A probability of a few digits."""
    return Decimal(dice.randrange(1, 9999)) / 10**4


@pytest.mark.usefixtures("coarse")
def test_logarithms_are_enclosed(coarse: random.Random) -> None:
    for _ in range(200):
        x = Decimal(10 ** coarse.uniform(-20, 20))
        low, high = checker.log(x)
        truth = ball(Fraction(x)).log()
        assert decided(truth - ball(Fraction(low)))
        assert decided(ball(Fraction(high)) - truth)


def test_the_kl_is_a_lower_value(coarse: random.Random) -> None:
    for _ in range(500):
        q, p = sorted((some(coarse), some(coarse)))
        a, b = ball(Fraction(q)), ball(Fraction(p))
        assert decided(-(1 - b).log() - ball(Fraction(checker.kl_lower(Decimal(0), p))))
        if q < p:
            truth = (1 - a) * ((1 - a) / (1 - b)).log() + a * (a / b).log()
            assert decided(truth - ball(Fraction(checker.kl_lower(q, p))))


@pytest.mark.parametrize("unit", [2**4, 2**101, 2**104])
def test_tails_are_upper_values(
    coarse: random.Random, monkeypatch: pytest.MonkeyPatch, unit: int
) -> None:
    """With a coarse unit the terms, and the series that is left out, are rounded visibly."""
    monkeypatch.setattr(checker, "UNIT", unit)
    for _ in range(80):
        n = int(10 ** coarse.uniform(0, 1.8))
        k = coarse.choice([0, coarse.randrange(n), n // 10])
        p = Decimal(k) / n + (1 - Decimal(k) / n) * some(coarse)
        share = Fraction(p)
        terms = (math.comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(k + 1))
        assert sum(terms) <= Fraction(checker.binomial_tail(k, n, p))


def test_nats_are_an_upper_value(coarse: random.Random) -> None:
    for _ in range(200):
        n, parts, paid = (coarse.randrange(1, 10**4) for _ in range(3))
        kl, share = coarse.randrange(1000), Fraction(coarse.randrange(1, 10**4), 10007)
        price = (ball(parts * paid) / ball(share)).log() + kl
        audit = priced(n=n, share=share, paid=paid)
        assert decided(ball(Fraction(audit.nats(str(kl), 0, parts))) - price)
        alone = priced(n=n, share=share)
        assert decided(ball(Fraction(alone.nats("0"))) + ball(share).log())
        constant = (2 * arb(n).sqrt()).log()
        assert decided(ball(Fraction(audit.nats(str(kl), n, parts))) - price - constant)


def test_a_tail_is_inverted_at_no_more_than_its_share(
    coarse: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker, "binomial_tail", lambda _k, _n, p: p)
    for _ in range(300):
        share, kl = Fraction(1, coarse.randrange(2, 99)), str(some(coarse) * coarse.randrange(1, 9))
        audit = priced(n=9, share=share)
        holds = captured(lambda: audit.tail("", (1, 9), kl, "", share), monkeypatch)  # noqa: B023
        limit = ball(share) * (-ball(kl)).exp()
        assert not holds(Decimal(limit.upper().str(60, radius=False)))
        assert holds(Decimal((limit * (1 - arb("0.03"))).lower().str(9, radius=False)))


def test_catonis_bound_is_an_upper_value(
    coarse: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3000):
        risk, c = some(coarse), str(Decimal(coarse.randrange(1, 60)) / coarse.choice([10, 100]))
        n, kl = coarse.randrange(50, 10**6), coarse.randrange(50)
        audit = priced(n=n, share=Fraction(1, 20))
        audit.doc = {"bound": {"parameter": c}}
        holds = captured(lambda: audit.catoni("", str(risk), str(kl), ""), monkeypatch)  # noqa: B023
        mass = (-(ball(c) * ball(Fraction(risk)) + (kl + arb(20).log()) / n)).exp()
        truth = (1 - mass) / (1 - (-ball(c)).exp())
        assert not holds(Decimal(truth.lower().str(60, radius=False)) * Decimal("0.9999999999"))
        assert holds(Decimal(1)) or decided(truth - arb("0.95"))


# --- one operation at a time


class Nearest(Pushed):
    """Logarithms and exponentials are to nearest, and the checker steps off them by itself."""

    ln = Context.ln
    exp = Context.exp
    plussed = Decimal(0)

    def plus(self, a: Decimal) -> Decimal:  # type: ignore[override]
        type(self).plussed = a
        return super().plus(a)


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Contexts that push the operation which the clock names."""
    for name in ("DOWN", "UP", "UP_17"):
        plain = getattr(checker, name)
        traps = [signal for signal, trapped in plain.traps.items() if trapped]
        limits = {"Emin": plain.Emin, "Emax": plain.Emax, "traps": traps}
        monkeypatch.setattr(
            checker, name, Nearest(prec=plain.prec, rounding=plain.rounding, **limits)
        )
    monkeypatch.setattr(checker, "log_choose", exactly_chosen)
    Clock.chosen = 0
    yield monkeypatch
    Clock.chosen = 0


@pytest.mark.parametrize(("q", "p"), [("0", "0.3"), ("0.1", "0.3"), ("0.9", "0.99")])
@pytest.mark.usefixtures("pushed")
def test_pushes_make_no_kl_larger(q: str, p: str) -> None:
    require_outward(lambda: checker.kl_lower(Decimal(q), Decimal(p)), upward=False)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (30, 1000), (9, 10)])
@pytest.mark.usefixtures("pushed")
def test_pushes_make_no_tail_smaller(k: int, n: int) -> None:
    p = Decimal(k) / n + Decimal("0.05")
    require_outward(lambda: checker.binomial_tail(k, n, p), upward=True)


@pytest.mark.usefixtures("pushed")
def test_pushes_make_no_nats_smaller() -> None:
    audit = priced(n=300, share=Fraction(1, 30), paid=7)
    require_outward(lambda: audit.nats("1.25", 300, 3), upward=True)


def least(rule: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Fraction:
    """The smallest risk that a rule takes, to 2^-40; each question sees the same operations."""
    holds = captured(rule, monkeypatch)
    before, low, high = Clock.count, 0, 2**40
    while high - low > 1:
        middle, Clock.count = (low + high) // 2, before
        low, high = (low, middle) if holds(Decimal(middle) / 2**40) else (middle, high)
    return Fraction(high, 2**40)


def test_pushes_make_no_bound_smaller(pushed: pytest.MonkeyPatch) -> None:
    audit = priced(n=300, share=Fraction(1, 30), paid=7)
    audit.doc, audit.mc = {"bound": {"parameter": "1.5"}}, {"errors": 30}
    for rule in (audit.maurer, audit.catoni, audit.occam):
        require_outward(lambda: least(lambda: rule("", "0.1", "3.25", ""), pushed), upward=True)  # noqa: B023


def chain(*stages: tuple[int, str, list[str]]) -> Any:
    """The audit of a chain whose risks are taken as they are."""
    found = [
        {
            "n": n, "gamma": gamma, "trials": n, "kl_upper": "1", "posterior_sha256": "p",
            "indices_sha256": "i",
            "parts": [{"errors": 0, "mc_risk_upper": "0", "risk_upper": risk} for risk in risks],
        }
        for n, gamma, risks in stages
    ]  # fmt: skip
    audit = priced(n=stages[0][0], share=Fraction(1, 30))
    audit.doc, audit.data = {"stages": found}, {"indices_sha256": "i"}
    audit.posterior = {"sha256": "p"}
    audit.draws = audit.maurer = lambda *_: None
    return audit


THIRDS = "0.33333333333333333"
CHAIN = ((30, "0", [THIRDS]), (20, THIRDS, [THIRDS] * 3), (1, "0.7", ["0.9", "0.8", "0.7"]))


@pytest.mark.usefixtures("pushed")
def test_pushes_make_no_chain_smaller() -> None:
    def bound() -> Decimal:
        with pytest.raises(checker.Rejected, match="is not that of the stages"):
            chain(*CHAIN).recursive("claim", "0", "1", "0.5")
        return Nearest.plussed

    require_outward(bound, upward=True)


def test_a_chain_by_hand() -> None:
    one = chain((2, "0", ["0.25"]), (1, "0.5", ["0.75", "0.5", "0.25"]))
    # 0.5 * 0.25 of the first stage, and 0.5 * 0.75 + 0.5 * 0.5 + 0.5 * 0.25 - 0.5 of the second
    one.recursive("claim", "0", "1", "0.375")
    with pytest.raises(checker.Rejected, match="is not that of the stages"):
        one.recursive("claim", "0", "1", "0.37500000000000001")


def test_logarithms_and_exponentials_are_to_nearest_in_every_context() -> None:
    """So the checker steps off both, whatever the rounding of the context that computed them."""
    for text in ("2", "0.3", "1.0000000001", "12345678901"):
        x = Decimal(text)
        assert checker.UP.ln(x) == checker.DOWN.ln(x)
        assert checker.UP.exp(-x) == checker.DOWN.exp(-x)
        assert x.next_plus(checker.UP) == x.next_plus(checker.DOWN)
        assert x.next_minus(checker.UP) == x.next_minus(checker.DOWN)
