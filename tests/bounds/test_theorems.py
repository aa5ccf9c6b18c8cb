"""The theorems: order among them, prices, vacuity, and their formulas in Arb."""

import math
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import flint
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from pacbayes import bounds
from pacbayes.errors import UsageError
from tests.bounds import oracle

GIBBS: dict[str, Callable[..., float]] = {
    "kl": bounds.kl_bound,
    "xi": partial(bounds.kl_bound, constant="xi"),
    "quad": bounds.quad_bound,
    "mcallester": bounds.mcallester_bound,
    "thiemann": bounds.thiemann_bound,
    "thiemann 1/3": partial(bounds.thiemann_bound, lam="1/3"),
    "catoni": partial(bounds.catoni_bound, c=1.5),
    "catoni grid": partial(bounds.catoni_grid_bound, grid=["1/2", 1, 2, 4]),
    "rodriguez-galvez": bounds.rodriguez_galvez_bound,
    "rodriguez-galvez 0.9, 1.3": partial(bounds.rodriguez_galvez_bound, c="0.9", gamma="1.3"),
    "split-kl": lambda *, risk, **rest: bounds.split_kl_bound(values=[0, 1], risks=[risk], **rest),
    "recursive": lambda *, risk, kl, n, **rest: bounds.recursive_bound(
        stages=[bounds.Stage(n=n, kl=kl, risks=(risk,))], **rest
    ),
}

risks = st.floats(0.0, 1.0)
nats = st.one_of(st.floats(0.0, 100.0), st.floats(0.0, 1e6))
sizes = st.integers(1, 10**6)
deltas = st.floats(1e-300, 0.999, exclude_min=True)


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with flint.ctx.workprec(oracle.PRECISION):
        yield


@pytest.mark.parametrize("name", GIBBS)
@given(risk=risks, kl=nats, n=sizes, delta=deltas)
def test_a_bound_is_a_probability_from_the_risk_on(
    name: str, risk: float, kl: float, n: int, delta: float
) -> None:
    assert risk <= GIBBS[name](risk=risk, kl=kl, n=n, delta=delta) <= 1.0


@pytest.mark.parametrize("name", GIBBS)
@given(risk=risks, kl=nats, n=sizes, delta=deltas)
def test_worse_evidence_gives_no_better_bound(
    name: str, risk: float, kl: float, n: int, delta: float
) -> None:
    bound = GIBBS[name]
    value = bound(risk=risk, kl=kl, n=n, delta=delta)
    assert value <= bound(risk=(1 + risk) / 2, kl=kl, n=n, delta=delta)
    assert value <= bound(risk=risk, kl=kl + 1, n=n, delta=delta)
    assert value <= bound(risk=risk, kl=kl, n=n, delta=delta / 2)
    assert value <= bound(risk=risk, kl=kl, n=n, delta=delta, weight="1/3")
    assert value >= bound(risk=risk, kl=kl, n=2 * n, delta=delta)


@given(risk=risks, kl=nats, n=sizes, delta=deltas)
def test_kl_is_the_tightest_of_its_family(risk: float, kl: float, n: int, delta: float) -> None:
    evidence = {"risk": risk, "kl": kl, "n": n, "delta": delta}
    best = bounds.kl_bound(**evidence)
    assert bounds.kl_bound(**evidence, constant="xi") <= best
    for name in ("quad", "mcallester", "thiemann", "thiemann 1/3", "rodriguez-galvez 0.9, 1.3"):
        assert best <= GIBBS[name](**evidence)
    linear = bounds.rodriguez_galvez_bound(**evidence)
    assert best - 2e-16 <= linear <= best + 1e-10


@given(risk=risks, kl=nats, n=sizes, delta=deltas)
def test_thiemann_at_its_best_is_quad(risk: float, kl: float, n: int, delta: float) -> None:
    evidence = {"risk": risk, "kl": kl, "n": n, "delta": delta}
    assert bounds.thiemann_bound(**evidence) == bounds.quad_bound(**evidence)
    assert bounds.thiemann_bound(**evidence, lam=0.7) >= bounds.quad_bound(**evidence)


def formulas(risk: arb, kl: arb, n: int, delta: arb) -> dict[str, arb]:
    """The closed forms, as in their papers."""
    c = (kl + (2 * arb(n).sqrt() / delta).log()) / n
    rate, lam = oracle.ball("3/2"), oracle.ball("1/3")
    exponent = rate * risk + (kl - delta.log()) / n
    slope, scale = oracle.ball("9/10"), oracle.ball("13/10")
    return {
        "quad": ((risk + c / 2).sqrt() + (c / 2).sqrt()) ** 2,
        "mcallester": risk + (c / 2).sqrt(),
        "thiemann 1/3": risk / (1 - lam / 2) + c / (lam * (1 - lam / 2)),
        "catoni": (1 - (-exponent).exp()) / (1 - (-rate).exp()),
        "rodriguez-galvez 0.9, 1.3": slope * scale * ((scale / (scale - 1)).log() * risk + c)
        + scale * (1 - slope * (1 - slope.log())),
    }


@pytest.mark.parametrize("risk", [0.0, 0.02, 0.4])
@pytest.mark.parametrize("kl", [0.0, 100.0, 5000.0])
@pytest.mark.parametrize("n", [100, 60000])
def test_closed_forms_are_rounded_up_by_at_most_an_ulp(risk: float, kl: float, n: int) -> None:
    for name, truth in formulas(oracle.ball(risk), oracle.ball(kl), n, oracle.ball("1/40")).items():
        value = GIBBS[name](risk=risk, kl=kl, n=n, delta="0.025")
        if truth >= 1:
            assert value == 1.0
        else:
            holds = lambda x: oracle.decided(oracle.ball(x) - truth)  # noqa: E731, B023
            assert 0 <= oracle.slack(holds, value) <= 1


# Theory page, n = 60,000, delta = .025: risk, kl, then kl, quad, McAllester.
PUBLISHED = [
    (".02", 100, ".0297", ".0306", ".0503"),
    (".02", 1000, ".0571", ".0678", ".1117"),
    (".02", 5000, ".1344", ".2051", ".2243"),
    (".10", 1000, ".1638", ".1772", ".1917"),
    (".10", 5000, ".2634", ".3374", ".3043"),
]


@pytest.mark.parametrize(("risk", "kl", "by_kl", "by_quad", "by_mcallester"), PUBLISHED)
def test_the_table_of_the_theory_page(
    risk: str, kl: int, by_kl: str, by_quad: str, by_mcallester: str
) -> None:
    """To the last digit; the page rounds five digits to four, so that 0.2050453... is .2051."""
    evidence: dict[str, Any] = {"risk": risk, "kl": kl, "n": 60000, "delta": "0.025"}
    for bound, digits in (
        (bounds.kl_bound, by_kl),
        (bounds.quad_bound, by_quad),
        (bounds.mcallester_bound, by_mcallester),
    ):
        five = Decimal(bound(**evidence)).quantize(Decimal("1e-5"), ROUND_HALF_UP)
        assert five.quantize(Decimal("1e-4"), ROUND_HALF_UP) == Decimal(digits)


def test_a_weight_is_paid_like_delta() -> None:
    evidence: dict[str, Any] = {"risk": "0.02", "kl": 10, "n": 1000}
    for bound in GIBBS.values():
        paid = bound(**evidence, delta="0.05", weight=Fraction(1, 1000))
        assert paid == bound(**evidence, delta="0.00005")
        assert paid > bound(**evidence, delta="0.05")
    tests = bounds.test_set_bound
    paid = tests(errors=3, n=100, delta="0.05", weight="1/10")
    assert paid == tests(errors=3, n=100, delta="0.005")


def test_a_grid_of_many_tensors_has_a_tiny_weight() -> None:
    """ln(256^100) = 554.517744447956..."""
    many = bounds.kl_bound(risk=0, kl=0, n=10**5, delta="0.05", weight=Fraction(1, 256**100))
    same = bounds.kl_bound(risk=0, kl="554.51774444795624", n=10**5, delta="0.05")
    assert many == pytest.approx(same, rel=1e-14)


@pytest.mark.parametrize("name", GIBBS)
def test_vacuous_is_exactly_one(name: str) -> None:
    bound = GIBBS[name]
    assert bound(risk=0.1, kl=math.inf, n=1000, delta=0.05) == 1.0
    assert bound(risk=0.1, kl="1e12", n=1000, delta=0.05) == 1.0
    assert bound(risk=1, kl=0, n=10**9, delta=0.05) == 1.0


def test_the_limits_of_free_constants_are_vacuous_not_errors() -> None:
    evidence: dict[str, Any] = {"risk": 0.1, "kl": 1, "n": 1000, "delta": 0.05}
    assert bounds.thiemann_bound(**evidence, lam=2 - Fraction(1, 10**90)) == 1.0
    assert bounds.thiemann_bound(**evidence, lam=5e-324) == 1.0
    assert bounds.catoni_bound(**evidence, c=5e-324) == 1.0
    assert bounds.catoni_bound(**evidence, c=1e308) == 1.0


def test_catoni_at_huge_samples_is_never_below_the_risk() -> None:
    assert bounds.catoni_bound(risk=1, kl=0, n=10**12, delta=0.05, c=1) == 1.0
    assert bounds.catoni_bound(risk=0.5, kl=0, n=10**15, delta=0.05, c="1e-9") >= 0.5


@pytest.mark.parametrize("name", GIBBS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"risk": 1.1}, {"risk": -0.1}, {"risk": math.nan}, {"kl": -1e-9}, {"kl": math.nan},
        {"n": 0}, {"n": 100.0}, {"n": True}, {"delta": 0}, {"delta": 1}, {"delta": math.nan},
        {"weight": 0}, {"weight": "1.000000000000000001"}, {"weight": math.nan},
    ],
    ids=str,
)  # fmt: skip
def test_nonsense_is_refused(name: str, wrong: dict[str, Any]) -> None:
    evidence: dict[str, Any] = {"risk": 0.1, "kl": 1, "n": 100, "delta": 0.05}
    with pytest.raises(UsageError, match=next(iter(wrong))):
        GIBBS[name](**evidence | wrong)


@pytest.mark.parametrize("risk", [0, "1e-300", "0.02", 0.5, 1 - 2**-53, 1])
@pytest.mark.parametrize("n", [1, 60000, 10**30, 10**60])
def test_the_best_tangent_is_the_kl_bound(risk: float | str, n: int) -> None:
    evidence: dict[str, Any] = {"risk": risk, "kl": "0.5", "n": n, "delta": "0.05"}
    best = bounds.kl_bound(**evidence)
    assert best - 2e-16 <= bounds.rodriguez_galvez_bound(**evidence) <= best + 1e-10


def test_tangents_take_both_constants_or_none() -> None:
    evidence: dict[str, Any] = {"risk": 0.1, "kl": 1, "n": 100, "delta": 0.05}
    linear = bounds.rodriguez_galvez_bound
    assert linear(**evidence, c=1, gamma=1 + Fraction(1, 10**90)) == 1.0
    assert linear(**evidence, c=1e-300, gamma=1e300) == 1.0
    assert linear(**evidence, constant="xi") < linear(**evidence)
    for wrong in ({"c": "0.5"}, {"gamma": 2}):
        with pytest.raises(UsageError, match="both c and gamma"):
            linear(**evidence, **wrong)
    for c in (0, 1.1, math.nan, -1):
        with pytest.raises(UsageError, match="c "):
            linear(**evidence, c=c, gamma=2)
    for gamma in (1, 0.5, math.inf, math.nan):
        with pytest.raises(UsageError, match="gamma"):
            linear(**evidence, c="0.5", gamma=gamma)


def test_a_grid_pays_for_all_of_its_rates() -> None:
    evidence: dict[str, Any] = {"risk": 0.1, "kl": 1, "n": 100, "delta": 0.05}
    grid = [Fraction(1, 2), 1, 2, 4]
    found = bounds.catoni_grid_bound(**evidence, grid=grid)
    each = [bounds.catoni_bound(**evidence, c=c, weight=Fraction(1, 4)) for c in grid]
    assert found == min(each) < bounds.catoni_grid_bound(**evidence, grid=[*grid, 1000])
    with pytest.raises(UsageError, match="empty"):
        bounds.catoni_grid_bound(**evidence, grid=[])
    with pytest.raises(UsageError, match="c "):
        bounds.catoni_grid_bound(**evidence, grid=[1, -1])


def test_unknown_constants_and_rates_are_refused() -> None:
    evidence: dict[str, Any] = {"risk": 0.1, "kl": 1, "n": 100, "delta": 0.05}
    with pytest.raises(UsageError, match="constant"):
        bounds.kl_bound(**evidence, constant="sqrt(n)")
    for lam in (0, 2, math.nan):
        with pytest.raises(UsageError, match="lam"):
            bounds.thiemann_bound(**evidence, lam=lam)
    for c in (0, -1, math.inf, math.nan):
        with pytest.raises(UsageError, match="c "):
            bounds.catoni_bound(**evidence, c=c)


# --- xi


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 10, 17, 60, 150])
def test_xi_is_the_sum_that_defines_it(n: int) -> None:
    terms = (
        math.comb(n, k) * Fraction(k, n) ** k * Fraction(n - k, n) ** (n - k) for k in range(n + 1)
    )
    truth = sum(terms, start=Fraction(0))
    upper = Fraction(bounds.xi_upper(n))
    assert truth <= upper <= truth * (1 + Fraction(1, 10**30))


@pytest.mark.parametrize("n", [10**3, 6 * 10**4, 10**7])
def test_xi_lies_between_its_asymptote_and_its_bounds(n: int) -> None:
    """xi(n) = sqrt(pi n / 2) + 2/3 + O(1 / sqrt(n))."""
    value = float(bounds.xi_upper(n))
    assert math.sqrt(n) < value < 2 * math.sqrt(n)
    assert value == pytest.approx(math.sqrt(math.pi * n / 2) + 2 / 3, abs=0.2 / math.sqrt(n))


@pytest.mark.parametrize("n", [1, 2, 1000, 10**8])
def test_xi_is_an_incomplete_gamma_function(n: int) -> None:
    """Substituting n - i: xi(n) = e^n n^-n Gamma(n + 1, n), as closely as is promised."""
    truth = (arb(n) - n * arb(n).log()).exp() * arb(n).gamma_upper(arb(n + 1))
    excess = oracle.ball(Fraction(bounds.xi_upper(n))) / truth - 1
    assert not excess < 0
    assert oracle.decided(arb("1e-30") - excess)


def test_xi_saves_what_the_theory_page_says() -> None:
    saved = math.log(2 * math.sqrt(60000) / float(bounds.xi_upper(60000)))
    assert saved == pytest.approx(0.465, abs=1e-3)


def test_xi_is_not_summed_for_ever() -> None:
    with pytest.raises(UsageError, match="use 2sqrt"):
        bounds.kl_bound(risk=0, kl=0, n=10**12 + 1, delta=0.05, constant="xi")


# --- one classifier


@given(errors=st.integers(0, 100), others=st.integers(0, 100), length=st.floats(0, 1000))
def test_occam_pays_for_the_code(errors: int, others: int, length: float) -> None:
    n = errors + others + 1
    free = bounds.test_set_bound(errors=errors, n=n, delta="0.05")
    paid = bounds.occam_bound(errors=errors, n=n, nats=length, delta="0.05")
    assert free <= paid <= 1.0
    chernoff = bounds.kl_inverse_upper(
        q=Fraction(errors, n), c=Decimal((length + math.log(20)) / n).next_plus()
    )
    assert paid <= chernoff * (1 + 1e-9)


def test_occam_without_a_code_is_the_test_set_bound() -> None:
    found = bounds.occam_bound(errors=7, n=100, nats=0, delta="0.05")
    assert found == bounds.test_set_bound(errors=7, n=100, delta="0.05")
    eight = bounds.occam_bound(errors=7, n=100, nats="2.0794415416798359282516963643745", delta=0.5)
    assert eight == pytest.approx(
        bounds.test_set_bound(errors=7, n=100, delta=Fraction(1, 16)), rel=1e-15
    )


def test_nothing_but_errors_is_vacuous() -> None:
    assert bounds.occam_bound(errors=100, n=100, nats=1, delta="0.05") == 1.0


@pytest.mark.parametrize("length", ["1e9", "1e9999", math.inf])
def test_a_code_too_long_is_vacuous(length: str | float) -> None:
    for errors in (0, 3):
        assert bounds.occam_bound(errors=errors, n=100, nats=length, delta="0.05") == 1.0


@pytest.mark.parametrize(
    "wrong", [{"errors": 101}, {"errors": -1}, {"n": 0}, {"nats": -1}, {"delta": 2}], ids=str
)
def test_occam_refuses_nonsense(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        bounds.occam_bound(**{"errors": 1, "n": 100, "nats": 1, "delta": 0.05} | wrong)
