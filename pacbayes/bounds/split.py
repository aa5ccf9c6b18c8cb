"""Bounds on losses of few values, and PAC-Bayes bounds that feed on each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final, SupportsIndex

from pacbayes.bounds.binomial import poisson_binomial_upper
from pacbayes.bounds.complexity import Constant, complexity
from pacbayes.bounds.directed import UP, end
from pacbayes.bounds.doubles import double_up, double_up_to_one
from pacbayes.bounds.inputs import Number, exact, probability, proper, union_weight
from pacbayes.bounds.kl import invert_kl
from pacbayes.errors import UsageError

_LARGEST_VALUE: Final = 10**300


def split_kl_bound(
    *,
    values: Sequence[Number],
    risks: Sequence[Number],
    kl: Number,
    n: SupportsIndex,
    delta: Number,
    constant: Constant = "2sqrt(n)",
    weight: Number = 1,
) -> float:
    """Return an upper bound on the Gibbs mean of a loss that takes the values b_0 < ... < b_J.

    ``b_0 + sum_j (b_j - b_{j-1}) kl^-1(risks[j], (kl + ln(2 J sqrt(n) / (weight delta))) / n)``,
    rounded up; b_J where vacuous. The loss is b_0 plus steps that are passed or not, and each step
    has a kl event of its own at delta / J. May be negative, as the loss may. With the values 0 and
    1 it is `kl_bound`.

    Args:
        values: all values that the loss can take, rising, at least two; fixed beforehand.
        risks: for j = 1 to J an upper value of the posterior's empirical probability that the loss
            is b_j *or more*, not that it is b_j. The truth falls with j, and so must these.
        kl: upper value of the divergence in nats; may be infinite.
        n: number of certificate examples, at least 1.
        delta: failure probability in (0, 1).
        constant: as for `kl_bound`.
        weight: union weight in (0, 1] of the choices on the prior's side.

    Raises:
        UsageError: an argument is outside its range; the values do not rise, the risks rise, or
            their numbers do not fit.

    References:
        Wu and Seldin (2022), for three values; Wu et al. (2024), for more.

    Example:
        An excess loss with gamma = 1/2. At 50 digits: 0.0259316191968713189074...

        >>> split_kl_bound(
        ...     values=["-0.5", 0, "0.5", 1], risks=["0.99", "0.02", "0.01"],
        ...     kl=100, n=30000, delta="0.025",
        ... )
        0.025931619196871362
    """
    levels = [_level(value) for value in values]
    if len(levels) < 2 or any(low >= high for low, high in pairwise(levels)):
        raise UsageError("values must be at least two and rise strictly, such as 0 and 1")
    steps = len(levels) - 1
    if len(risks) != steps:
        raise UsageError(f"{len(levels)} values need {steps} risks, got {len(risks)}")
    passed = [probability("risk", risk) for risk in risks]
    if any(Fraction(near) < Fraction(far) for near, far in pairwise(passed)):
        raise UsageError("risks must not rise: the j-th is the probability of b_j or more")
    paid = complexity(
        kl=kl, n=n, delta=delta, weight=union_weight(weight) / steps, constant=constant
    )
    total = levels[0]
    for (low, high), risk in zip(pairwise(levels), passed, strict=True):
        total += (high - low) * Fraction(invert_kl(end(UP, risk), paid))
    return double_up(total)


def excess_values(gamma: Number) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Return the values of a classifier's 0-1 loss less gamma times another's, rising.

    Raises:
        UsageError: gamma is not in (0, 1).

    Example:
        >>> excess_values("1/4")
        (Fraction(-1, 4), Fraction(0, 1), Fraction(3, 4), Fraction(1, 1))
    """
    part = Fraction(proper("gamma", gamma))
    return -part, Fraction(0), 1 - part, Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One posterior of a chain, and what was seen of it on examples that its prior has not seen.

    The first stage has one risk, that of the 0-1 loss, and no gamma. A later one has three, of its
    excess loss ``X = loss(h) - gamma loss(h')`` with h of this stage's posterior and h' of its
    prior, the posterior before: upper values of the empirical probabilities that X is at least 0,
    at least 1 - gamma, and 1.

    Args:
        n: number of examples that the stage's prior has not seen.
        kl: upper value of KL(this posterior, the posterior before) in nats.
        risks: one upper value for the first stage, three for others; see `count_risks`.
        gamma: in (0, 1), fixed before the stage's n examples are seen, which the examples of
            earlier stages' training may be; None for the first stage.
    """

    n: int
    kl: Number
    risks: tuple[Number, ...]
    gamma: Number | None = None


def recursive_bound(
    *, stages: Sequence[Stage], delta: Number, constant: Constant = "2sqrt(n)", weight: Number = 1
) -> float:
    """Return an upper bound on the risk of the last posterior of a chain of T.

    ``B_1 = kl^-1(risk, (kl + ln(2 T sqrt(n) / delta)) / n)`` and ``B_t = E_t + gamma_t B_{t-1}``,
    where E_t is `split_kl_bound` of the excess loss at delta / T, so with ``ln(6 T sqrt(n) /
    delta)``. The posterior of each stage is the prior of the next, so that every example serves
    both. Each B_t is rounded up to a double before it is used.

    Args:
        stages: the chain, in order.
        delta: failure probability of the whole chain, in (0, 1).
        constant: as for `kl_bound`.
        weight: union weight in (0, 1] of the choices on the first prior's side.

    Raises:
        UsageError: an argument is outside its range, or a stage has the wrong number of risks.

    References:
        Wu, Zhang, Cherief-Abdellatif and Seldin (2024), Recursive PAC-Bayes.

    Example:
        At 50 digits: 0.1381341628289262169534...

        >>> first = Stage(n=60000, kl=1000, risks=("0.1",))
        >>> second = Stage(n=30000, kl=500, risks=("0.99", "0.03", "0.01"), gamma="1/2")
        >>> recursive_bound(stages=[first, second], delta="0.025")
        0.1381341628289263
    """
    return recursive_bounds(stages=stages, delta=delta, constant=constant, weight=weight)[-1]


def recursive_bounds(
    *, stages: Sequence[Stage], delta: Number, constant: Constant = "2sqrt(n)", weight: Number = 1
) -> tuple[float, ...]:
    """Return all of B_1 ... B_T of `recursive_bound`; they hold together at the one delta.

    Raises:
        UsageError: as for `recursive_bound`.

    Example:
        >>> recursive_bounds(stages=[Stage(n=100, kl=0, risks=(0,))], delta="0.05")
        (0.05815507911697227,)
    """
    if not stages:
        raise UsageError("the chain has no stages; give at least one")
    share = union_weight(weight) / len(stages)
    zero_one: tuple[Fraction, ...] = (Fraction(0), Fraction(1))
    found: list[float] = []
    for stage in stages:
        if not found:
            if stage.gamma is not None or len(stage.risks) != 1:
                raise UsageError("the first stage has one risk and no gamma")
            values, before = zero_one, Fraction(0)
        elif stage.gamma is None:
            raise UsageError("every stage after the first needs its gamma")
        else:
            values = excess_values(stage.gamma)
            before = Fraction(proper("gamma", stage.gamma)) * Fraction(found[-1])
        excess = split_kl_bound(
            values=values,
            risks=stage.risks,
            kl=stage.kl,
            n=stage.n,
            delta=delta,
            constant=constant,
            weight=share,
        )
        found.append(double_up_to_one(max(Fraction(excess) + before, Fraction(0))))
    return tuple(found)


def count_risks(*, counts: Sequence[int], trials: int, delta: Number) -> tuple[float, ...]:
    """Return `poisson_binomial_upper` of several counts of the same trials, at one delta in all.

    Each count gets delta / len(counts). For a chain of T stages count all 3 T - 2 risks: give a
    later stage ``3 / (3 T - 2)`` of the draws' share and the first one ``1 / (3 T - 2)``.

    Args:
        counts: how many of the trials reach each value of a loss, from the second value on.
        trials: number of independent trials; each with fresh weights of both posteriors.
        delta: failure probability of all counts together; each part must be below 1/4.

    Raises:
        UsageError: an argument is outside its range, or there are no counts.

    Example:
        >>> count_risks(counts=[990, 30, 10], trials=1000, delta="0.03")
        (0.9958597019348553, 0.045050429192028445, 0.020042605900878932)
    """
    if not counts:
        raise UsageError("there are no counts; give at least one")
    share = Fraction(proper("delta", delta)) / len(counts)
    return tuple(
        poisson_binomial_upper(errors=errors, trials=trials, delta=share) for errors in counts
    )


def _level(value: Number) -> Fraction:
    level = exact("value", value)
    if not -_LARGEST_VALUE <= level <= _LARGEST_VALUE:
        raise UsageError(f"values must be between -1e300 and 1e300, got {value}")
    return Fraction(level)
