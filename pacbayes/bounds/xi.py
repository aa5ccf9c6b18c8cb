"""Maurer's constant, the smallest that the kl theorem can have."""

from decimal import Decimal
from typing import Final

from pacbayes.bounds.directed import UP
from pacbayes.errors import UsageError

LARGEST_N: Final = 10**12
"""The sum has about 10 sqrt(n) terms that count; beyond this it takes too long."""

_UNIT: Final = 1 << 192
_NEGLIGIBLE: Final = 1 << 64


def xi_upper(n: int) -> Decimal:
    """Return an upper value of xi(n), within 1e-30 relative; sqrt(n) <= xi(n) <= 2 sqrt(n).

    ``xi(n) = sum_k C(n, k) (k/n)^k (1 - k/n)^(n-k) = sum_i n! / ((n - i)! n^i)``, the second form
    by Abel's identity. From one term to the next the factor is 1 - i/n; it falls, so a geometric
    series bounds what is left out.

    Raises:
        UsageError: n is above 10^12.

    References:
        Maurer (2004), theorem 1; Riordan (1968), section 1.5, for the identity.

    Example:
        >>> xi_upper(2), round(xi_upper(100), 8)
        (Decimal('2.5'), Decimal('13.20996063'))
    """
    if n > LARGEST_N:
        raise UsageError(f"constant xi is computed up to n = {LARGEST_N}; use 2sqrt(n) for n = {n}")
    term = total = _UNIT
    for index in range(1, n + 1):
        term = -(-term * (n - index + 1) // n)
        total += term
        if term < _NEGLIGIBLE:
            total += -(-term * (n - index) // index)
            break
    return UP.divide(Decimal(total), Decimal(_UNIT))
