"""Upper values of a mean from draws in [0, 1] whose spread is small, and when to stop drawing.

Draws are numbers in [0, 1], or whole counts out of ``size``: the errors of one weight draw on
``size`` examples. Only independent draws count; m weight draws shared by n examples are m.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Final

from pacbayes.bounds.directed import DOWN, ONE, UP, end, log_inverse, sqrt
from pacbayes.bounds.doubles import double_up_to_one, smallest_double
from pacbayes.bounds.inputs import Number, count, exact, proper
from pacbayes.errors import UsageError

_BETS: Final = Context(prec=12, rounding=ROUND_HALF_EVEN)
"""Bets need not be precise, but alike on every machine, which `math.log` is not."""

_LOOKS: Final = Fraction(21, 20)


def empirical_bernstein_upper(*, values: Sequence[Number], delta: Number, size: int = 1) -> float:
    """Return an upper value of a mean from independent draws in [0, 1] and their variance.

    ``mean + sqrt(2 V ln(2 / delta) / m) + 7 ln(2 / delta) / (3 (m - 1))`` with the sample variance
    V of the m draws (over m - 1), rounded up. For draws that are 0 or 1 `binomial_upper` is
    better; for others `betting_upper` mostly is. Exactly 1.0 where vacuous.

    Args:
        values: the draws, at least two, in [0, size]; their number fixed beforehand.
        delta: failure probability in (0, 1).
        size: what the draws are counts of.

    Raises:
        UsageError: an argument is outside its range.

    References:
        Maurer and Pontil (2009), theorem 4; theorem 11 where the means are unequal.

    Example:
        At 50 digits: 0.0545768047074638360475...

        >>> empirical_bernstein_upper(values=[3, 5, 4, 6] * 250, size=100, delta="0.05")
        0.05457680470746384
    """
    draws = _draws(values, count("size", size, least=1))
    m = len(draws)
    if m < 2:
        raise UsageError(f"values must be at least two draws, got {m}")
    total = sum(draws, start=Fraction(0))
    squares = sum((draw * draw for draw in draws), start=Fraction(0))
    variance = (squares - total * total / m) / (m - 1)
    nats = log_inverse(UP, Fraction(proper("delta", delta)) / 2)
    spread = sqrt(UP, UP.multiply(end(UP, 2 * variance / m), nats))
    rest = UP.multiply(end(UP, Fraction(7, 3 * (m - 1))), nats)
    return double_up_to_one(UP.add(UP.add(end(UP, total / m), spread), rest))


def betting_upper(
    *, values: Sequence[Number], delta: Number, size: int = 1, horizon: int | None = None
) -> float:
    """Return an upper value of the common mean of draws in [0, 1], by betting that it is lower.

    The smallest double p with a proof that the capital ``prod_i (1 + bet_i (p - x_i))`` was at
    least ``1 / delta`` after some draw. The i-th bet, in [0, 1], depends on the draws before it
    alone: ``sqrt(2 ln(1 / delta) / (v t))``, at most 1, with the regularised variance v of those
    draws and t = horizon, or t = i ln(1 + i) without one. If the mean is p the capital is a
    martingale, so it ever reaches 1 / delta with probability at most delta: **time-uniform**,
    stopping at any moment is valid, for any reason that the draws give. The capital rises with p,
    so higher means are refuted with it, and more draws never raise the value. Exactly 1.0 where
    vacuous.

    Args:
        values: the draws in their order, in [0, size], each of the same mean given those before:
            fresh weights for all examples of a draw, not one draw for each example.
        delta: failure probability in (0, 1).
        size: what the draws are counts of.
        horizon: number of draws for which the bets are tuned, fixed beforehand; stopping earlier
            or later stays valid.

    Raises:
        UsageError: an argument is outside its range.

    References:
        Waudby-Smith and Ramdas (2024), the one-sided capital process of section 4 with the bets of
        its predictable plug-in.

    Example:
        At 50 digits, with bets that are not rounded to 12: 0.0481213594663055905027...

        >>> betting_upper(values=[0], delta="1/2")
        1.0
        >>> betting_upper(values=[3, 5, 4, 6] * 250, size=100, delta="0.05", horizon=1000)
        0.04812135946630534
    """
    draws = _draws(values, count("size", size, least=1))
    share = proper("delta", delta)
    limit = None if horizon is None else count("horizon", horizon, least=1)
    return _refuted(list(zip(_bets(draws, share, limit), draws, strict=True)), share)


def draw_until(
    draws: Iterable[Number],
    *,
    slack: Number,
    delta: Number,
    most: int,
    size: int = 1,
    horizon: int | None = None,
) -> tuple[Number, ...]:
    """Return draws, taken one by one until `betting_upper` of them is near their mean.

    Stops when ``betting_upper - mean <= slack`` or after ``most`` draws; looked at whenever there
    are a twentieth more of them. Valid as it stands: `betting_upper` of what is returned, at the
    same delta, size and horizon, holds however the stop came about.

    Args:
        draws: where draws come from; no more than needed are asked for.
        slack: how far above the mean the upper value may be, in (0, 1).
        delta: failure probability in (0, 1).
        most: number of draws after which to stop in any case.
        size: as for `betting_upper`.
        horizon: as for `betting_upper`.

    Raises:
        UsageError: an argument is outside its range.

    Example:
        >>> from itertools import cycle
        >>> taken = draw_until(cycle([3, 5, 4, 6]), slack="0.01", delta="0.05", most=9999, size=100)
        >>> len(taken), betting_upper(values=taken, delta="0.05", size=100) < 0.0551
        (318, True)
    """
    near, last = Fraction(proper("slack", slack)), count("most", most, least=1)
    betting_upper(values=(), delta=delta, size=size, horizon=horizon)  # refuses before any draw
    taken: list[Number] = []
    look = 1
    for draw in draws:
        taken.append(draw)
        if len(taken) >= last:
            break
        if len(taken) < look:
            continue
        look = math.ceil(len(taken) * _LOOKS)
        upper = betting_upper(values=taken, delta=delta, size=size, horizon=horizon)
        mean = sum(_draws(taken, size), start=Fraction(0)) / len(taken)
        if Fraction(upper) - mean <= near:
            break
    return tuple(taken)


def _draws(values: Sequence[Number], size: int) -> list[Fraction]:
    draws = []
    for value in values:
        number = exact("value", value)
        if not 0 <= number <= size:
            raise UsageError(f"values must be in [0, {size}], got {value}")
        if size > 1 and Fraction(number).denominator != 1:
            # A rate taken for a count would be divided once more.
            raise UsageError(f"values must be whole counts out of size = {size}, got {value}")
        draws.append(Fraction(number) / size)
    return draws


def _bets(draws: Sequence[Fraction], share: Number, horizon: int | None) -> list[Decimal]:
    """Return the bets, each from the draws before it; any numbers in [0, 1] would be valid.

    Mean and variance are pulled towards 1/2 and 1/4 by one imagined draw, as Waudby-Smith and
    Ramdas do.
    """
    nats = _BETS.multiply(Decimal(-2), _BETS.ln(_rounded(Fraction(share))))
    total, squares, bets = Decimal("0.5"), Decimal("0.25"), []
    for index, draw in enumerate(draws, start=1):
        time = Decimal(horizon or index)
        if horizon is None:
            time = _BETS.multiply(time, _BETS.ln(Decimal(1 + index)))
        size = _BETS.divide(nats, _BETS.multiply(_BETS.divide(squares, Decimal(index)), time))
        bets.append(min(ONE, _BETS.sqrt(size)))
        value = _rounded(draw)
        total = _BETS.add(total, value)
        off = _BETS.subtract(value, _BETS.divide(total, Decimal(index + 1)))
        squares = _BETS.add(squares, _BETS.multiply(off, off))
    return bets


def _rounded(x: Fraction) -> Decimal:
    return _BETS.divide(Decimal(x.numerator), Decimal(x.denominator))


def _refuted(rounds: list[tuple[Decimal, Fraction]], share: Number) -> float:
    """Return the smallest double whose capital is proved to reach 1 / delta."""
    price = UP.divide(ONE, end(DOWN, exact("delta", share)))
    played = [(bet, end(UP, draw)) for bet, draw in rounds]

    def accepts(p: float) -> bool:
        mean, capital = Decimal.from_float(p), ONE
        for bet, draw in played:
            gain = DOWN.multiply(bet, DOWN.subtract(mean, draw))
            capital = DOWN.multiply(capital, DOWN.add(ONE, gain))
            if capital >= price:
                return True
        return False

    start = _proposal([(float(bet), float(draw)) for bet, draw in played], float(UP.ln(price)))
    return smallest_double(accepts, start)


def _proposal(played: list[tuple[float, float]], goal: float) -> float:
    """Return the mean whose largest capital reaches a goal (in logarithms), by bisection.

    A middle is tiny only for a delta next to 1, where all bets are small: the logarithms exist.
    """
    low, high = 0.0, 1.0
    while low < (middle := 0.5 * (low + high)) < high:
        log_capital = 0.0
        for bet, draw in played:
            log_capital += math.log1p(bet * (middle - draw))
            if log_capital >= goal:
                high = middle
                break
        else:
            low = middle
    return high
