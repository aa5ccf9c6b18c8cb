"""Integer error counts."""

from dataclasses import dataclass

from pacbayes.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Errors among trials; both are exact integers and two counts of disjoint draws add up.

    Example:
        >>> Counts(errors=1, trials=10) + Counts(errors=2, trials=10)
        Counts(errors=3, trials=20)
    """

    errors: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.trials:
            raise UsageError(f"errors must lie in [0, trials], got {self.errors} of {self.trials}")

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(errors=self.errors + other.errors, trials=self.trials + other.trials)
