"""How one failure probability is shared, exactly."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from pacbayes.bounds.inputs import Number, count, proper
from pacbayes.errors import UsageError


@dataclass(frozen=True, slots=True, init=False)
class Confidence:
    """A failure probability and its additive shares, as exact fractions.

    By default the theorem gets 9/10 of delta and the sampled weights (`draws`) 1/10. In floats
    shares do not add up: seven times 0.05 / 7 is more than 0.05. Choices on the prior's side are no
    shares, they have weights, see `kl_bound`.

    Args:
        delta: failure probability of the whole claim, in (0, 1); "0.05" is exactly 1/20.
        shares: absolute amounts by purpose, of sum at most delta.

    Raises:
        UsageError: delta or a share is not in (0, 1), the shares exceed delta, or the draws get 1/4
            or more, where the binomial tail does not bound trials of unequal means.

    Example:
        >>> confidence = Confidence("0.05")
        >>> confidence.theorem, confidence.draws
        (Fraction(9, 200), Fraction(1, 200))
        >>> confidence.split(3).delta * 3 == confidence.delta
        True
    """

    delta: Fraction
    shares: tuple[tuple[str, Fraction], ...]

    def __init__(self, delta: Number, *, shares: Mapping[str, Number] | None = None) -> None:
        whole = Fraction(proper("delta", delta))
        parts: tuple[tuple[str, Fraction], ...]
        if shares is None:
            parts = (("theorem", whole * Fraction(9, 10)), ("draws", whole / 10))
        else:
            parts = tuple(
                (purpose, Fraction(proper(f"share of {purpose}", share)))
                for purpose, share in shares.items()
            )
        total = sum((share for _, share in parts), start=Fraction(0))
        if total > whole:
            raise UsageError(f"the shares add up to {total}, more than delta = {whole}")
        if dict(parts).get("draws", Fraction(0)) >= Fraction(1, 4):
            raise UsageError("the share of the draws must be below 1/4; lower delta or that share")
        object.__setattr__(self, "delta", whole)
        object.__setattr__(self, "shares", parts)

    def share(self, purpose: str) -> Fraction:
        """Return the share of a purpose.

        Raises:
            UsageError: it has none.
        """
        for name, share in self.shares:
            if name == purpose:
                return share
        known = ", ".join(name for name, _ in self.shares) or "none"
        raise UsageError(f"delta has no share for {purpose!r}; it has {known}")

    @property
    def theorem(self) -> Fraction:
        """Failure probability of the theorem, over the examples."""
        return self.share("theorem")

    @property
    def draws(self) -> Fraction:
        """Failure probability of the error counts, over the sampled weights."""
        return self.share("draws")

    def split(self, rows: int) -> Self:
        """Return the confidence of one of several claims that are to hold together: delta / rows.

        Raises:
            UsageError: rows is no integer or below 1.
        """
        parts = count("rows", rows, least=1)
        return type(self)(self.delta / parts, shares={p: s / parts for p, s in self.shares})
