"""Golden vectors: digits that Arb rounded correctly, from another program at another time."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest

from pacbayes import bounds

PAC_BAYES_KL = [
    (0, 1, 0, "1/20", "0.9750000000000000000000000"),
    (0, 8, 0, "1/20", "0.4462683124846005719508289"),
    (0, 100, 0, "1/20", "0.05815507911697226896871542"),
    (5, 100, 0, "1/20", "0.1614194884683824772471765"),
    (0, 10**4, 0, "1/40", "0.0008983159544877618601030368"),
    (200, 10**4, 100, "1/40", "0.04800050313274210355801412"),
    (600, 30000, 2500, "1/40", "0.1345076882250385809281148"),
    (1200, 60000, 5000, "1/20", "0.1343401916716210518143487"),
    (3000, 60000, 20000, "1/20", "0.4006187184894439494177335"),
    (30000, 60000, 0, "1/20", "0.5087504866238025271531417"),
    (59999, 60000, 0, "1/20", "0.9999999993741956508073924"),
    (0, 60000, 300000, "1/20", "0.9932630849428344403863252"),
    (1, 10**9, 0, "1/20", "1.793740015646354078543610e-8"),
    (10**8, 10**9, 12, "1/20", "0.1000684908401024158976915"),
    (5 * 10**8, 10**9, 0, "1/20", "0.5000838168007477326880760"),
    (10**9 - 1, 10**9, 0, "1/20", "0.9999999999999997091656807"),
    (0, 10**9, 0, "1e-12", "3.868580046666610092341967e-8"),
    (100, 60000, 10**12, "1/20", "1"),
]

BINOMIAL = [
    (0, 100, "1/20", "0.02951304960703993450048"),
    (5, 100, "1/20", "0.1022533776432745088579"),
    (99, 100, "1/20", "0.9994871985837377078976"),
    (600, 30000, "1/40", "0.02164817334094330189239"),
    (1200, 60000, "1/20", "0.02096581428158290454958"),
    (8206, 60000, "1/1000", "0.1411503864982617196077"),
    (37, 10**6, "1e-12", "9.864644879782057357643e-5"),
    (3, 416543, "1e-13", "9.416954981633400951257e-5"),
    (10, 100000, "5e-12", "0.0005030609007572587219658"),
    (30, 10**9, "1/1000", "5.108312362742845505245e-8"),
    (10**8, 10**9, "1/20", "0.1000156058064825771761"),
    (10**9 - 1, 10**9, "1/20", "0.9999999999487067056138"),
    (0, 10**9, "1e-12", "2.763102073419188776970e-8"),
    (10**6, 10**8, "1/100", "0.01002317119125703907727"),
]

CHERNOFF = [
    (0, 1000, 10000, "1/100", "0.004594582648473037551939"),
    (12345, 1000, 1000, "1/100", "0.02609259863509800666207"),
    (900000, 1000, 60000, "1/100", "0.02977992802152359648146"),
    (600000, 10, 60000, "1/100", "1"),
    (90000000, 150000, 60000, "1/100", "0.01079984159629224135454"),
]


def require_next_double(value: float, digits: str) -> None:
    """The value is the first double from the true digits on; the digits end where they were cut."""
    truth = Decimal(digits)
    last_digit = Decimal(1).scaleb(truth.as_tuple().exponent) / 2  # type: ignore[arg-type]
    assert Decimal(value) >= truth - last_digit
    assert Decimal(math.nextafter(value, 0.0)) < truth + last_digit


@pytest.mark.parametrize(("errors", "n", "kl", "delta", "digits"), PAC_BAYES_KL)
def test_pac_bayes_kl(errors: int, n: int, kl: int, delta: str, digits: str) -> None:
    risk = Fraction(errors, n)
    require_next_double(bounds.kl_bound(risk=risk, kl=kl, n=n, delta=delta), digits)


@pytest.mark.parametrize(("errors", "trials", "delta", "digits"), BINOMIAL)
def test_binomial_tail_inversion(errors: int, trials: int, delta: str, digits: str) -> None:
    value = bounds.binomial_upper(errors=errors, trials=trials, delta=delta)
    require_next_double(value, digits)
    assert bounds.test_set_bound(errors=errors, n=trials, delta=delta) == value


@pytest.mark.parametrize(("errors", "draws", "n", "delta", "digits"), CHERNOFF)
def test_chernoff_over_draws(errors: int, draws: int, n: int, delta: str, digits: str) -> None:
    risk = Fraction(errors, draws * n)
    require_next_double(bounds.chernoff_upper(risk=risk, draws=draws, delta=delta), digits)


@pytest.mark.parametrize(
    ("n", "digits"),
    [(1, "2"), (2, "2.5"), (100, "13.20996063"), (1000, "40.30321293"), (5000, "89.29083034")],
)
def test_xi(n: int, digits: str) -> None:
    assert round(bounds.xi_upper(n), 8) == Decimal(digits)


def test_price_of_the_mask_of_lenet() -> None:
    """Theory page: 86.5k nats at 10 % and 41.3k at 3.6 % of 266,200 weights, N H(s)."""
    for kept, nats in ((26620, 86.5e3), (9583, 41.3e3)):
        price = float(bounds.entropy_price_upper(266200, kept, density=Fraction(kept, 266200)))
        assert abs(price - nats) < 50
        counted = float(bounds.count_prior_upper(266200, kept))
        assert price - 10 < counted < price + math.log(266201)
