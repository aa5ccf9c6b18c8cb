"""What a PAC-Bayes theorem pays per example, in nats."""

from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, SupportsIndex

from pacbayes.bounds.directed import UP, end, ln, log_inverse
from pacbayes.bounds.inputs import Exact, Number, amount, count, proper, union_weight
from pacbayes.bounds.xi import xi_upper
from pacbayes.errors import UsageError

Constant = Literal["2sqrt(n)", "xi"]

TWO: Final = Decimal(2)


def complexity(
    *,
    kl: Number,
    n: SupportsIndex,
    delta: Number,
    weight: Number,
    constant: Constant | None = "2sqrt(n)",
) -> Decimal:
    """Return an upper value of (kl + ln(constant) + ln(1 / (weight delta))) / n, maybe infinite.

    Raises:
        UsageError: an argument is outside its range.
    """
    size = count("n", n, least=1)
    price = Fraction(proper("delta", delta)) * union_weight(weight)
    return per_example(amount("kl", kl), size, price, constant)


def per_example(nats: Exact, size: int, price: Fraction, constant: Constant | None) -> Decimal:
    """Return the same for checked arguments; the nats may be negative."""
    total = UP.add(end(UP, nats), log_inverse(UP, price))
    if constant == "2sqrt(n)":
        total = UP.add(total, UP.divide(ln(UP, Decimal(4 * size)), TWO))
    elif constant == "xi":
        total = UP.add(total, ln(UP, xi_upper(size)))
    elif constant is not None:
        raise UsageError(f"constant must be '2sqrt(n)' or 'xi', got {constant!r}")
    return UP.divide(total, Decimal(size))
