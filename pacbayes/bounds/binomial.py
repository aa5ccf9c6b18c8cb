"""Upper values of a probability from a count of errors."""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from pacbayes.bounds.directed import DOWN, ONE, UP, end, exp, ln
from pacbayes.bounds.doubles import smallest_double
from pacbayes.bounds.factorial import ln_choose
from pacbayes.bounds.inputs import Number, count, probability, proper
from pacbayes.bounds.kl import invert_kl
from pacbayes.errors import UsageError

LARGEST_TRIALS: Final = 10**10
"""Up to here tails are summed (a second or two at most); beyond, kl-Chernoff is used."""

_UNIT: Final = 1 << 128
_NEGLIGIBLE: Final = 1 << 32
_ODDS_BITS: Final = 192
_BELOW_ONE: Final = math.nextafter(1.0, 0.0)


def binomial_upper(*, errors: int, trials: int, delta: Number) -> float:
    """Return the smallest double p with a proof that P(Bin(trials, p) <= errors) <= delta.

    The one-sided upper limit of Clopper and Pearson: with probability at least 1 - delta over
    independent trials of one common probability, it is not below that probability. Never below the
    exact limit, and at most 4 units in the last place above it. Exactly 1.0 if all trials are
    errors or no double below one is accepted. Above `LARGEST_TRIALS` trials the kl-Chernoff value
    `chernoff_upper` is returned instead: valid, but larger.

    Args:
        errors: number of errors, from 0 to trials.
        trials: number of independent trials, at least 1.
        delta: failure probability in (0, 1).

    Raises:
        UsageError: an argument is no integer or outside its range.

    References:
        Clopper and Pearson (1934); Langford (2005), the test set bound.

    Example:
        At 50 digits the limit of (5, 100, 1/20) is 0.1022533776432745088579...

        >>> binomial_upper(errors=5, trials=100, delta="0.05")
        0.10225337764327451
        >>> binomial_upper(errors=100, trials=100, delta="0.05")
        1.0
    """
    errors, trials = _counts(errors, trials)
    return invert_tail(errors, trials, end(DOWN, proper("delta", delta)))


def poisson_binomial_upper(*, errors: int, trials: int, delta: Number) -> float:
    """Return an upper value of the mean of the trials' probabilities, which may be unequal.

    The same number as `binomial_upper`, or 1.0 from ``trials - 1`` errors on. For independent
    trials of unequal probabilities the lower tail is at most the binomial one of the same mean for
    counts up to ``trials * mean - 1``, which every inverted point satisfies if delta < 1/4; only at
    the very top does it fail.

    Args:
        errors: number of errors, from 0 to trials.
        trials: number of independent trials, at least 1.
        delta: failure probability in (0, 1/4).

    Raises:
        UsageError: an argument is no integer or outside its range; delta is 1/4 or more.

    References:
        Hoeffding (1956), theorem 4; Greenberg and Mohri (2014), theorem 1.

    Example:
        >>> poisson_binomial_upper(errors=5, trials=100, delta="0.05")
        0.10225337764327451
        >>> poisson_binomial_upper(errors=99, trials=100, delta="0.05")
        1.0
    """
    errors, trials = _counts(errors, trials)
    share = proper("delta", delta)
    if not share < Fraction(1, 4):
        raise UsageError(f"delta must be below 1/4 for trials of unequal means, got {delta}")
    if errors >= trials - 1:
        return 1.0
    return invert_tail(errors, trials, end(DOWN, share))


def chernoff_upper(*, risk: Number, draws: int, delta: Number) -> float:
    """Return an upper value of a mean from the average of independent draws in [0, 1].

    ``kl^-1(risk, ln(1 / delta) / draws)``, rounded up. The draws need not be 0 or 1, nor have equal
    means. Only independent draws count: m weight draws shared by n examples are m, not m n.

    Args:
        risk: average of the draws in [0, 1]; ``Fraction(errors, m * n)`` keeps it exact.
        draws: number of independent draws, at least 1.
        delta: failure probability in (0, 1).

    Raises:
        UsageError: an argument is outside its range.

    References:
        Hoeffding (1963), theorem 1.

    Example:
        At 50 digits: 0.004594582648473037551939...

        >>> chernoff_upper(risk=0, draws=1000, delta="0.01")
        0.004594582648473038
    """
    average = end(UP, probability("risk", risk))
    return _chernoff(average, count("draws", draws, least=1), end(DOWN, proper("delta", delta)))


def _chernoff(average: Decimal, draws: int, delta: Decimal) -> float:
    return invert_kl(average, UP.divide(ln(DOWN, delta).copy_negate(), Decimal(draws)))


def invert_tail(errors: int, trials: int, delta: Decimal) -> float:
    """Return `binomial_upper` for checked counts and a delta that is exact or was rounded down."""
    if errors >= trials or delta <= 0:
        return 1.0
    start = _chernoff(end(UP, Fraction(errors, trials)), trials, delta)
    if errors == 0 or trials > LARGEST_TRIALS:
        return start  # without errors the tail is (1 - p)^trials, which is Chernoff's bound
    tail = _Tail(errors, trials, ln_choose(UP, trials, errors))

    def accepts(p: float) -> bool:
        return tail.at(p)[0] <= delta

    return smallest_double(accepts, _proposal(tail, delta, min(start, _BELOW_ONE)))


def _counts(errors: int, trials: int) -> tuple[int, int]:
    trials = count("trials", trials, least=1)
    errors = count("errors", errors)
    if errors > trials:
        raise UsageError(f"errors must be at most trials = {trials}, got {errors}")
    return errors, trials


@dataclass(frozen=True, slots=True)
class _Tail:
    """P(Bin(trials, p) <= errors) as a function of p, for 0 < errors < trials."""

    errors: int
    trials: int
    choose: Decimal

    def at(self, p: float) -> tuple[Decimal, Decimal]:
        """Return upper values of the tail and of its last term, P(Bin = errors)."""
        point = Decimal.from_float(p)
        rest = UP.subtract(ONE, point)
        failures = UP.multiply(Decimal(self.errors), ln(UP, point))
        successes = UP.multiply(Decimal(self.trials - self.errors), ln(UP, rest))
        last = exp(UP, UP.add(UP.add(self.choose, failures), successes))
        odds = int(UP.multiply(UP.divide(rest, point), Decimal(1 << _ODDS_BITS))) + 1
        total = UP.divide(Decimal(self._terms(odds)), Decimal(_UNIT))
        return UP.multiply(last, total), last

    def _terms(self, odds: int) -> int:
        """Return the sum of all terms over the last one, in fixed point, rounded up.

        From P(Bin = j) to P(Bin = j - 1) the factor is j / (trials - j + 1) times the odds
        (1 - p) / p. It falls with j, so a geometric series bounds what is left out.
        """
        term = total = _UNIT
        above, below = self.errors, self.trials - self.errors + 1
        while above:
            term = term * (above * odds) // (below << _ODDS_BITS) + 1
            total += term
            above, below = above - 1, below + 1
            if term < _NEGLIGIBLE:  # so the factors are below one by now
                ratio, one = above * odds, below << _ODDS_BITS
                return total + term * ratio // (one - ratio) + 1
        return total


def _proposal(tail: _Tail, delta: Decimal, start: float) -> float:
    """Return the inverse to about an ulp: Newton's method on the logarithm of the tail.

    That logarithm is concave in p, so from Chernoff's value, which is on the right, the iterates
    fall until only rounding moves them. The slope of the tail is
    -P(Bin = errors) (trials - errors) / (1 - p).
    """
    p, successes = start, tail.trials - tail.errors
    while True:
        value, last = tail.at(p)
        excess = float(UP.ln(UP.divide(value, delta)))
        step = excess * float(UP.divide(value, last)) * (1.0 - p) / successes
        before, p = p, min(max(p + step, 0.5 * p), _BELOW_ONE)
        # Convergence is quadratic: after a relative step of 1e-11 the next one is lost in rounding.
        if p >= before or abs(step) <= 1e-11 * min(p, 1.0 - p):
            return p
