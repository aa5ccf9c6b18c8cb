"""Decimal strings: how numbers are written in a certificate."""

import math
from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, Context, Decimal, Inexact
from fractions import Fraction

from pacbayes.errors import UsageError

_EXACT = Context(prec=5000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Inexact])
_UP = Context(prec=17, rounding=ROUND_CEILING)


def kl_total(items: Sequence[str]) -> str:
    """Return the sum of amounts of nats, added exactly and rounded up to 17 digits.

    Example:
        >>> kl_total(["0.1", "0.2", "3"])
        '3.3'
    """
    total = Decimal(0)
    for item in items:
        total = _EXACT.add(total, Decimal(item))
    return plain(_UP.plus(total))


def plain(value: Decimal | str) -> str:
    """Return a decimal without exponent and trailing zeros, where that stays short.

    Example:
        >>> plain("2.50E-3"), plain("1E-99")
        ('0.0025', '1E-99')
    """
    number = Decimal(value)
    if number and number.adjusted() < -20:
        return str(number)
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def float_up(text: str) -> float:
    """Return the smallest double that is at least a decimal.

    Example:
        >>> Decimal(float_up("0.3")) >= Decimal("0.3")
        True
    """
    value = float(text)
    return value if Decimal(value) >= Decimal(text) else math.nextafter(value, math.inf)


def ratio_text(value: Fraction) -> str:
    """Return a fraction as ``a/b``, also when it is an integer."""
    return f"{value.numerator}/{value.denominator}"


def decimal_text(value: Fraction) -> str:
    """Return a fraction as the decimal that it equals.

    Raises:
        UsageError: it is no finite decimal, like 1/3.
    """
    try:
        quotient = _EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))
    except Inexact:
        raise UsageError(f"delta must be a finite decimal, got {value}") from None
    return plain(quotient)
