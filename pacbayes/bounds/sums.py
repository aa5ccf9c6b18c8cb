"""Nats added up: sums that are never below the truth, as decimal strings of 17 digits."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final

from pacbayes.bounds.directed import UP, end, ln, log_inverse
from pacbayes.bounds.doubles import text_up
from pacbayes.bounds.factorial import ln_choose
from pacbayes.bounds.inputs import Number, amount, finite, proper
from pacbayes.bounds.inputs import count as checked_count
from pacbayes.errors import UsageError

_UNIT_ROUNDOFF: Final = Fraction(1, 2**53)


def sum_upper(*, total: float, absolute: float, count: int) -> str:
    """Return an upper value of a sum that was added in float64, in any order.

    ``(total + 4 u absolute) (1 + (2 count + 20) u)`` with u = 2^-53, computed exactly and rounded
    up. Rigorous if the true terms are not negative and each float64 term errs by at most 4u times
    its share of `absolute` plus 20u times itself, without underflow.

    Args:
        total: the float64 sum of the float64 terms.
        absolute: sum of the magnitudes that cancelled inside the terms (0 if none did).
        count: number of terms.

    Raises:
        UsageError: a sum is NaN, infinite or negative beyond rounding; count is negative.

    Example:
        >>> sum_upper(total=1.5, absolute=0.0, count=10)
        '1.5000000000000067'
        >>> sum_upper(total=0.0, absolute=0.0, count=10)
        '0'
    """
    terms = checked_count("count", count)
    cancelled = Fraction(finite("absolute", absolute))
    value = Fraction(finite("total", total)) + 4 * _UNIT_ROUNDOFF * cancelled
    if value < 0 or cancelled < 0:
        raise UsageError(f"a sum of nats must not be negative, got {total} and {absolute}")
    return text_up(end(UP, value * (1 + (2 * terms + 20) * _UNIT_ROUNDOFF)))


def add_upper(items: Iterable[Number]) -> str:
    """Return the sum of amounts, added exactly and rounded up once.

    Raises:
        UsageError: an amount is no number, negative or infinite.

    Example:
        >>> add_upper(["0.1", "0.2", "3"])
        '3.3'
    """
    total = Fraction(0)
    for item in items:
        value = amount("amount", item)
        if isinstance(value, Decimal) and not value.is_finite():
            raise UsageError("an amount is infinite; a divergence that is has no certificate")
        total += Fraction(value)
    return text_up(end(UP, total))


def log_binomial_upper(n: int, k: int) -> str:
    """Return an upper value of ln C(n, k): the nats of one of the masks that keep k of n entries.

    Raises:
        UsageError: an argument is no integer, or k is not in 0 .. n.

    Example:
        C(5, 2) = 10, and ln 10 = 2.302585092994045684...

        >>> log_binomial_upper(5, 2)
        '2.3025850929940457'
    """
    return text_up(ln_choose(UP, *_subset(n, k)))


def count_prior_upper(n: int, k: int) -> str:
    """Return an upper value of ln(n + 1) + ln C(n, k): a mask's nats when its density is paid for.

    The prior is uniform over the number of kept entries, then over the masks that keep so many.

    Raises:
        UsageError: an argument is no integer, or k is not in 0 .. n.

    Example:
        (5 + 1) C(5, 2) = 60, and ln 60 = 4.094344562222100684...

        >>> count_prior_upper(5, 2)
        '4.0943445622221007'
    """
    total, kept = _subset(n, k)
    return text_up(UP.add(ln(UP, Decimal(total + 1)), ln_choose(UP, total, kept)))


def entropy_price_upper(n: int, k: int, *, density: Number) -> str:
    """Return an upper value of a mask's nats under independent gates of one prior density.

    ``k ln(1 / density) + (n - k) ln(1 / (1 - density))``. The density must be fixed beforehand:
    taking k / n without paying for it (at most ln(n + 1) nats, see `count_prior_upper`) is a
    known error.

    Raises:
        UsageError: an argument is no integer, k is not in 0 .. n, or density is not in (0, 1).

    Example:
        ln 4 + 3 ln(4 / 3) = 2.249340578475233...

        >>> entropy_price_upper(4, 1, density="1/4")
        '2.2493405784752335'
    """
    total, kept = _subset(n, k)
    chance = Fraction(proper("density", density))
    nats = UP.multiply(Decimal(kept), log_inverse(UP, chance))
    return text_up(UP.add(nats, UP.multiply(Decimal(total - kept), log_inverse(UP, 1 - chance))))


def _subset(n: int, k: int) -> tuple[int, int]:
    total, kept = checked_count("n", n), checked_count("k", k)
    if kept > total:
        raise UsageError(f"k must be at most n = {total}, got {kept}")
    return total, kept
