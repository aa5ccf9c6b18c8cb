"""What a bound accepts: numbers taken exactly, and one-line refusals of everything else."""

import operator
import re
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import SupportsIndex, TypeAlias

from pacbayes.errors import UsageError

Number: TypeAlias = float | int | Fraction | Decimal | str
"""A real number: a float means its exact double, a string means what it says."""

Exact: TypeAlias = Decimal | Fraction
"""The same number without loss; only fractions that a caller gave stay fractions."""

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")
_RATIO = re.compile(r"[+-]?[0-9]+/0*[1-9][0-9]*")
_LONGEST = 1000
_LARGEST_EXPONENT = 9999


def exact(name: str, value: Number) -> Exact:
    """Return a number without loss; may be infinite, never NaN.

    ``0.05`` is the double 0.05000000000000000277..., ``"0.05"`` and ``Fraction(1, 20)`` are 1/20.

    Raises:
        UsageError: no number, NaN, or an exponent beyond 9999.

    Example:
        >>> exact("delta", "0.05"), exact("delta", "1/20"), exact("delta", 0.5)
        (Decimal('0.05'), Fraction(1, 20), Decimal('0.5'))
    """
    number = _parsed(name, value)
    if isinstance(number, Fraction):
        return number
    if number.is_nan():
        raise UsageError(f"{name} is not a number (NaN); find out where it came from")
    if number.is_finite() and number and abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise UsageError(f"{name} has an exponent beyond {_LARGEST_EXPONENT}; check its units")
    return number


def _parsed(name: str, value: Number) -> Exact:
    match value:
        case bool():
            pass
        case Fraction() | Decimal():
            return value
        case float():
            # `from_float` cannot trap, whatever decimal context the caller has set.
            return Decimal.from_float(value)
        case str():
            if len(value) <= _LONGEST and _DECIMAL.fullmatch(value):
                return Decimal(value)
            if len(value) <= _LONGEST and _RATIO.fullmatch(value):
                return Fraction(value)
        case _ if hasattr(value, "__index__"):
            return Decimal(operator.index(value))
    raise UsageError(
        f"{name} must be a number, a fraction or a decimal string, got {str(value)[:40]!r}"
    )


def probability(name: str, value: Number) -> Exact:
    """Return a number in [0, 1].

    Raises:
        UsageError: it lies outside.
    """
    number = exact(name, value)
    if not 0 <= number <= 1:
        raise UsageError(f"{name} must be in [0, 1], got {value}")
    return number


def proper(name: str, value: Number) -> Exact:
    """Return a number in the open interval (0, 1).

    Raises:
        UsageError: it lies outside; 5 for 5 percent is the usual reason.
    """
    number = exact(name, value)
    if not 0 < number < 1:
        raise UsageError(f"{name} must be above 0 and below 1, such as 0.05, got {value}")
    return number


def union_weight(value: Number) -> Fraction:
    """Return a weight in (0, 1] as a fraction.

    Raises:
        UsageError: it lies outside.
    """
    number = exact("weight", value)
    if not 0 < number <= 1:
        raise UsageError(f"weight must be above 0 and at most 1, such as 1/20, got {value}")
    return Fraction(number)


def amount(name: str, value: Number) -> Exact:
    """Return a number that is not negative; may be infinite.

    Raises:
        UsageError: it is negative.
    """
    number = exact(name, value)
    if number < 0:
        raise UsageError(f"{name} must not be negative, got {value}")
    return number


def finite(name: str, value: float) -> Decimal:
    """Return a double without loss, refusing infinities and NaN.

    Raises:
        UsageError: it is not finite.
    """
    if not isfinite(value):
        raise UsageError(f"{name} must be finite, got {value}")
    return Decimal.from_float(float(value))


def count(name: str, value: SupportsIndex, *, least: int = 0) -> int:
    """Return an integer that is large enough.

    Raises:
        UsageError: no integer (60000.0 and True are none), or too small.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise UsageError(f"{name} must be an integer, got {value!r}") from None
    if isinstance(value, bool) or number < least:
        raise UsageError(f"{name} must be an integer, at least {least}, got {value!r}")
    return number
