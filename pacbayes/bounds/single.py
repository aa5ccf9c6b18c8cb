"""Bounds on the risk of one fixed classifier, from its errors on n independent examples."""

from fractions import Fraction

from pacbayes.bounds.binomial import binomial_upper, invert_tail
from pacbayes.bounds.directed import DOWN, INFINITY, UP, end, exp
from pacbayes.bounds.inputs import Number, amount, count, proper, union_weight
from pacbayes.errors import UsageError


def test_set_bound(*, errors: int, n: int, delta: Number, weight: Number = 1) -> float:  # noqa: PT028
    """Return an upper bound on the risk of a classifier that has not seen the n examples.

    The smallest double p with a proof that ``P(Bin(n, p) <= errors) <= weight delta``: no bound
    for one classifier is tighter. Exactly 1.0 where vacuous.

    Args:
        errors: number of errors, from 0 to n.
        n: number of examples, at least 1.
        delta: failure probability in (0, 1).
        weight: union weight in (0, 1]; the best of K classifiers costs ``Fraction(1, K)``.

    Raises:
        UsageError: an argument is outside its range.

    References:
        Langford (2005), the test set bound.

    Example:
        At 50 digits: 0.0216481733409433018923...

        >>> test_set_bound(errors=600, n=30000, delta="0.025")
        0.021648173340943305
    """
    price = Fraction(proper("delta", delta)) * union_weight(weight)
    return binomial_upper(errors=errors, trials=n, delta=price)


def occam_bound(*, errors: int, n: int, nats: Number, delta: Number) -> float:
    """Return an upper bound on the risk of a classifier chosen with the n examples in hand.

    The binomial tail is inverted at ``delta exp(-nats)``, where the prior, fixed beforehand, gives
    the classifier probability ``exp(-nats)``. A prefix-free code of b bits has ``nats = b ln 2``,
    rounded up; everything that changes predictions must be in the code.

    Args:
        errors: number of errors, from 0 to n.
        n: number of examples, at least 1.
        nats: upper value of the code length in nats; may be infinite.
        delta: failure probability in (0, 1).

    Raises:
        UsageError: an argument is outside its range.

    References:
        Langford (2005), the Occam's razor bound.

    Example:
        Without errors the bound is 1 - (delta exp(-nats))^(1/n); at 50 digits here
        0.1218670935688416324586950346516756084...

        >>> occam_bound(errors=0, n=100, nats=10, delta="0.05")
        0.12186709356884164
    """
    size, wrong = count("n", n, least=1), count("errors", errors)
    if wrong > size:
        raise UsageError(f"errors must be at most n = {size}, got {wrong}")
    share, length = end(DOWN, proper("delta", delta)), end(UP, amount("nats", nats))
    if length == INFINITY:
        return 1.0
    return invert_tail(wrong, size, DOWN.multiply(share, exp(DOWN, length.copy_negate())))
