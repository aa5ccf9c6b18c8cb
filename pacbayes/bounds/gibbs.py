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

import math
from decimal import Decimal
from typing import SupportsIndex

from pacbayes.bounds.complexity import TWO, Constant, complexity
from pacbayes.bounds.directed import DOWN, INFINITY, ONE, UP, end, ln, sqrt
from pacbayes.bounds.doubles import double_up_to_one
from pacbayes.bounds.inputs import Exact, Number, exact, probability
from pacbayes.bounds.kl import invert_kl
from pacbayes.errors import UsageError


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
    c = complexity(kl=kl, n=n, delta=delta, weight=weight, constant=constant)
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
    half = UP.divide(complexity(kl=kl, n=n, delta=delta, weight=weight), TWO)
    if half == INFINITY:
        return 1.0
    root = UP.add(sqrt(UP, UP.add(average, half)), sqrt(UP, half))
    return double_up_to_one(UP.multiply(root, root))


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
    half = UP.divide(complexity(kl=kl, n=n, delta=delta, weight=weight), TWO)
    return 1.0 if half == INFINITY else double_up_to_one(UP.add(average, sqrt(UP, half)))


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
    c = complexity(kl=kl, n=n, delta=delta, weight=weight)
    if lam is not None and not 0 < (trade := exact("lam", lam)) < 2:
        raise UsageError(f"lam must be above 0 and below 2, got {lam}")
    if c == INFINITY:
        return 1.0
    if lam is None:
        spread = UP.divide(UP.multiply(TWO, average), c)
        trade = UP.divide(TWO, UP.add(sqrt(UP, UP.add(spread, ONE)), ONE))
    kept = DOWN.subtract(ONE, UP.divide(end(UP, trade), TWO))
    if kept <= 0:
        return 1.0
    cost = UP.divide(c, DOWN.multiply(end(DOWN, trade), kept))
    return double_up_to_one(UP.add(UP.divide(average, kept), cost))


def rodriguez_galvez_bound(
    *,
    risk: Number,
    kl: Number,
    n: SupportsIndex,
    delta: Number,
    c: Number | None = None,
    gamma: Number | None = None,
    constant: Constant = "2sqrt(n)",
    weight: Number = 1,
) -> float:
    """Return an upper bound on the Gibbs risk, linear in risk and kl; its best is `kl_bound`.

    ``c gamma (ln(gamma / (gamma - 1)) risk + k) + gamma (1 - c (1 - ln c))`` with ``k = (kl +
    ln(2 sqrt(n) / (weight delta))) / n``, rounded up. The tangents of the kl event: uniform in c
    and gamma, so that choosing them last costs nothing. By default the best ones, ``gamma = b (1 -
    risk) / (b - risk)`` and ``c = (1 - b) / (1 - risk)`` at the value b of `kl_bound`. Other
    arguments and errors as there.

    Args:
        risk: upper value of the empirical risk.
        kl: upper value of the divergence in nats.
        n: number of certificate examples.
        delta: failure probability.
        c: in (0, 1].
        gamma: above 1.
        constant: as for `kl_bound`.
        weight: union weight.

    Raises:
        UsageError: an argument is outside its range, or only one of c and gamma is given.

    References:
        Rodriguez-Galvez, Thobaben and Skoglund (2024).

    Example:
        At 50 digits with c = 0.9 and gamma = 1.2: 0.1352559617316134396935...

        >>> rodriguez_galvez_bound(
        ...     risk="0.02", kl=2500, n=30000, delta="0.025", c="0.9", gamma="1.2"
        ... )
        0.13525596173161344
    """
    average = end(UP, probability("risk", risk))
    paid = complexity(kl=kl, n=n, delta=delta, weight=weight, constant=constant)
    if (c is None) != (gamma is None):
        raise UsageError("give both c and gamma, or neither for the best ones")
    if c is not None and not 0 < (slope := exact("c", c)) <= 1:
        raise UsageError(f"c must be above 0 and at most 1, got {c}")
    if gamma is not None and not 1 < (scale := exact("gamma", gamma)) < INFINITY:
        raise UsageError(f"gamma must be above 1 and finite, got {gamma}")
    if paid == INFINITY or average >= 1:
        return 1.0
    if c is None:
        best = math.nextafter(invert_kl(average, paid), 1.0)
        if best >= 1:
            return 1.0
        slope, scale = _tangent(average, Decimal.from_float(best))
    return double_up_to_one(_linear(average, paid, slope, scale))


def _tangent(average: Decimal, best: Decimal) -> tuple[Decimal, Decimal]:
    """Return the c and gamma of the tangent at a value above the average; rounding is harmless."""
    gap, rest = UP.subtract(best, average), UP.subtract(ONE, average)
    scale = UP.divide(UP.multiply(best, rest), gap)
    # Without errors the best gamma is 1, where the formula has only a limit.
    return UP.divide(UP.subtract(ONE, best), rest), max(scale, UP.next_plus(ONE))


def _linear(average: Decimal, paid: Decimal, slope: Exact, scale: Exact) -> Decimal:
    """Return the formula of `rodriguez_galvez_bound`, rounded up."""
    over = DOWN.subtract(end(DOWN, scale), ONE)
    if over <= 0:
        return ONE
    rate = ln(UP, UP.add(ONE, UP.divide(ONE, over)))
    cost = UP.multiply(end(UP, slope), UP.add(UP.multiply(rate, average), paid))
    kept = DOWN.multiply(end(DOWN, slope), DOWN.subtract(ONE, ln(UP, end(UP, slope))))
    return UP.multiply(end(UP, scale), UP.add(cost, UP.subtract(ONE, kept)))
