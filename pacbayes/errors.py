"""Errors that a user can act on, each with the exit code that the command line gives it.

Every message says what was given, what is accepted and what to do next, in one line.
"""

from dataclasses import dataclass


class PacBayesError(Exception):
    """Base of all errors raised on purpose; anything else is a bug (exit code 70)."""

    exit_code = 70


class UsageError(PacBayesError, ValueError):
    """An argument is outside its range, or options contradict each other."""

    exit_code = 2


class InputError(PacBayesError):
    """A file is missing, unreadable, malformed, unsafe or not comparable."""

    exit_code = 3


class VerificationError(PacBayesError):
    """A certificate does not follow from its own evidence."""

    exit_code = 1


class WriteError(PacBayesError):
    """An output file could not be written."""

    exit_code = 74


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One validity condition that does not hold.

    Attributes:
        condition: identifier of the condition, for example ``"V1"``.
        message: what is wrong and what would mend it, in one line.
    """

    condition: str
    message: str


class UnsoundError(PacBayesError):
    """Validity conditions are violated or undeclared; carries all of them at once."""

    exit_code = 4

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"[{p.condition}] {p.message}" for p in self.problems))
