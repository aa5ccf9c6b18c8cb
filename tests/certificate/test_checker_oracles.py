"""Every claim recomputed twice: with ``bounds``, and from the formulas in Arb."""

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import flint
import pytest
from flint import arb

from pacbayes.bounds import (
    Stage,
    catoni_bound,
    disintegrated_bound,
    kl_bound,
    occam_bound,
    recursive_bound,
)
from pacbayes.bounds import (
    test_set_bound as unseen_bound,
)
from pacbayes.certificate import Certificate
from tests.certificate.cases import CASES

Document = dict[str, Any]
ULPS = 8 * 2.0**-52
"""A published double is at most 8 ulp above what the evidence supports, and never below."""


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    before = flint.ctx.prec
    flint.ctx.prec = 160
    yield
    flint.ctx.prec = before


def share_of(document: Document, purpose: str) -> Fraction:
    return sum(Fraction(s["share"]) for s in document["delta_shares"] if s["purpose"] == purpose)


def weight_of(document: Document) -> Fraction:
    return math.prod((Fraction(u["weight"]) for u in document["union"]), start=Fraction(1))


def nats_of(document: Document) -> Fraction:
    """The sum of all items, exactly."""
    tensors = document["posterior"]["tensors"]
    return sum(Fraction(item) for tensor in tensors for item in tensor["kl"].values())


# --- with bounds


def by_bounds(document: Document) -> float:
    evidence, bound = document["evidence"], document["bound"]
    facts = {"n": document["data"]["n"], "delta": share_of(document, "theorem")}
    weight, risk, kl = weight_of(document), evidence["risk_upper"], evidence["kl_upper"]
    price = facts["delta"] * weight
    if bound["id"] == "recursive":
        stages = [
            Stage(
                n=stage["n"],
                kl=stage["kl_upper"],
                risks=tuple(part["mc_risk_upper"] for part in stage["parts"]),
                gamma=stage["gamma"] if place else None,
            )
            for place, stage in enumerate(document["stages"])
        ]
        return recursive_bound(stages=stages, delta=facts["delta"], weight=weight)
    rules: dict[str, Callable[[], float]] = {
        "pb-kl-maurer": lambda: kl_bound(risk=risk, kl=kl, weight=weight, **facts),
        "catoni": lambda: catoni_bound(
            risk=risk, kl=kl, weight=weight, c=bound["parameter"], **facts
        ),
        "disintegrated": lambda: disintegrated_bound(
            risk=risk, log_ratio=kl, weight=weight, **facts
        ),
        "occam": lambda: occam_bound(errors=evidence["errors"], nats=kl, n=facts["n"], delta=price),
        "test-set": lambda: unseen_bound(errors=evidence["errors"], weight=weight, **facts),
    }
    return rules[bound["id"]]()


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_claim_is_that_of_bounds(certificates: dict[str, Certificate], case: str) -> None:
    document = certificates[case].document
    claim = float(document["claim"]["risk_upper"])
    assert claim == pytest.approx(by_bounds(document), rel=2 * ULPS, abs=0)


# --- from the formulas


def ball(value: Fraction | str) -> arb:
    exact = Fraction(value)
    return arb(exact.numerator) / arb(exact.denominator)


def kl(q: arb, p: arb) -> arb:
    first = q * (q / p).log() if q > 0 else arb(0)
    return first + (1 - q) * ((1 - q) / (1 - p)).log()


def tail(k: int, n: int, p: arb) -> arb:
    return (1 - p).beta_lower(arb(n - k), arb(k + 1), regularized=True)


def assert_least(text: str, holds: Callable[[arb], bool], *, mean: Fraction) -> None:
    """The value holds; what is 8 ulp lower does not, or lies below the mean."""
    if text == "1":
        assert not holds(arb(1) - ball(Fraction(1, 2**52)))
        return
    assert Fraction(text) >= mean
    assert holds(ball(text))
    lower = Fraction(text) * (1 - Fraction(2 * ULPS))
    assert lower < mean or not holds(ball(lower))


def need(document: Document, nats: Fraction, n: int, parts: int = 1) -> arb:
    price = share_of(document, "theorem") * weight_of(document) / parts
    return (ball(nats) - ball(price).log() + (4 * arb(n)).log() / 2) / n


def assert_gibbs_count(
    document: Document, text: str, errors: int, trials: int, counts: int
) -> None:
    tried = [u["choices"] for u in document["union"] if u["purpose"] == "priors tried"]
    delta = ball(share_of(document, "draws") / counts / math.prod(tried))
    if errors >= trials - 1:
        assert text == "1"
    else:
        assert_least(
            text, lambda p: tail(errors, trials, p) <= delta, mean=Fraction(errors, trials)
        )


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_counted_risk_is_that_of_its_formula(
    certificates: dict[str, Certificate], case: str
) -> None:
    document = certificates[case].document
    counts = document["mc"]
    if document["predictor"] == "gibbs":
        parts = max(1, sum(len(stage["parts"]) for stage in document["stages"]))
        text, errors, trials = counts["risk_upper"], counts["errors"], counts["trials"]
        assert_gibbs_count(document, text, errors, trials, parts)
    else:
        excess = Fraction(counts["risk_upper"]) - Fraction(counts["errors"], counts["trials"])
        assert 0 <= excess <= Fraction(1, 10**16)


@pytest.mark.parametrize("case", sorted(set(CASES) - {"recursive"}))
def test_the_claim_is_that_of_its_formula(certificates: dict[str, Certificate], case: str) -> None:
    document = certificates[case].document
    n, bound, text = document["data"]["n"], document["bound"], document["claim"]["risk_upper"]
    nats, errors = nats_of(document), document["mc"]["errors"]
    risk = Fraction(document["mc"]["risk_upper"])
    price = ball(share_of(document, "theorem") * weight_of(document))
    if bound["id"] in ("pb-kl-maurer", "disintegrated"):
        limit = need(document, nats, n)
        assert_least(text, lambda p: kl(ball(risk), p) >= limit, mean=risk)
    elif bound["id"] == "catoni":
        c = ball(bound["parameter"])
        top = 1 - (-c * ball(risk) - (ball(nats) - price.log()) / n).exp()
        assert_least(text, lambda p: p * (1 - (-c).exp()) >= top, mean=risk)
    else:
        limit = price * (-ball(nats)).exp()
        rate = Fraction(errors, n)
        assert_least(text, lambda p: tail(errors, n, p) <= limit, mean=rate)


def test_a_chain_is_that_of_its_formulas(certificates: dict[str, Certificate]) -> None:
    """Losses -gamma, 0, 1 - gamma and 1 are gamma, 1 - gamma and gamma apart."""
    document = certificates["recursive"].document
    stages, bound = document["stages"], Fraction(0)
    counts = sum(len(stage["parts"]) for stage in stages)
    for place, stage in enumerate(stages):
        gamma, n = Fraction(stage["gamma"]), stage["n"]
        steps = [gamma, 1 - gamma, gamma] if place else [Fraction(1)]
        limit = need(document, Fraction(stage["kl_upper"]), n, len(stages) * len(steps))
        bound = gamma * bound - gamma
        for step, part in zip(steps, stage["parts"], strict=True):
            text, risk = part["mc_risk_upper"], Fraction(part["mc_risk_upper"])
            assert_gibbs_count(document, text, part["errors"], stage["trials"], counts)
            assert_least(
                part["risk_upper"],
                lambda p, risk=risk, limit=limit: kl(ball(risk), p) >= limit,
                mean=risk,
            )
            bound += step * Fraction(part["risk_upper"])
    claim = Fraction(document["claim"]["risk_upper"])
    assert bound <= claim <= bound * (1 + Fraction(1, 10**16))


def test_the_nats_are_summed_upwards(certificate: Certificate) -> None:
    document = certificate.document
    told, exact = Decimal(document["posterior"]["kl_upper"]), nats_of(document)
    assert Fraction(told) >= exact
    assert Fraction(told) - exact <= abs(exact) / 10**16
