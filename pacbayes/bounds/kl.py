"""The binary kl divergence and its certified inverse.

``kl(q, p) = q ln(q / p) + (1 - q) ln((1 - q) / (1 - p))`` nats, the divergence between two coins.
"""

import math
from decimal import Context, Decimal

from pacbayes.bounds.directed import (
    DOWN,
    INFINITY,
    ONE,
    UP,
    ZERO,
    end,
    log1p,
    opposite,
)
from pacbayes.bounds.doubles import double_up, smallest_double
from pacbayes.bounds.inputs import Number, amount, probability

_BELOW_ONE = math.nextafter(1.0, 0.0)


def binary_kl(*, q: Number, p: Number) -> float:
    """Return kl(q, p) in nats, rounded up: at most one unit in the last place above the truth.

    Infinite if q assigns mass where p has none. For a lower value see `binary_kl_lower`.

    Args:
        q: probability in [0, 1]; a float is its exact double.
        p: probability in [0, 1].

    Raises:
        UsageError: an argument is NaN or outside [0, 1].

    Example:
        At 50 digits kl(1/10, 1/5) = 0.0366900140347505781431914863776518777540826278722343...

        >>> binary_kl(q="0.1", p="0.2")
        0.036690014034750584
        >>> binary_kl(q=0.25, p=0.25), binary_kl(q=0.5, p=0)
        (0.0, inf)
    """
    return double_up(binary_kl_upper(q=q, p=p))


def binary_kl_lower(*, q: Number, p: Number) -> Decimal:
    """Return a decimal that is at most kl(q, p), and above it times 1 - 1e-25.

    Fractions that are no decimals are first rounded outward to 60 digits.

    Raises:
        UsageError: an argument is NaN or outside [0, 1].
    """
    left, right = probability("q", q), probability("p", p)
    for to in (UP, DOWN):
        near, far = end(to, left), end(opposite(to), right)
        if (near < far) if to is UP else (near > far):
            return kl_end(DOWN, near, far)
    return ZERO


def binary_kl_upper(*, q: Number, p: Number) -> Decimal:
    """Return a decimal that is at least kl(q, p), and below it times 1 + 1e-25.

    Fractions that are no decimals are first rounded outward to 60 digits.

    Raises:
        UsageError: an argument is NaN or outside [0, 1].
    """
    left, right = probability("q", q), probability("p", p)
    # kl is convex in the pair, so over a box it is largest at one of these two corners.
    corners = [kl_end(UP, end(to, left), end(opposite(to), right)) for to in (DOWN, UP)]
    return ZERO if left == right else max(corners)


def kl_end(to: Context, q: Decimal, p: Decimal) -> Decimal:
    """Return kl(q, p), for decimals in [0, 1] taken as exact.

    With g = abs(p - q), a the mass that shrinks and A, B the two masses of the side that grows,
    kl = A ln(1 + g / B) - a ln(1 + g / a). Both logarithms are of numbers above one and relatively
    precise, so the difference keeps 25 digits even between neighbouring doubles.
    """
    other = opposite(to)
    if q <= p:
        grown, shrunk, falling = to.subtract(ONE, q), other.subtract(ONE, p), q
        gap, gap_other = to.subtract(p, q), other.subtract(p, q)
    else:
        grown, shrunk, falling = q, p, other.subtract(ONE, q)
        gap, gap_other = to.subtract(q, p), other.subtract(q, p)
    if not gap:
        return ZERO
    if not shrunk:
        return INFINITY
    value = to.multiply(grown, log1p(to, to.divide(gap, shrunk)))
    if falling:
        loss = other.multiply(falling, log1p(other, other.divide(gap_other, falling)))
        value = to.subtract(value, loss)
    return max(value, ZERO)


def kl_inverse_upper(*, q: Number, c: Number) -> float:
    """Return the smallest double p with a proof that kl(q, p) >= c: an upper value of the inverse.

    Never below sup{p : kl(q, p) <= c}, and at most 4 units in the last place above it. A float
    proposal is moved over the doubles until directed decimal arithmetic accepts it and refuses the
    double below. Exactly 1.0 if q is 1 or no double below one is accepted.

    Args:
        q: probability in [0, 1], already an upper value; a float is its exact double.
        c: nats, not negative; may be infinite.

    Raises:
        UsageError: NaN, q outside [0, 1] or c negative.

    Example:
        At 50 digits the inverse of (0.02, 0.01) is 0.04651592106776768...

        >>> kl_inverse_upper(q="0.02", c="0.01")
        0.04651592106776768
        >>> kl_inverse_upper(q=0.0, c=1e-8), kl_inverse_upper(q=1, c=0.1)
        (9.999999950000001e-09, 1.0)
    """
    return invert_kl(end(UP, probability("q", q)), end(UP, amount("c", c)))


def invert_kl(q: Decimal, c: Decimal) -> float:
    """Return the inverse for arguments that are exact or were rounded up (it grows with both)."""
    if q >= 1 or c == INFINITY:
        return 1.0

    def accepts(p: float) -> bool:
        point = Decimal.from_float(p)
        return point >= q and kl_end(DOWN, q, point) >= c

    return smallest_double(accepts, _proposal(float(q), float(c)))


def _proposal(q: float, c: float) -> float:
    """Return the inverse in floating point: Newton's method in v = -ln(1 - p), from the right.

    kl is convex in v with slope (p - q) / p, so in exact arithmetic the iterates stay on the right
    and fall; rounding ends that. The start is the least of three classical upper bounds: Pinsker's,
    kl >= (p - q)^2 / (2 p), and kl >= (1 - q) v minus the entropy of q. Whatever this returns, the
    caller checks.
    """
    if q >= 1.0:
        return 1.0
    if q == 0.0:
        return -math.expm1(-c)
    entropy = -q * math.log(q) - (1.0 - q) * math.log1p(-q)
    right = min(
        q + math.sqrt(0.5 * c),
        q + math.sqrt(2.0 * c) * math.sqrt(q) + 2.0 * c,
        -math.expm1(-(c + entropy) / (1.0 - q)),
    )
    following = -math.log1p(-min(right, _BELOW_ONE))
    v = math.inf
    while following < v:
        v = following
        p = -math.expm1(-v)
        gap = p - q
        if gap <= 0.0:
            return q
        # gap / q may overflow, but only where p / q = gap / q.
        rise = math.log1p(gap / q) if gap < 1e15 * q else math.log(p) - math.log(q)
        excess = (1.0 - q) * math.log1p(gap / math.exp(-v)) - q * rise - c
        following = v - excess * (p / gap)
    return p
