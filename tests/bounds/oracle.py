"""The truth, in Arb balls (python-flint): slow, independent of every formula in the package.

A ball that does not decide raises, so that neither a NaN nor a wide ball can pass for an answer.
"""

import math
from collections.abc import Callable
from fractions import Fraction

import flint
from flint import arb, fmpq

PRECISION = 400


def ball(x: Fraction | float | int | str) -> arb:
    """Return a ball around an exact number."""
    exact = Fraction(x)
    return arb(fmpq(exact.numerator, exact.denominator))


def decided(difference: arb) -> bool:
    """Return whether a difference is at least zero; raises if its ball does not tell."""
    assert difference.is_finite(), difference
    if difference >= 0:
        return True
    assert difference < 0, f"undecided: {difference}"
    return False


def kl(q: Fraction, p: Fraction) -> arb:
    """Return the binary kl by its textbook formula, for 0 < p < 1."""
    left, right = ball(q), ball(p)
    value = arb(0)
    if q > 0:
        value += left * (left / right).log()
    if q < 1:
        value += (1 - left) * ((1 - left) / (1 - right)).log()
    return value


def kl_holds(q: Fraction, c: arb, p: float) -> bool:
    """Return whether p is an upper value of the inverse: p >= q and kl(q, p) >= c."""
    if p >= 1.0:
        return True
    if Fraction(p) <= q:
        return Fraction(p) == q and decided(-c)
    # Numbers near 1e-300 need that many digits in 1 - q.
    return _at_precision((128, 512, 2048, 4096), lambda: kl(q, Fraction(p)) - c)


def kl_inverse(q: Fraction, c: arb) -> arb:
    """Return the inverse from below: a p that no upper value lies under, within 2^-60 relative."""
    low, high = q, Fraction(1)
    while high - low > high / 2**60:
        middle = Fraction(math.floor((low + high) * 2**99), 2**100)
        if decided(kl(q, middle) - c):
            high = middle
        else:
            low = middle
    return ball(low)


def tail(errors: int, trials: int, p: Fraction) -> arb:
    """Return P(Bin(trials, p) <= errors) as a regularised incomplete beta function."""
    # The argument of the integral comes first: the other order gives NaN without a word.
    return (1 - ball(p)).beta_lower(trials - errors, errors + 1, True)


def exact_tail(errors: int, trials: int, p: Fraction) -> Fraction:
    """Return P(Bin(trials, p) <= errors) as the fraction that it is."""
    terms = (math.comb(trials, j) * p**j * (1 - p) ** (trials - j) for j in range(errors + 1))
    return sum(terms, start=Fraction(0))


def tail_holds(errors: int, trials: int, delta: Fraction, p: float) -> bool:
    """Return whether p is an upper value: P(Bin(trials, p) <= errors) <= delta."""
    if p >= 1.0:
        return True
    if p == 0.5 and trials <= 1000:
        return exact_tail(errors, trials, Fraction(p)) <= delta  # may be an equality
    # Beyond 512 bits this function may run for minutes and return a useless ball.
    return _at_precision((128, 256, 512), lambda: ball(delta) - tail(errors, trials, Fraction(p)))


def _at_precision(steps: tuple[int, ...], difference: Callable[[], arb]) -> bool:
    for precision in steps:
        with flint.ctx.workprec(precision):
            value = difference()
            if value.is_finite() and (value == 0 or not value.contains(0)):
                return bool(value >= 0)
    raise AssertionError(f"undecided at {precision} bits: {value}")


def slack(holds: Callable[[float], bool], p: float, most: int = 8) -> int:
    """Return how many doubles below p hold as well; -1 if p itself does not: unsafe."""
    if not holds(p):
        return -1
    for steps in range(most):
        p = math.nextafter(p, 0.0)
        if p == 0.0 or not holds(p):
            return steps
    return most
