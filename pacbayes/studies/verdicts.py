"""From measurements to a verdict, by a rule that is stated before anything is measured.

Nobody writes a verdict: a :class:`Claim` carries its rules, and :func:`judge` applies them.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pacbayes.errors import UsageError
from pacbayes.studies.measurement import Measurement

Outcome = Literal["reproduced", "not reproduced", "inconclusive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Where the interval of one measurement must lie.

    The rule holds where the whole interval lies strictly between ``low`` and ``high``; it is
    refuted where no part of the interval does; in between it is open.

    Attributes:
        of: name of the measurement.
        low: lower limit.
        high: upper limit.

    Example:
        >>> above("gain", 0).text
        '`gain` lies above 0'
        >>> between("slope", -0.5, 0.5).text
        '`slope` lies between -0.5 and 0.5'
    """

    of: str
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise UsageError(f"rule of {self.of}: nothing lies between {self.low} and {self.high}")

    @property
    def text(self) -> str:
        """The rule in words."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"`{self.of}` lies between {self.low:g} and {self.high:g}"
        side = f"below {self.high:g}" if math.isfinite(self.high) else f"above {self.low:g}"
        return f"`{self.of}` lies {side}"

    def judge(self, found: Measurement) -> Outcome:
        """Return what an interval says about the rule."""
        if self.low < found.low and found.high < self.high:
            return "reproduced"
        if found.high <= self.low or found.low >= self.high:
            return "not reproduced"
        return "inconclusive"


def above(of: str, low: float) -> Rule:
    """Return the rule that a whole interval lies above a number."""
    return Rule(of=of, low=low)


def below(of: str, high: float) -> Rule:
    """Return the rule that a whole interval lies below a number."""
    return Rule(of=of, high=high)


def between(of: str, low: float, high: float) -> Rule:
    """Return the rule that a whole interval lies between two numbers."""
    return Rule(of=of, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a paper says, and what would count as reproducing it.

    Attributes:
        key: short name.
        text: the claim in one sentence.
        source: where the paper says it, and how well that could be read.
        rules: all of them must hold.
    """

    key: str
    text: str
    source: str
    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if not self.rules:
            raise UsageError(f"claim {self.key} has no rule")

    @property
    def rule(self) -> str:
        """All rules in one sentence."""
        return " and ".join(rule.text for rule in self.rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the measurements say about a claim.

    Attributes:
        claim: the claim.
        outcome: of all its rules together.
        measurements: those that its rules refer to, in their order.
    """

    claim: Claim
    outcome: Outcome
    measurements: tuple[Measurement, ...]

    def to_json(self) -> dict[str, Any]:
        """Return claim, rule, measurements and outcome as JSON."""
        return {
            "key": self.claim.key,
            "claim": self.claim.text,
            "source": self.claim.source,
            "rule": self.claim.rule,
            "verdict": self.outcome,
            "measurements": [found.to_json() for found in self.measurements],
        }


def judge(claim: Claim, measurements: Iterable[Measurement]) -> Verdict:
    """Return the verdict on a claim.

    Reproduced where every rule holds, not reproduced where one is refuted, else inconclusive.

    Args:
        claim: with its rules.
        measurements: those that the rules name, among others.

    Raises:
        UsageError: a rule names a measurement that is missing, or that is there twice.

    Example:
        >>> claim = Claim(key="k", text="it grows", source="-", rules=(above("growth", 0),))
        >>> judge(claim, [Measurement.over_seeds("growth", [1.0, 1.1, 1.2])]).outcome
        'reproduced'
        >>> judge(claim, [Measurement.over_seeds("growth", [1.0])]).outcome
        'inconclusive'
    """
    named: dict[str, Measurement] = {}
    for found in measurements:
        if found.name in named:
            raise UsageError(f"{found.name} was measured twice")
        named[found.name] = found
    missing = [rule.of for rule in claim.rules if rule.of not in named]
    if missing:
        raise UsageError(f"claim {claim.key} needs {missing}, which nobody measured")
    outcomes = [rule.judge(named[rule.of]) for rule in claim.rules]
    return Verdict(
        claim=claim,
        outcome=combined(outcomes),
        measurements=tuple(named[rule.of] for rule in claim.rules),
    )


def combined(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of several rules that must all hold.

    Example:
        >>> combined(["reproduced", "inconclusive", "not reproduced"])
        'not reproduced'
    """
    if "not reproduced" in outcomes:
        return "not reproduced"
    return "inconclusive" if "inconclusive" in outcomes else "reproduced"
