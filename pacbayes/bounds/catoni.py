"""Catoni's bound: no constant that grows with n, but a rate that is fixed or paid for."""

from collections.abc import Sequence
from decimal import Decimal
from typing import SupportsIndex

from pacbayes.bounds.complexity import complexity
from pacbayes.bounds.directed import DOWN, INFINITY, ONE, UP, end, exp
from pacbayes.bounds.doubles import double_up_to_one
from pacbayes.bounds.inputs import Exact, Number, exact, probability, union_weight
from pacbayes.errors import UsageError


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
    average = end(UP, probability("risk", risk))
    paid = complexity(kl=kl, n=n, delta=delta, weight=weight, constant=None)
    return double_up_to_one(max(catoni_end(average, rate_of(c), paid), average))


def catoni_grid_bound(
    *,
    risk: Number,
    kl: Number,
    n: SupportsIndex,
    delta: Number,
    grid: Sequence[Number],
    weight: Number = 1,
) -> float:
    """Return the least of `catoni_bound` over a declared grid of g rates, each paying ln(g).

    Other arguments and errors as for `catoni_bound`.

    Args:
        risk: upper value of the empirical risk.
        kl: upper value of the divergence in nats.
        n: number of certificate examples.
        delta: failure probability.
        grid: the rates, fixed before the examples are seen; every one of them is paid for, tried
            or not.
        weight: union weight of the choices on the prior's side.

    Raises:
        UsageError: an argument is outside its range, or the grid is empty.

    Example:
        The rate 2 is the best of these. At 50 digits: 0.1343648829142227454457...

        >>> catoni_grid_bound(risk="0.02", kl=2500, n=30000, delta="0.025", grid=[1, 2, 4, 8])
        0.13436488291422277
    """
    if not grid:
        raise UsageError("the grid of rates is empty; declare at least one")
    price = union_weight(weight) / len(grid)
    return min(
        catoni_bound(risk=risk, kl=kl, n=n, delta=delta, c=rate, weight=price) for rate in grid
    )


def rate_of(c: Number) -> Exact:
    """Return a checked rate.

    Raises:
        UsageError: it is not positive or infinite.
    """
    rate = exact("c", c)
    if not 0 < rate < INFINITY:
        raise UsageError(f"c must be positive and finite, got {c}")
    return rate


def catoni_end(average: Decimal, rate: Exact, paid: Decimal) -> Decimal:
    """Return (1 - exp(-rate average - paid)) / (1 - exp(-rate)), rounded up; 1 where vacuous.

    Also where a negative price makes it negative, which on the event of the theorem it cannot be.
    """
    whole = DOWN.subtract(ONE, exp(UP, end(DOWN, rate).copy_negate()))
    if whole <= 0 or paid == INFINITY:
        return ONE
    exponent = UP.add(UP.multiply(end(UP, rate), average), paid)
    if exponent < 0:
        return ONE
    return UP.divide(UP.subtract(ONE, exp(DOWN, exponent.copy_negate())), whole)
