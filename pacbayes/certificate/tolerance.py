"""Tolerance and budget of the gate, parsed exactly."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self

from pacbayes.certificate.decimals import decimal_text
from pacbayes.errors import UsageError

CAP: Final = Fraction(1, 20)
"""Largest tolerance that is accepted unforced; beyond it a gate hardly ever fails."""

_NUMBER: Final = re.compile(r"(?=.{1,32}$)(?:\d+(?:\.\d*)?|\.\d+)(?:[eE]-?\d{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much a bound may rise before the gate fails.

    Attributes:
        value: a risk, or a fraction of the old bound.
        relative: whether it is a fraction of the old bound.
    """

    value: Fraction = Fraction(0)
    relative: bool = False

    @classmethod
    def parse(cls, text: str, *, force: bool = False) -> Self:
        """Return the tolerance in a text: a risk like ``0.005``, or a percentage like ``2%``.

        Args:
            text: not negative, at most 0.05 (or 5%).
            force: accept anything below 1.

        Raises:
            UsageError: no number, negative, or too large.

        Example:
            >>> Tolerance.parse("2%").limit("0.1"), Tolerance.parse("0.005").limit("0.1")
            ('0.102', '0.105')
        """
        relative = text.endswith("%")
        value = _number(text.removesuffix("%"), flag="--max-increase") / (100 if relative else 1)
        if value >= 1:
            raise UsageError(f"--max-increase {text} lets everything pass; write 0.005 or 2%")
        if value > CAP and not force:
            raise UsageError(
                f"--max-increase {text} is above 0.05, where a gate hardly ever fails; "
                "give --force-tolerance if it is meant"
            )
        return cls(value=value, relative=relative)

    def limit(self, old: str) -> str:
        """Return the largest bound that passes: exactly, and equality passes."""
        start = Fraction(old)
        rise = start * self.value if self.relative else self.value
        return decimal_text(min(start + rise, Fraction(1)))

    def __str__(self) -> str:
        """Return the tolerance as it may be written on the command line."""
        return f"{decimal_text(self.value * 100)}%" if self.relative else decimal_text(self.value)


def parse_budget(text: str) -> str:
    """Return the ceiling in a text as a plain decimal.

    Raises:
        UsageError: no number, or outside (0, 1].

    Example:
        >>> parse_budget("2.5e-1")
        '0.25'
    """
    value = _number(text, flag="--budget")
    if not 0 < value <= 1:
        raise UsageError(f"--budget is a risk in (0, 1], got {text}; write 0.25, not 25")
    return decimal_text(value)


def _number(text: str, *, flag: str) -> Fraction:
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"{flag} must be a decimal number that is not negative, got {text!r}")
    return Fraction(text)
