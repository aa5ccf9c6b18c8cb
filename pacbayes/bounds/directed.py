"""Decimal arithmetic with a direction: results err downward in `DOWN` and upward in `UP`.

Every operation names its context, so the ambient decimal context of the caller is never used:
``x - y`` and ``-x`` would silently round to its 28 digits, half even.
"""

from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from fractions import Fraction
from typing import Final

from pacbayes.bounds.inputs import Exact

DIGITS: Final = 60
"""Two nearly equal numbers of 17 digits cancel 34 of them in kl; 26 are left."""


def _context(rounding: str) -> Context:
    traps = [InvalidOperation, DivisionByZero, Overflow]
    return Context(prec=DIGITS, rounding=rounding, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=traps)


DOWN: Final = _context(ROUND_FLOOR)
UP: Final = _context(ROUND_CEILING)
ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
INFINITY: Final = Decimal("Infinity")

_SERIES_BELOW: Final = Decimal("1e-12")


def opposite(to: Context) -> Context:
    """Return the context that errs the other way."""
    return DOWN if to is UP else UP


def end(to: Context, x: Exact) -> Decimal:
    """Return a decimal on one side of a number; the number itself if it is a decimal.

    Example:
        >>> third = Fraction(1, 3)
        >>> Fraction(end(DOWN, third)) < third < Fraction(end(UP, third))
        True
    """
    if isinstance(x, Decimal):
        return x
    return to.divide(Decimal(x.numerator), Decimal(x.denominator))


def _outward(to: Context, nearest: Decimal) -> Decimal:
    """Return the neighbour of a correctly rounded value, which is on the wanted side of the truth.

    ``ln``, ``exp`` and ``sqrt`` of `decimal` round half even whatever the context says, with an
    error of at most half a unit.
    """
    return nearest.next_plus(to) if to is UP else nearest.next_minus(to)


def ln(to: Context, x: Decimal) -> Decimal:
    """Return the natural logarithm of x > 0.

    Example:
        >>> ln(UP, Decimal(2))
        Decimal('0.693147180559945309417232121458176568075500134360255254120681')
    """
    return ZERO if x == 1 else _outward(to, to.ln(x))


def exp(to: Context, x: Decimal) -> Decimal:
    """Return the exponential of x; zero if it underflows downward."""
    return ONE if x == 0 else max(_outward(to, to.exp(x)), ZERO)


def sqrt(to: Context, x: Decimal) -> Decimal:
    """Return the square root of x >= 0."""
    return ZERO if x == 0 else _outward(to, to.sqrt(x))


def log1p(to: Context, x: Decimal) -> Decimal:
    """Return ln(1 + x) for x >= 0, with small *relative* error.

    Below 1e-12, where 1 + x would lose digits, Taylor's series: it alternates, so four terms are
    too low and five are too high, by less than x^4 / 5 relative.
    """
    if x >= _SERIES_BELOW:
        return ln(to, to.add(ONE, x))
    terms = 5 if to is UP else 4
    nested = ZERO
    for index in range(terms, 0, -1):
        context = to if index % 2 else opposite(to)
        nested = context.subtract(context.divide(ONE, Decimal(index)), nested)
        nested = context.multiply(x, nested)
    return nested


def log_inverse(to: Context, x: Fraction) -> Decimal:
    """Return ln(1 / x) for 0 < x <= 1."""
    return ln(opposite(to), end(opposite(to), x)).copy_negate()
