"""Losses of few values and chains of posteriors: formulas in Arb, order, refusals, coverage."""

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from pacbayes.bounds import (
    Stage,
    count_risks,
    excess_values,
    kl_bound,
    poisson_binomial_upper,
    recursive_bound,
    recursive_bounds,
    split_kl_bound,
)
from pacbayes.errors import UsageError
from tests.bounds import oracle
from tests.bounds.oracle import ball, decided

HALF = ["-0.5", 0, "0.5", 1]
EVIDENCE: dict[str, Any] = {"kl": 10, "n": 1000, "delta": "0.05"}


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with flint.ctx.workprec(oracle.PRECISION):
        yield


def split_truth(
    values: list[Fraction], risks: list[Fraction], kl: Fraction, n: int, delta: Fraction
) -> arb:
    """The formula in Arb, a hair below the truth."""
    c = (ball(kl) + (2 * len(risks) * arb(n).sqrt() / ball(delta)).log()) / n
    total = ball(values[0])
    for (low, high), risk in zip(itertools.pairwise(values), risks, strict=True):
        total += (ball(high) - ball(low)) * oracle.kl_inverse(risk, c)
    return total


levels = st.lists(st.fractions(-3, 3, max_denominator=50), min_size=2, max_size=5, unique=True)


@settings(max_examples=25)
@given(values=levels, data=st.data(), kl=st.fractions(0, 500), n=st.integers(1, 10**6))
def test_the_formula(values: list[Fraction], data: st.DataObject, kl: Fraction, n: int) -> None:
    values = sorted(values)
    shares = st.fractions(0, 1, max_denominator=1000)
    risks = sorted((data.draw(shares) for _ in values[1:]), reverse=True)
    found = split_kl_bound(values=values, risks=risks, kl=kl, n=n, delta="0.025")
    truth = split_truth(values, risks, kl, n, Fraction(1, 40))
    assert decided(ball(Fraction(found)) - truth + arb(2) ** -300)  # maybe equal, at the top
    # Each inverse errs by an ulp at most, times its step; the steps add up to the range.
    assert decided(truth + ball(values[-1] - values[0]) * 2**-50 - ball(Fraction(found)))
    assert found <= math.nextafter(float(values[-1]), math.inf)


@given(risk=st.floats(0, 1), kl=st.floats(0, 1e5), n=st.integers(1, 10**7))
def test_two_values_are_the_kl_bound(risk: float, kl: float, n: int) -> None:
    evidence: dict[str, Any] = {"kl": kl, "n": n, "delta": "0.05"}
    found = split_kl_bound(values=[0, 1], risks=[risk], **evidence)
    assert found == kl_bound(risk=risk, **evidence)
    stage = Stage(n=n, kl=kl, risks=(risk,))
    assert recursive_bounds(stages=[stage], delta="0.05") == (found,)


def test_worse_evidence_gives_no_better_bound() -> None:
    risks = ["0.9", "0.05", "0.01"]
    value = split_kl_bound(values=HALF, risks=risks, **EVIDENCE)
    for worse in ({"kl": 11}, {"n": 999}, {"delta": "0.04"}, {"weight": "1/2"}):
        assert split_kl_bound(values=HALF, risks=risks, **EVIDENCE | worse) > value
    for risks in (["0.91", "0.05", "0.01"], ["0.9", "0.06", "0.01"], ["0.9", "0.05", "0.02"]):
        assert split_kl_bound(values=HALF, risks=risks, **EVIDENCE) > value
    better = split_kl_bound(values=HALF, risks=["0.9", "0.05", "0.01"], constant="xi", **EVIDENCE)
    assert better < value


def test_limits() -> None:
    wide = split_kl_bound(values=[-(10**300), 10**300], risks=[1], **EVIDENCE)
    assert wide == 1e300
    assert split_kl_bound(values=HALF, risks=[1, 1, 1], **EVIDENCE) == 1.0
    assert split_kl_bound(values=HALF, risks=[0, 0, 0], **EVIDENCE | {"kl": math.inf}) == 1.0
    never = split_kl_bound(values=HALF, risks=[0, 0, 0], kl=0, n=10**12, delta="0.05")
    assert -0.5 < never < -0.499
    third = [Fraction(-1, 3), Fraction(1, 3)]
    assert Fraction(split_kl_bound(values=third, risks=[1], **EVIDENCE)) >= Fraction(1, 3)


@pytest.mark.parametrize(
    ("values", "risks", "match"),
    [
        ([0], [], "at least two"),
        ([], [], "at least two"),
        ([0, 0], [0.1], "rise strictly"),
        ([1, 0], [0.1], "rise strictly"),
        ([0, 1, 1], [0.1, 0.1], "rise strictly"),
        ([0, 1.1e300], [0.1], "between"),
        ([-1.1e300, 0], [0.1], "between"),
        ([0, math.inf], [0.1], "between"),
        ([0, math.nan], [0.1], "NaN"),
        ([0, 1], [], "need 1 risks"),
        ([0, 1], [0.1, 0.1], "need 1 risks"),
        (HALF, [0.1, 0.2, 0.1], "must not rise"),
        (HALF, [0.3, 0.2, math.nan], "NaN"),
        (HALF, [1.1, 0.2, 0.1], "risk must"),
    ],
)
def test_nonsense_is_refused(values: list[Any], risks: list[Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        split_kl_bound(values=values, risks=risks, **EVIDENCE)


# --- chains

CHAIN = [
    Stage(n=1000, kl=20, risks=("0.2",)),
    Stage(n=700, kl=10, risks=("0.98", "0.08", "0.02"), gamma="0.5"),
    Stage(n=400, kl=5, risks=("0.99", "0.06", "0.02"), gamma="0.4"),
]


def test_the_recursion_by_hand() -> None:
    first, second, third = recursive_bounds(stages=CHAIN, delta="0.05")
    share = Fraction(1, 20) / 3
    assert first == kl_bound(risk="0.2", kl=20, n=1000, delta=share)
    evidence: dict[str, Any] = {"risks": CHAIN[1].risks, "kl": 10, "n": 700, "delta": share}
    excess = split_kl_bound(values=HALF, **evidence)
    assert second == pytest.approx(excess + 0.5 * first, abs=2e-16)
    assert Fraction(second) >= Fraction(excess) + Fraction(first) / 2
    values = [Fraction(v) for v in excess_values("0.4")]
    truth = split_truth(
        values, [Fraction(r) for r in ("0.99", "0.06", "0.02")], Fraction(5), 400, share
    )
    total = truth + ball("0.4") * ball(Fraction(second))
    assert decided(ball(Fraction(third)) - total)
    assert decided(total + ball("1e-15") - ball(Fraction(third)))
    assert recursive_bound(stages=CHAIN, delta="0.05") == third


def test_each_step_pays_ln_6_t_sqrt_n() -> None:
    """Theory page: E_t with ln(6 T sqrt(n_t) / delta), B_1 with ln(2 T sqrt(n) / delta)."""
    c = (10 + math.log(6 * 3 * math.sqrt(700) / 0.05)) / 700
    inverses = [float(oracle.kl_inverse(Fraction(r), ball(c))) for r in CHAIN[1].risks]
    first, second, _ = recursive_bounds(stages=CHAIN, delta="0.05")
    assert second == pytest.approx(-0.5 + sum(inverses) / 2 + first / 2, abs=1e-12)


def test_chains_are_monotone_and_pay_like_delta() -> None:
    value = recursive_bound(stages=CHAIN, delta="0.05")
    assert recursive_bound(stages=CHAIN, delta="0.04") > value
    paid = recursive_bound(stages=CHAIN, delta="0.05", weight="1/7")
    assert paid == recursive_bound(stages=CHAIN, delta=Fraction(1, 140)) > value
    assert recursive_bound(stages=CHAIN, delta="0.05", constant="xi") < value
    worse = [Stage(n=1000, kl=30, risks=("0.2",)), *CHAIN[1:]]
    assert recursive_bound(stages=worse, delta="0.05") > value


def test_a_chain_stays_a_probability() -> None:
    hopeless = Stage(n=10, kl=1e6, risks=("0.5",))
    vacuous = Stage(n=10, kl=1e6, risks=(1, 1, 1), gamma="0.9")
    assert recursive_bounds(stages=[hopeless, vacuous], delta="0.05") == (1.0, 1.0)
    perfect = Stage(n=10**15, kl=0, risks=(0,))
    too_good = Stage(n=10**15, kl=0, risks=(0, 0, 0), gamma="0.9")
    assert recursive_bounds(stages=[perfect, too_good], delta="0.05")[1] == 0.0


@pytest.mark.parametrize(
    ("stages", "match"),
    [
        ([], "no stages"),
        (CHAIN[1:], "first stage"),
        ([Stage(n=10, kl=0, risks=(0, 0))], "first stage"),
        ([CHAIN[0], CHAIN[0]], "gamma"),
        ([CHAIN[0], Stage(n=10, kl=0, risks=(0,), gamma="0.5")], "need 3 risks"),
        ([CHAIN[0], Stage(n=10, kl=0, risks=(0, 0, 0), gamma=1)], "gamma must"),
        ([CHAIN[0], Stage(n=10, kl=0, risks=(0, 0, 0), gamma=0)], "gamma must"),
        ([Stage(n=10, kl=-1, risks=(0,))], "kl must"),
    ],
)
def test_broken_chains_are_refused(stages: list[Stage], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        recursive_bounds(stages=stages, delta="0.05")


def test_counts_share_one_delta() -> None:
    found = count_risks(counts=[99, 30, 10], trials=100, delta="0.03")
    assert found == (
        1.0,
        poisson_binomial_upper(errors=30, trials=100, delta="0.01"),
        poisson_binomial_upper(errors=10, trials=100, delta="0.01"),
    )
    with pytest.raises(UsageError, match="no counts"):
        count_risks(counts=[], trials=100, delta="0.03")
    with pytest.raises(UsageError, match="errors must"):
        count_risks(counts=[101], trials=100, delta="0.03")


# --- coverage


def excess_losses(rng: np.random.Generator, runs: int, n: int) -> np.ndarray:
    """Counts of X = -1/2, 0, 1/2, 1, of probabilities .05, .9, .03, .02: mean .01."""
    return rng.multinomial(n, [0.05, 0.9, 0.03, 0.02], size=runs)


def violations(tails: np.ndarray, n: int) -> int:
    """How often the bound from the shares of b_j or more lies below the true mean .01."""
    found = 0
    kinds, repeats = np.unique(tails, axis=0, return_counts=True)
    for kind, times in zip(kinds.tolist(), repeats.tolist(), strict=True):
        shares = [Fraction(count, n) for count in sorted(kind, reverse=True)]
        value = split_kl_bound(values=HALF, risks=shares, kl=0, n=n, delta="0.05")
        found += times * (value < 0.01)
    return found


def test_coverage_with_a_known_mean() -> None:
    """At most delta, and the misuse of P(X = b_j) for P(X >= b_j) is seen in nearly all runs."""
    counts = excess_losses(np.random.default_rng(1), 2000, 400)
    cumulated = np.flip(np.cumsum(np.flip(counts, 1), 1), 1)[:, 1:]
    assert violations(cumulated, 400) <= 2000 * 0.05
    masses = counts[:, [2, 3, 0]] * [1, 1, 0]  # zeros are the lion's share, so drop them too
    assert violations(masses, 400) > 2000 * 0.99
