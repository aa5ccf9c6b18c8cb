"""How the bounds of a document are computed from its counts and nats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from math import prod
from typing import Any, Final, Literal, Self

from pacbayes.bounds import (
    binomial_upper,
    catoni_bound,
    decimal_up,
    disintegrated_bound,
    kl_bound,
    occam_bound,
)
from pacbayes.certificate.decimals import plain
from pacbayes.certificate.document import Certificate
from pacbayes.errors import UsageError

BoundId = Literal["pb-kl-maurer", "catoni", "recursive", "disintegrated", "occam", "test-set"]

SINGLE: Final = ("disintegrated", "occam", "test-set")
"""Bounds for one network; the others are for the randomised (Gibbs) classifier."""

TRIED: Final = "priors tried"
"""Purpose of the union entry that pays for the number of priors tried."""

_UP = Context(prec=50, rounding=ROUND_CEILING)
_UP_17 = Context(prec=17, rounding=ROUND_CEILING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """The theorem, the shares of delta and the union weight that bounds are computed with.

    Attributes:
        bound: which theorem.
        parameter: Catoni's constant, a decimal string; ``None`` for other theorems.
        n: size of the certificate part.
        theorem: share of delta of the theorem.
        draws: share of delta of the sampled weights; 0 for a bound on one network.
        weight: product of all union weights.
        tried: number of priors tried; whoever takes the best of their certificates took the best
            of their counted draws too, so the draws' share is divided by it.
        counts: number of counts that share the draws' delta; several for a recursive bound.
    """

    bound: BoundId = "pb-kl-maurer"
    parameter: str | None = None
    n: int
    theorem: Fraction
    draws: Fraction
    weight: Fraction
    tried: int = 1
    counts: int = 1

    @classmethod
    def of(cls, certificate: Certificate) -> Self:
        """Return the prices that a certificate was computed with."""
        document = certificate.document
        shares = {s["purpose"]: Fraction(s["share"]) for s in document["delta_shares"]}
        return cls(
            bound=document["bound"]["id"],
            parameter=document["bound"]["parameter"],
            n=certificate.n,
            theorem=shares["theorem"],
            draws=shares.get("draws", Fraction(0)),
            weight=prod((Fraction(u["weight"]) for u in document["union"]), start=Fraction(1)),
            tried=prod(u["choices"] for u in document["union"] if u["purpose"] == TRIED),
            counts=max(1, sum(len(stage["parts"]) for stage in document["stages"])),
        )

    @property
    def delta(self) -> Fraction:
        """Failure probability of the whole claim."""
        return self.theorem + self.draws

    @property
    def single(self) -> bool:
        """Whether the claim is about one network."""
        return self.bound in SINGLE

    def divided_by(self, parts: int) -> Self:
        """Return the prices of one of several claims that share this delta."""
        return replace(self, theorem=self.theorem / parts, draws=self.draws / parts)

    def draws_upper(self, errors: int, trials: int) -> str:
        """Return an upper value of the empirical risk: for one network, the exact quotient.

        For a Gibbs classifier it is the tail inversion at the share of the draws; trials have
        unequal means, where it holds for ``errors < trials - 1``.
        """
        if self.single:
            return plain(_UP_17.divide(Decimal(errors), Decimal(trials)))
        if errors >= trials - 1:
            return "1"
        delta = self.draws / self.tried / self.counts
        upper = binomial_upper(errors=errors, trials=trials, delta=delta)
        return plain(decimal_up(upper))

    def theorem_upper(self, *, risk_upper: str, kl_upper: str, errors: int) -> str:
        """Return the bound on the risk, at the share of the theorem.

        Args:
            risk_upper: what :meth:`draws_upper` returns.
            kl_upper: nats of the divergence, of the density ratio, or of the code.
            errors: errors of one network; unused for a Gibbs classifier.

        Raises:
            UsageError: the bound is the recursive one, which has stages instead.
        """
        if self.bound == "recursive":
            raise UsageError("a recursive bound follows from its stages")
        if self.bound in ("occam", "test-set"):
            share = min(self.theorem * self.weight, Fraction(1, 2))
            value = occam_bound(errors=errors, n=self.n, nats=kl_upper, delta=share)
        elif self.bound == "catoni":
            value = catoni_bound(
                risk=risk_upper,
                kl=kl_upper,
                n=self.n,
                delta=self.theorem,
                weight=self.weight,
                c=self.parameter or "1",
            )
        elif self.bound == "disintegrated":
            value = disintegrated_bound(
                risk=risk_upper,
                log_ratio=kl_upper,
                n=self.n,
                delta=self.theorem,
                weight=self.weight,
            )
        else:
            return self.kl_upper(risk_upper, kl_upper, n=self.n, parts=1)
        return plain(decimal_up(value))

    def claim_upper(self, document: Mapping[str, Any]) -> str:
        """Return the bound that a document's counts and nats give at these prices."""
        counts, stages = document["mc"], document["stages"]
        if not stages:
            return self.theorem_upper(
                risk_upper=self.draws_upper(counts["errors"], counts["trials"]),
                kl_upper=document["posterior"]["kl_upper"],
                errors=counts["errors"],
            )
        priced = []
        for stage in stages:
            events, parts = len(stages) * len(stage["parts"]), []
            for part in stage["parts"]:
                counted = self.draws_upper(part["errors"], stage["trials"])
                upper = self.kl_upper(counted, stage["kl_upper"], n=stage["n"], parts=events)
                parts.append({"risk_upper": upper})
            priced.append({"gamma": stage["gamma"], "parts": parts})
        return recursive_upper(priced)

    def kl_upper(self, risk_upper: str, kl_upper: str, *, n: int, parts: int) -> str:
        """Return the kl bound at one of several equal parts of the theorem's share."""
        value = kl_bound(
            risk=risk_upper, kl=kl_upper, n=n, delta=self.theorem / parts, weight=self.weight
        )
        return plain(decimal_up(value))

    def holdout_upper(self, errors: int) -> str:
        """Return the bound for one fixed classifier, at the whole of delta.

        Its choice among others is paid for with the same union weights. Nothing is gained beyond
        one half, where the tail inversion reaches the mean.
        """
        delta = min(self.delta * self.weight, Fraction(1, 2))
        return plain(decimal_up(binomial_upper(errors=errors, trials=self.n, delta=delta)))


def recursive_upper(stages: Sequence[Mapping[str, Any]]) -> str:
    """Return the recursive bound from the risks of a document's stages, rounded up.

    ``B_t = -gamma + gamma p_1 + (1 - gamma) p_2 + gamma p_3 + gamma B_{t-1}``, where p_j bounds
    the probability that the excess loss reaches its j-th value; ``B_1 = p_1``.
    """
    bound = Decimal(0)
    for place, stage in enumerate(stages):
        gamma = Decimal(stage["gamma"])
        steps = [gamma, 1 - gamma, gamma] if place else [Decimal(1)]
        bound = _UP.subtract(_UP.multiply(gamma, bound), gamma)
        for step, part in zip(steps, stage["parts"], strict=True):
            bound = _UP.add(bound, _UP.multiply(step, Decimal(part["risk_upper"])))
    return plain(min(Decimal(1), _UP_17.plus(bound)))
