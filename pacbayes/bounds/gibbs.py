"""PAC-Bayes bounds on the risk of the randomised (Gibbs) classifier.

All hold with probability at least 1 - delta over n independent examples that the prior has not
seen, for every posterior at once. ``risk`` is the empirical risk of the posterior or an upper value
of it, ``kl`` an upper value of KL(posterior, prior) in nats. What is returned is itself certified:
formulas are evaluated in directed decimal arithmetic and rounded up to a double.

``weight`` pays for choices on the prior's side: if one of several priors was chosen with the
examples in hand, each must have been given a weight beforehand, of sum at most 1, and the theorem
pays ``ln(1 / weight)`` for the chosen one. Choices that multiply (a grid of G scales on each of L
tensors) have the product of their weights, ``Fraction(1, G**L)``.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, SupportsIndex

from pacbayes.bounds.directed import DOWN, INFINITY, ONE, UP, end, exp, ln, log_inverse, sqrt
from pacbayes.bounds.doubles import double_up
from pacbayes.bounds.inputs import Number, amount, count, exact, probability, proper, union_weight
from pacbayes.bounds.kl import invert_kl
from pacbayes.bounds.xi import xi_upper
from pacbayes.errors import UsageError

Constant = Literal["2sqrt(n)", "xi"]

_TWO: Final = Decimal(2)


def kl_bound(
    *,
    risk: Number,
    kl: Number,
    n: SupportsIndex,
    delta: Number,
    constant: Constant = "2sqrt(n)",
    weight: Number = 1,
) -> float:
    """Return an upper bound on the Gibbs risk by inverting the binary kl: the one to report.

    The smallest double b with a proof that ``kl(risk, b) >= c``, where
    ``c = (kl + ln(2 sqrt(n)) + ln(1 / (weight delta))) / n``. Exactly 1.0 where vacuous.

    Args:
        risk: upper value of the posterior's empirical risk, in [0, 1], for a loss in [0, 1].
        kl: upper value of the divergence in nats; may be infinite.
        n: number of certificate examples, at least 1.
        delta: failure probability in (0, 1); a float is its exact double.
        constant: ``"xi"`` replaces 2 sqrt(n) by Maurer's exact xi(n), saving up to 0.47 nats.
        weight: union weight in (0, 1] of the choices on the prior's side.

    Raises:
        UsageError: an argument is outside its range.

    References:
        Maurer (2004), theorem 5, for n >= 8; Germain et al. (2015) for all n.

    Example:
        At 50 digits: 0.1345076882250385809281148...

        >>> from fractions import Fraction
        >>> kl_bound(risk=Fraction(600, 30000), kl=2500, n=30000, delta="0.025")
        0.13450768822503859
    """
    c = _price(kl=kl, n=n, delta=delta, weight=weight, constant=constant)
    return invert_kl(end(UP, probability("risk", risk)), c)


def quad_bound(
    *, risk: Number, kl: Number, n: SupportsIndex, delta: Number, weight: Number = 1
) -> float:
    """Return an upper bound on the Gibbs risk in closed form; never below `kl_bound`.

    ``(sqrt(risk + k) + sqrt(k))^2`` with ``k = (kl + ln(2 sqrt(n) / (weight delta))) / (2 n)``,
    rounded up. Good for small risks. Arguments and errors as for `kl_bound`.

    References:
        Perez-Ortiz et al. (2021), the PAC-Bayes-quadratic bound.

    Example:
        At 50 digits: 0.2053545831648902116386296334898838765...

        >>> quad_bound(risk="0.02", kl=2500, n=30000, delta="0.025")
        0.20535458316489022
    """
    average = end(UP, probability("risk", risk))
    half = UP.divide(_price(kl=kl, n=n, delta=delta, weight=weight), _TWO)
    if half == INFINITY:
        return 1.0
    root = UP.add(sqrt(UP, UP.add(average, half)), sqrt(UP, half))
    return _at_most_one(UP.multiply(root, root))


def mcallester_bound(
    *, risk: Number, kl: Number, n: SupportsIndex, delta: Number, weight: Number = 1
) -> float:
    """Return an upper bound on the Gibbs risk in closed form; never below `kl_bound`.

    ``risk + sqrt((kl + ln(2 sqrt(n) / (weight delta))) / (2 n))``, rounded up: Pinsker's
    inequality. Good for risks near 1/2 only. Arguments and errors as for `kl_bound`.

    References:
        McAllester (1999), with the constant of Maurer (2004).

    Example:
        At 50 digits: 0.2245131007606846046010230816805866925...

        >>> mcallester_bound(risk="0.02", kl=2500, n=30000, delta="0.025")
        0.22451310076068462
    """
    average = end(UP, probability("risk", risk))
    half = UP.divide(_price(kl=kl, n=n, delta=delta, weight=weight), _TWO)
    return 1.0 if half == INFINITY else _at_most_one(UP.add(average, sqrt(UP, half)))


def thiemann_bound(
    *,
    risk: Number,
    kl: Number,
    n: SupportsIndex,
    delta: Number,
    lam: Number | None = None,
    weight: Number = 1,
) -> float:
    """Return an upper bound on the Gibbs risk that is linear in risk and kl.

    ``risk / (1 - lam/2) + c / (lam (1 - lam/2))`` with ``c = (kl + ln(2 sqrt(n) / (weight delta)))
    / n``, rounded up; never below `kl_bound`. Other arguments and errors as for `kl_bound`.

    Args:
        risk: upper value of the empirical risk.
        kl: upper value of the divergence in nats.
        n: number of certificate examples.
        delta: failure probability.
        lam: trade-off (lambda) in (0, 2); the theorem is uniform in it, so that choosing it last
            costs nothing. The best one by default, which gives `quad_bound`.
        weight: union weight.

    Raises:
        UsageError: an argument is outside its range.

    References:
        Thiemann et al. (2017), theorem 3.

    Example:
        At 50 digits with lam = 1: 0.2073024335309997351884002195564592590...

        >>> thiemann_bound(risk="0.02", kl=2500, n=30000, delta="0.025", lam=1)
        0.20730243353099975
    """
    average = end(UP, probability("risk", risk))
    c = _price(kl=kl, n=n, delta=delta, weight=weight)
    if lam is not None and not 0 < (trade := exact("lam", lam)) < 2:
        raise UsageError(f"lam must be above 0 and below 2, got {lam}")
    if c == INFINITY:
        return 1.0
    if lam is None:
        spread = UP.divide(UP.multiply(_TWO, average), c)
        trade = UP.divide(_TWO, UP.add(sqrt(UP, UP.add(spread, ONE)), ONE))
    kept = DOWN.subtract(ONE, UP.divide(end(UP, trade), _TWO))
    if kept <= 0:
        return 1.0
    cost = UP.divide(c, DOWN.multiply(end(DOWN, trade), kept))
    return _at_most_one(UP.add(UP.divide(average, kept), cost))


def catoni_bound(
    *,
    risk: Number,
    kl: Number,
    n: SupportsIndex,
    delta: Number,
    c: Number,
    weight: Number = 1,
) -> float:
    """Return an upper bound on the Gibbs risk without the constant 2 sqrt(n).

    ``(1 - exp(-c risk - (kl + ln(1 / (weight delta))) / n)) / (1 - exp(-c))``, rounded up. Other
    arguments and errors as for `kl_bound`.

    Args:
        risk: upper value of the empirical risk.
        kl: upper value of the divergence in nats.
        n: number of certificate examples.
        delta: failure probability.
        c: positive and fixed before the examples are seen; the best of g values costs
            ``weight=Fraction(1, g)``.
        weight: union weight.

    Raises:
        UsageError: an argument is outside its range.

    References:
        Catoni (2007), theorem 1.2.6; Germain et al. (2009), corollary 2.2.

    Example:
        At 50 digits: 0.1343176483359752257785064604977012534...

        >>> catoni_bound(risk="0.02", kl=2500, n=30000, delta="0.025", c=2)
        0.13431764833597523
    """
    average = probability("risk", risk)
    rate = exact("c", c)
    if not 0 < rate < INFINITY:
        raise UsageError(f"c must be positive and finite, got {c}")
    paid = _price(kl=kl, n=n, delta=delta, weight=weight, constant=None)
    whole = DOWN.subtract(ONE, exp(UP, end(DOWN, rate).copy_negate()))
    if whole <= 0 or paid == INFINITY:
        return 1.0
    exponent = UP.add(UP.multiply(end(UP, rate), end(UP, average)), paid)
    part = UP.subtract(ONE, exp(DOWN, exponent.copy_negate()))
    return _at_most_one(max(UP.divide(part, whole), end(UP, average)))


def _price(
    *,
    kl: Number,
    n: SupportsIndex,
    delta: Number,
    weight: Number,
    constant: Constant | None = "2sqrt(n)",
) -> Decimal:
    """Return an upper value of the nats per example: (kl + ln constant + ln(1/(w delta))) / n."""
    size = count("n", n, least=1)
    nats = end(UP, amount("kl", kl))
    nats = UP.add(nats, log_inverse(UP, Fraction(proper("delta", delta)) * union_weight(weight)))
    if constant == "2sqrt(n)":
        nats = UP.add(nats, UP.divide(ln(UP, Decimal(4 * size)), _TWO))
    elif constant == "xi":
        nats = UP.add(nats, ln(UP, xi_upper(size)))
    elif constant is not None:
        raise UsageError(f"constant must be '2sqrt(n)' or 'xi', got {constant!r}")
    return UP.divide(nats, Decimal(size))


def _at_most_one(value: Decimal) -> float:
    return 1.0 if value >= 1 else double_up(value)
