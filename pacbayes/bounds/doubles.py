"""From proofs to doubles and back to text, never towards the unsafe side."""

import math
import struct
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, Context, Decimal
from fractions import Fraction

from pacbayes.bounds.inputs import Exact, exact
from pacbayes.errors import UsageError


def double_up(x: Exact) -> float:
    """Return the smallest double that is at least a number.

    Example:
        >>> double_up(Decimal("0.1")), double_up(Decimal("0.3"))
        (0.1, 0.30000000000000004)
    """
    nearest = float(x)
    if (Fraction(nearest) if isinstance(x, Fraction) else Decimal.from_float(nearest)) >= x:
        return nearest
    return math.nextafter(nearest, math.inf)


def double_up_to_one(x: Exact) -> float:
    """Return the smallest double that is at least a number, and 1.0 from one on."""
    return 1.0 if x >= 1 else double_up(x)


def decimal_up(x: float, digits: int = 17) -> str:
    """Return a number in [0, infinity) as a decimal string that is never below it.

    The exact expansion of the double is rounded up to some significant digits (``repr`` may be
    lower than the double). Canonical form: no trailing zeros, no sign, ``0`` and ``1`` without a
    point, no exponent between 1e-20 and 1e40, else ``1.5E-30``.

    Args:
        x: a double, not negative.
        digits: significant digits kept.

    Raises:
        UsageError: NaN, infinite or negative.

    Example:
        >>> decimal_up(0.1), decimal_up(0.5), decimal_up(0.20004, 4)
        ('0.10000000000000001', '0.5', '0.2001')
        >>> decimal_up(1.0), decimal_up(0.0), decimal_up(2.0**-100)
        ('1', '0', '7.8886090522101181E-31')
    """
    value = exact("number", float(x))
    if not (isinstance(value, Decimal) and value.is_finite() and value >= 0):
        raise UsageError(f"only finite numbers that are not negative are written, got {x}")
    return text_up(value, digits)


def text_up(value: Decimal, digits: int = 17) -> str:
    """Return a finite decimal, not negative, rounded up and in the canonical form above."""
    context = Context(prec=digits, rounding=ROUND_CEILING, Emin=MIN_EMIN, Emax=MAX_EMAX)
    rounded = context.plus(value)
    if not rounded:
        return "0"
    short = rounded.normalize(context)
    return format(short, "f") if -20 <= short.adjusted() <= 40 else str(short)


def smallest_double(accepts: Callable[[float], bool], start: float) -> float:
    """Return the smallest double in [0, 1] that is accepted, 1.0 being accepted unasked.

    ``accepts`` must be monotone; where rounding makes it not quite so, the answer is still
    accepted and the double below it is not. Doubles are walked from ``start`` in doubling steps,
    then halved, so a good start costs two questions and a bad one no more than about 120.
    """
    high = low = _index(start)
    top, step = _index(1.0), 1
    if high >= top or accepts(start):
        while (low := max(high - step, -1)) >= 0 and accepts(_double(low)):
            high, step = low, 2 * step
    else:
        while (high := min(low + step, top)) < top and not accepts(_double(high)):
            low, step = high, 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        if accepts(_double(middle)):
            high = middle
        else:
            low = middle
    return _double(high)


def _index(x: float) -> int:
    """Return the rank of a double among those that are not negative."""
    rank: int = struct.unpack("<q", struct.pack("<d", x))[0]
    return rank


def _double(rank: int) -> float:
    x: float = struct.unpack("<d", struct.pack("<q", rank))[0]
    return x
