"""Bounds on one classifier that was drawn from a posterior, once."""

from decimal import Decimal
from fractions import Fraction
from typing import Literal, SupportsIndex

from pacbayes.bounds.catoni import catoni_end, rate_of
from pacbayes.bounds.complexity import Constant, per_example
from pacbayes.bounds.directed import UP, end
from pacbayes.bounds.doubles import double_up_to_one
from pacbayes.bounds.inputs import Number, amount, count, exact, probability, proper, union_weight
from pacbayes.bounds.kl import invert_kl
from pacbayes.errors import UsageError

Kind = Literal["rivasplata", "catoni", "renyi"]


def disintegrated_bound(
    *,
    risk: Number,
    log_ratio: Number,
    n: SupportsIndex,
    delta: Number,
    kind: Kind = "rivasplata",
    c: Number | None = None,
    constant: Constant = "2sqrt(n)",
    weight: Number = 1,
) -> float:
    """Return an upper bound on the risk of one classifier h, drawn once from the posterior.

    With probability at least 1 - delta over the examples *and* the draw; a second draw needs a
    delta of its own, and an average over draws, or the best of them, is not covered.

    - ``"rivasplata"``: ``kl^-1(risk, (log_ratio + ln(2 sqrt(n) / (weight delta))) / n)``.
    - ``"catoni"``: ``(1 - exp(-c risk - (log_ratio + ln(1 / (weight delta))) / n)) / (1 -
      exp(-c))``.
    - ``"renyi"``: ``kl^-1(risk, (log_ratio + ln(2 sqrt(n) 8 / (weight delta)^3)) / n)``, where
      log_ratio is the Renyi divergence of order 2, which does not depend on h.

    Rounded up. Exactly 1.0 where vacuous, and also where a negative price contradicts the theorem:
    on its event a kl is not negative, nor is a risk.

    Args:
        risk: exact error rate of h on the n examples, ``Fraction(errors, n)``, in [0, 1].
        log_ratio: upper value of ln(dQ/dP)(h) in nats. It has a sign, and the sign counts: neither
            clip it nor replace it by its mean. For ``"renyi"`` the divergence, not negative.
        n: number of certificate examples, at least 1.
        delta: failure probability in (0, 1).
        kind: which theorem.
        c: the rate of ``"catoni"``, positive and fixed before the examples are seen.
        constant: as for `kl_bound`; unused by ``"catoni"``.
        weight: union weight in (0, 1] of the choices on the prior's side.

    Raises:
        UsageError: an argument is outside its range, or ``c`` is missing or out of place.

    References:
        Rivasplata et al. (2020); Catoni (2007), section 1.2.4; Viallard et al. (2024), with order 2
        and ``exp(n kl / 2)`` as the function of risk and error rate.

    Example:
        At 50 digits 0.0228889632802759292655..., 0.0313250170019311132238... with Catoni's bound,
        and 0.0364037721292757486570... with Renyi's.

        >>> evidence = {"risk": "0.02", "n": 30000, "delta": "0.05"}
        >>> disintegrated_bound(**evidence, log_ratio=-3)
        0.022888963280275933
        >>> disintegrated_bound(**evidence, log_ratio=-3, kind="catoni", c=1)
        0.03132501700193112
        >>> disintegrated_bound(**evidence, log_ratio=120, kind="renyi")
        0.03640377212927575
    """
    average = end(UP, probability("risk", risk))
    size = count("n", n, least=1)
    price = Fraction(proper("delta", delta)) * union_weight(weight)
    nats = amount("log_ratio", log_ratio) if kind == "renyi" else exact("log_ratio", log_ratio)
    if nats == Decimal("-Infinity"):
        raise UsageError("log_ratio is minus infinity: the posterior cannot have drawn this")
    if (kind == "catoni") != (c is not None):
        raise UsageError("c belongs to the kind 'catoni', which needs it")
    if c is not None:
        paid = per_example(nats, size, price, None)
        return double_up_to_one(catoni_end(average, rate_of(c), paid))
    if kind == "renyi":
        price = price**3 / 8
    elif kind != "rivasplata":
        raise UsageError(f"kind must be 'rivasplata', 'catoni' or 'renyi', got {kind!r}")
    paid = per_example(nats, size, price, constant)
    return 1.0 if paid < 0 else invert_kl(average, paid)


def vote_bound(*, gibbs: Number) -> float:
    """Return an upper bound on the risk of the majority or plurality vote: twice the Gibbs bound.

    Where the vote errs, at least half of the posterior does, for two classes or more. It covers
    the vote of the whole posterior, neither that of a sample of it nor the network of the mean.

    Args:
        gibbs: upper bound on the Gibbs risk, in [0, 1].

    Raises:
        UsageError: it lies outside.

    References:
        Langford and Shawe-Taylor (2003), section 2.

    Example:
        >>> vote_bound(gibbs="0.1"), vote_bound(gibbs=0.7)
        (0.2, 1.0)
    """
    bound = end(UP, probability("gibbs", gibbs))
    return double_up_to_one(UP.add(bound, bound))
