"""One classifier drawn once: formulas in Arb, the sign of the ratio, refusals, coverage."""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.bounds import catoni_bound, disintegrated_bound, kl_bound, vote_bound, xi_upper
from pacbayes.errors import UsageError
from tests.bounds import oracle
from tests.bounds.oracle import ball, decided

EVIDENCE: dict[str, Any] = {"risk": "0.02", "n": 1000, "delta": "0.05"}


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with flint.ctx.workprec(oracle.PRECISION):
        yield


shares = st.fractions(0, 1, max_denominator=10**6)
ratios = st.fractions(-15, 2000)
sizes = st.integers(1, 10**6)


@given(risk=shares, ratio=ratios, n=sizes)
def test_formulas(risk: Fraction, ratio: Fraction, n: int) -> None:
    delta = ball("1/40")
    evidence: dict[str, Any] = {"risk": risk, "log_ratio": ratio, "n": n, "delta": "0.025"}
    nats = ball(ratio) - delta.log()
    price = nats + (2 * arb(n).sqrt()).log()
    value = disintegrated_bound(**evidence)
    if price < 0:
        assert value == 1.0
    else:
        holds = lambda p: oracle.kl_holds(risk, price / n, p)  # noqa: E731
        assert 0 <= oracle.slack(holds, value) <= 1
    exponent = ball("3/2") * ball(risk) + nats / n
    truth = (1 - (-exponent).exp()) / (1 - (-ball("3/2")).exp())
    value = disintegrated_bound(**evidence, kind="catoni", c=1.5)
    if exponent < 0 or truth >= 1:
        assert value == 1.0
    else:
        assert 0 <= oracle.slack(lambda p: decided(ball(p) - truth), value) <= 1


@given(risk=shares, order_two=st.fractions(0, 2000), n=sizes)
def test_renyi_pays_eight_over_delta_cubed(risk: Fraction, order_two: Fraction, n: int) -> None:
    value = disintegrated_bound(
        risk=risk, log_ratio=order_two, n=n, delta="0.025", kind="renyi", weight="1/3"
    )
    price = ball(order_two) + (2 * arb(n).sqrt() * 8 / ball("1/120") ** 3).log()
    holds = lambda p: oracle.kl_holds(risk, price / n, p)  # noqa: E731
    assert 0 <= oracle.slack(holds, value) <= 1


def test_a_positive_ratio_is_paid_like_a_divergence() -> None:
    assert disintegrated_bound(**EVIDENCE, log_ratio=7) == kl_bound(**EVIDENCE, kl=7)
    found = disintegrated_bound(**EVIDENCE, log_ratio=7, constant="xi", weight="1/3")
    assert found == kl_bound(**EVIDENCE, kl=7, constant="xi", weight="1/3")
    found = disintegrated_bound(**EVIDENCE, log_ratio=7, kind="catoni", c=2)
    assert found == catoni_bound(**EVIDENCE, kl=7, c=2)


def test_the_sign_of_the_ratio_counts() -> None:
    for kind in ({}, {"kind": "catoni", "c": 1}):
        below = disintegrated_bound(**EVIDENCE, log_ratio=-2, **kind)
        assert below < disintegrated_bound(**EVIDENCE, log_ratio=0, **kind)


def test_a_price_that_contradicts_the_theorem_is_vacuous() -> None:
    """ln(2 sqrt(1000) / 0.05) = 7.14: below that ratio the event has failed."""
    price = math.log(2 * math.sqrt(1000) / 0.05)
    assert disintegrated_bound(**EVIDENCE, log_ratio=-price - 1e-9) == 1.0
    assert disintegrated_bound(**EVIDENCE, log_ratio=-price + 1e-9) < 0.021
    exponent = 0.02 * 1000 + math.log(20)
    catoni: dict[str, Any] = {"kind": "catoni", "c": 1}
    assert disintegrated_bound(**EVIDENCE, log_ratio=-exponent - 1e-9, **catoni) == 1.0
    assert disintegrated_bound(**EVIDENCE, log_ratio=-exponent + 1e-9, **catoni) < 1e-9


def test_limits() -> None:
    for kind in ({}, {"kind": "catoni", "c": 1}, {"kind": "renyi"}):
        assert disintegrated_bound(**EVIDENCE, log_ratio=math.inf, **kind) == 1.0
        assert disintegrated_bound(**EVIDENCE, log_ratio="1e9999", **kind) == 1.0
        assert disintegrated_bound(**EVIDENCE | {"risk": 1}, log_ratio=0, **kind) == 1.0
    tiny = disintegrated_bound(**EVIDENCE | {"delta": "1e-9000"}, log_ratio=0, kind="renyi")
    assert tiny == 1.0


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"log_ratio": -math.inf}, "minus infinity"),
        ({"log_ratio": math.nan}, "log_ratio"),
        ({"log_ratio": -1, "kind": "renyi"}, "log_ratio must not be negative"),
        ({"kind": "catoni"}, "belongs"),
        ({"c": 1}, "belongs"),
        ({"kind": "catoni", "c": 0}, "c must"),
        ({"kind": "mean"}, "kind must"),
        ({"constant": "n"}, "constant"),
        ({"risk": 1.1}, "risk"),
        ({"n": 0}, "n must"),
        ({"delta": 0}, "delta"),
        ({"weight": 2}, "weight"),
    ],
    ids=str,
)
def test_nonsense_is_refused(wrong: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        disintegrated_bound(**EVIDENCE | {"log_ratio": 1} | wrong)


def test_the_vote_pays_twice() -> None:
    assert vote_bound(gibbs=0) == 0.0
    assert vote_bound(gibbs=0.3) == 0.6
    assert vote_bound(gibbs=0.5) == vote_bound(gibbs=1) == 1.0
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(UsageError, match="gibbs"):
            vote_bound(gibbs=wrong)


def test_the_vote_of_three_classes_attains_the_factor() -> None:
    """Half of the posterior errs everywhere, in two ways: the Gibbs risk is 1/2, the vote's 1."""
    weights = {"right": 0.5, "wrong": 0.5}
    assert vote_bound(gibbs=weights["wrong"]) == 1.0


# --- coverage: K classifiers of risk .2 each, a uniform prior, and the best of them on n examples


def drawn_errors(runs: int, choices: int, n: int, *, best: float) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the classifier drawn, and ln dQ/dP: the best with a chance, else any of them."""
    rng = np.random.default_rng(7)
    errors = rng.binomial(n, 0.2, size=(runs, choices))
    winner = errors.argmin(axis=1)
    uniform = rng.integers(choices, size=runs)
    drawn = np.where(rng.random(runs) < best, winner, uniform)
    mass = (1 - best) / choices + best * (drawn == winner)
    return errors[np.arange(runs), drawn], np.log(mass * choices)


def violations(errors: np.ndarray, ratios: np.ndarray, n: int, **kind: Any) -> int:
    pairs, repeats = np.unique(np.stack([errors, ratios]), axis=1, return_counts=True)
    found = 0
    for wrong, ratio, times in zip(*pairs.tolist(), repeats.tolist(), strict=True):
        value = disintegrated_bound(
            risk=Fraction(int(wrong), n), log_ratio=ratio, n=n, delta="0.05", **kind
        )
        found += times * (value < 0.2)
    return found


XI = {"constant": "xi"}


@pytest.mark.parametrize("kind", [XI, XI | {"kind": "renyi"}, {"kind": "catoni", "c": 1}], ids=str)
def test_coverage_of_a_selected_classifier(kind: dict[str, Any]) -> None:
    """At most delta; and with the price of the selection left out, seen in most runs."""
    errors, ratios = drawn_errors(1000, 10**4, 200, best=1.0)
    assert violations(errors, ratios, 200, **kind) <= 1000 * 0.05
    if kind != XI | {"kind": "renyi"}:
        assert violations(errors, 0 * ratios, 200, **kind) > 1000 * 0.5


def test_coverage_where_the_ratio_is_negative() -> None:
    errors, ratios = drawn_errors(1000, 1000, 200, best=0.5)
    assert ratios.min() < 0 < ratios.max()
    assert violations(errors, ratios, 200) <= 1000 * 0.05
    # The mean of the ratio, the divergence, is no substitute for the ratio of what was drawn.
    mean = np.full_like(ratios, math.log(0.5) * 0.5)
    assert violations(errors, mean, 200) > violations(errors, ratios, 200)


def test_xi_is_what_it_is_called() -> None:
    assert xi_upper(1000) < 2 * math.sqrt(1000)
