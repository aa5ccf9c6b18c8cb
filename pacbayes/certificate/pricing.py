"""How the bounds of a document are computed from its counts and nats."""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import Literal, Self

from pacbayes.bounds import binomial_upper, decimal_up, kl_bound
from pacbayes.certificate.decimals import plain
from pacbayes.certificate.document import Certificate

Constant = Literal["2sqrt(n)", "xi"]

TRIED = "priors tried"
"""Purpose of the union entry that pays for the number of priors tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """The shares of delta and the union weight that bounds are computed with.

    Attributes:
        n: size of the certificate part.
        theorem: share of delta of the theorem.
        draws: share of delta of the sampled weights.
        weight: product of all union weights.
        tried: number of priors tried; whoever takes the best of their certificates took the best
            of their counted draws too, so the draws' share is divided by it.
        constant: ``2sqrt(n)`` or ``xi``.
    """

    n: int
    theorem: Fraction
    draws: Fraction
    weight: Fraction
    tried: int = 1
    constant: Constant = "2sqrt(n)"

    @classmethod
    def of(cls, certificate: Certificate) -> Self:
        """Return the prices that a certificate was computed with."""
        document = certificate.document
        shares = {s["purpose"]: Fraction(s["share"]) for s in document["delta_shares"]}
        return cls(
            n=certificate.n,
            theorem=shares["theorem"],
            draws=shares["draws"],
            weight=prod((Fraction(u["weight"]) for u in document["union"]), start=Fraction(1)),
            tried=prod(u["choices"] for u in document["union"] if u["purpose"] == TRIED),
            constant=document["bound"]["constant"],
        )

    @property
    def delta(self) -> Fraction:
        """Failure probability of the whole claim."""
        return self.theorem + self.draws

    def divided_by(self, parts: int) -> Self:
        """Return the prices of one of several claims that share this delta."""
        return replace(self, theorem=self.theorem / parts, draws=self.draws / parts)

    def draws_upper(self, errors: int, trials: int) -> str:
        """Return an upper value of the empirical Gibbs risk, at the share of the draws.

        Trials have unequal means, where the tail inversion holds for ``errors < trials - 1``.
        """
        if errors >= trials - 1:
            return "1"
        upper = binomial_upper(errors=errors, trials=trials, delta=self.draws / self.tried)
        return plain(decimal_up(upper))

    def theorem_upper(self, risk_upper: str, kl_upper: str) -> str:
        """Return the bound on the risk, at the share of the theorem."""
        bound = kl_bound(
            risk=risk_upper,
            kl=kl_upper,
            n=self.n,
            delta=self.theorem,
            weight=self.weight,
            constant=self.constant,
        )
        return plain(decimal_up(bound))

    def holdout_upper(self, errors: int) -> str:
        """Return the bound for one fixed classifier, at the whole of delta.

        Its choice among others is paid for with the same union weights.
        """
        delta = self.delta * self.weight
        return plain(decimal_up(binomial_upper(errors=errors, trials=self.n, delta=delta)))
