"""Logarithms of factorials and binomial coefficients, enclosed."""

import math
from decimal import Context, Decimal
from typing import Final

from pacbayes.bounds.directed import DOWN, ZERO, ln, opposite

_EXACT_UP_TO: Final = 128
TWO_PI_DOWN: Final = Decimal("6.28318530717958647692528676655900576839433879875021164194988")
TWO_PI_UP: Final = Decimal("6.28318530717958647692528676655900576839433879875021164194989")
_SERIES: Final = (
    (1, 12), (-1, 360), (1, 1260), (-1, 1680), (1, 1188), (-691, 360360), (1, 156), (-3617, 122400),
)  # fmt: skip
"""B_2j / (2j (2j - 1)), the coefficients of Stirling's series in m^(1 - 2j)."""


def ln_factorial(to: Context, m: int) -> Decimal:
    """Return ln(m!) with an absolute error below 1e-33 + 1e-55 m ln(m).

    Exact product up to 128, then ln(m!) = (m + 1/2) ln m - m + ln(2 pi) / 2 + series, where the
    partial sums of the series lie below and above the truth by turns.

    References:
        Whittaker and Watson (1927), section 12.33: the error of the series has the sign of, and is
        less than, the first term left out.
    """
    if m <= _EXACT_UP_TO:
        return ln(to, Decimal(math.factorial(m)))
    power = to.multiply(to.divide(Decimal(2 * m + 1), Decimal(2)), ln(to, Decimal(m)))
    circle = to.divide(ln(to, TWO_PI_DOWN if to is DOWN else TWO_PI_UP), Decimal(2))
    value = to.add(to.subtract(power, Decimal(m)), circle)
    terms = _SERIES if to is DOWN else _SERIES[:-1]
    for index, (above, below) in enumerate(terms):
        scale = Decimal(below * m ** (2 * index + 1))
        value = to.add(value, to.divide(Decimal(above), scale))
    return value


def ln_choose(to: Context, n: int, k: int) -> Decimal:
    """Return the logarithm of the number of k-subsets of n."""
    if k in (0, n):
        return ZERO
    other = opposite(to)
    value = to.subtract(ln_factorial(to, n), ln_factorial(other, k))
    return to.subtract(value, ln_factorial(other, n - k))
