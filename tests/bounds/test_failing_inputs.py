"""Inputs on which published code and libraries return a value below the truth, or nonsense."""

import math
from fractions import Fraction

import pytest

from pacbayes.bounds import binomial_upper, kl_bound, kl_inverse_upper
from pacbayes.errors import UsageError
from tests.bounds import oracle

# q, c, what others return, the truth (as printed in their reports)
KL_INVERSE = [
    (1.0, 0.1, 0.0, 1.0),
    (0.999995, 0.1, 0.0, 1.0),
    (0.99999, 1e-6, 0.0, 0.99999383),
    (0.02, 0.01, 0.04651579379764831, 0.04651592106776768),
    (0.47564316327016365, 0.6188622380327073, 0.9106202662880631, 0.9106276123251086),
    (0.1, 30.0, 0.99999313344, 0.9999999999999977),
    (0.9999999, 0.25, 0.778790225, 1.0),
    (0.9999991007434924, 0.2514888917727336, -2.89e16, 1.0),
    (0.029933415288327703, 2.6516812029082176e-8, 0.0288172923, 0.0299726742),
    (0.0, 1e-8, -4.2e-8, 1e-8),
    (0.02, 2e-4, 0.0229290220, 0.0229291409),
    (0.23951698894263013, 1.4961927558125368e-7, 0.2396794260, 0.2397505058),
    (0.18618905498007102, 1.6629861247674982e-4, 0.1933556497, 0.1933572253),
    (3.671011535823135e-8, 5.17e-8, 8.94e-8, 1.3666e-7),
    (0.03307557759262957, 9.289339146327711e-4, 0.041368801218733334, 0.04136880121923188),
    (0.08838612051225853, 2.408917838721473e-8, 0.08844843881753234, 0.08844843881768889),
    (0.19376891354856843, 1.5316548957860091e-4, 0.20074884611172697, 0.20074884611172997),
]


@pytest.mark.parametrize(("q", "c", "others", "truth"), KL_INVERSE)
def test_kl_inverse_where_others_are_low(q: float, c: float, others: float, truth: float) -> None:
    value = kl_inverse_upper(q=q, c=c)
    assert value > others
    assert value == pytest.approx(truth, rel=1e-4 if q < 1e-7 else 1e-6)
    if q < 1.0:
        bound = oracle.ball(c)
        assert oracle.slack(lambda p: oracle.kl_holds(Fraction(q), bound, p), value) == 0


@pytest.mark.parametrize(
    ("q", "c"),
    [(1.2, 0.1), (math.nan, 0.1), (0.5, math.nan), (0.5, -1e-300), (-1e-300, 0.1), ("x", 0.1)],
)
def test_kl_inverse_refuses_nonsense(q: float | str, c: float) -> None:
    with pytest.raises(UsageError):
        kl_inverse_upper(q=q, c=c)


def test_a_risk_above_one_from_dividing_by_the_last_batch_index_is_refused() -> None:
    with pytest.raises(UsageError, match="risk must be in"):
        kl_bound(risk=1.2, kl=0, n=1000, delta="0.05")


# errors, trials, delta, what others return; tail over delta was up to 1e42 there
BINOMIAL_LOW = [
    (37, 10**6, 9.886584807757856e-275, 7.2997e-4),
    (38, 680489, 1.5026229272725554e-295, 1.0685e-3),
    (20, 22, 3.6154571069018467e-29, 0.9999999999999996),
    (999999999, 10**9, 5.772747756226989e-8, 0.9999999999999999),
    (8206, 60000, 0.001, 0.14115038649826167),
    (7, 100000, 6.845136065286791e-17, 5.6578e-4),
    (0, 111, 1.687343800042037e-16, 0.27726857444677755),
    (0, 100, 1.7298227655845277e-15, 0.28797490220146416),
    (32, 1375, 2.305023416039136e-14, 0.06851341129431963),
    (95, 52069, 1.0661286041133924e-15, 3.7493e-3),
    (2971, 10**9, 1.3737371055233095e-5, 3.2062e-6),
    (999999999, 10**9, 4.638649859991254e-12, 0.9999999999999999),
    (3, 416543, 1.6159037996554534e-13, 9.2511e-5),
    (0, 100, 0.001, 0.0),
    (57, 100, 0.001, 0.7101950976),
    (9, 10, 1.2134049353568462e-12, 0.9980387772),
]

# safe there, but useless: up to 118 times the truth
BINOMIAL_HIGH = [
    (10, 100000, 5e-12, 0.0594, 5.03e-4),
    (0, 1000, 5e-8, 0.9999998643, 0.01667),
]


@pytest.mark.parametrize(("errors", "trials", "delta", "others"), BINOMIAL_LOW)
def test_binomial_where_others_are_low(
    errors: int, trials: int, delta: float, others: float
) -> None:
    value = binomial_upper(errors=errors, trials=trials, delta=delta)
    assert value > others * (1 - 1e-4)  # some were reported with five digits only
    share = Fraction(delta)
    assert oracle.slack(lambda p: oracle.tail_holds(errors, trials, share, p), value) == 0


@pytest.mark.parametrize(("errors", "trials", "delta", "others", "truth"), BINOMIAL_HIGH)
def test_binomial_where_others_are_useless(
    errors: int, trials: int, delta: float, others: float, truth: float
) -> None:
    value = binomial_upper(errors=errors, trials=trials, delta=delta)
    assert value == pytest.approx(truth, rel=1e-3)
    assert value < others / 50
