"""A number without guarantee."""

from dataclasses import dataclass

from pacbayes.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A risk value that is not certified; it cannot be written as a certificate or gated on.

    Attributes:
        value: the number, in [0, 1].
        what: how it was obtained, in one line.
        problems: the conditions that stand between it and a certificate.
    """

    value: float
    what: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        """Return the number with the word that keeps it from being read as a bound."""
        return f"estimate, not certified: {self.value:.4f} ({self.what})"
