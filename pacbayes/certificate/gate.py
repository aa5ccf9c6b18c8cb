"""The gate: certificates verified, then held against a baseline, a reference and a budget.

One-sided: only a rise fails. Everything that is not surely good fails: what can't be read, verified
or compared, what has no baseline, and a subject of the baseline that nobody shows any more.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pacbayes.certificate.baseline import Baseline, read_baseline
from pacbayes.certificate.document import Certificate
from pacbayes.certificate.tolerance import Tolerance, parse_budget
from pacbayes.certificate.verdict import Failure, Verdict, incomparable, reasons
from pacbayes.certificate.verify import verify
from pacbayes.errors import InputError, UsageError

NO_FILE: Final = "check needs at least one certificate: 0 certificates were given"
NOTHING: Final = "check needs --baseline, --reference or --budget to hold against"
HINT: Final = (
    "write it with `pacbayes check CERT... --baseline FILE --update-baseline` and commit it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A checkpoint that is about to be shipped.

    Attributes:
        path: for messages.
        digests: the ticket digests that it can have (a file may be read in several ways).
    """

    path: str
    digests: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a certificate is held against.

    Attributes:
        baseline: certificates that must not get worse.
        reference: a fixed best, against slow drift: each step may pass the baseline, their sum
            must not pass this.
        tolerance: how much worse is accepted, against both.
        budget: largest bound that passes at all, a decimal string.
        artifacts: checkpoints; each certificate must name one of them, each must be named.
    """

    baseline: Baseline | None = None
    reference: Baseline | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    budget: str | None = None
    artifacts: tuple[Artifact, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the gate says about all certificates.

    Attributes:
        verdicts: one per file, in the order given.
        problems: reasons to fail that belong to no file.
        limits: what was asked for, one line each.
    """

    verdicts: tuple[Verdict, ...]
    problems: tuple[Failure, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """Exit code: 0 only if there is a certificate and all pass."""
        codes = [v.code for v in self.verdicts] + [p.code for p in self.problems]
        return max(codes) if self.verdicts else max([*codes, 2])

    @property
    def worst_first(self) -> tuple[Verdict, ...]:
        """The verdicts, failures by severity and rise first."""
        lowest = Decimal(-2)
        return tuple(
            sorted(
                self.verdicts,
                key=lambda v: (-v.code, -(lowest if v.change is None else v.change), v.subject),
            )
        )

    @property
    def summary(self) -> str:
        """One line."""
        count, failed = len(self.verdicts), sum(v.code > 0 for v in self.verdicts)
        text = f"{count - failed} of {count} certificates pass, {failed} fail"
        more = len(self.problems)
        text += f", {more} other problem{'s' if more > 1 else ''}" if more else ""
        return f"{text}: exit {self.code}"

    def to_json(self) -> dict[str, Any]:
        """Return the report with strings and integers only."""
        return {
            "schema": "pacbayes/check/1",
            "code": self.code,
            "summary": self.summary,
            "limits": list(self.limits),
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "problems": [{"kind": p.kind, "message": p.message} for p in self.problems],
        }


def check(
    paths: Sequence[Path | str],
    baseline: Baseline | Path | str | None = None,
    *,
    reference: Baseline | Path | str | None = None,
    max_increase: str = "0",
    budget: str | None = None,
) -> Report:
    """Return what the gate says about certificate files held against a baseline.

    Args:
        paths: certificate files.
        baseline: certificates that must not get worse, or the file with them.
        reference: a fixed best, likewise.
        max_increase: how much a bound may rise, like ``0.005`` or ``2%``.
        budget: largest bound that passes at all, like ``0.25``.

    Raises:
        UsageError: no file, nothing to hold against, or a bad tolerance or budget.
        InputError: baseline or reference is missing, unreadable or malformed.
        VerificationError: a certificate in them does not follow from its evidence.
    """
    if baseline is None and reference is None and budget is None:
        raise UsageError(NOTHING)
    limits = Limits(
        baseline=_known(baseline),
        reference=_known(reference),
        tolerance=Tolerance.parse(max_increase),
        budget=None if budget is None else parse_budget(budget),
    )
    return examine(paths, limits)


def examine(
    paths: Sequence[Path | str], limits: Limits, *, problems: Sequence[Failure] = ()
) -> Report:
    """Return what the gate says about certificate files; it never raises for their content.

    Args:
        paths: certificate files.
        limits: what they are held against; with nothing there, they are verified.
        problems: reasons to fail that are known already, like a baseline that can't be read.

    Raises:
        UsageError: no file.
    """
    if not paths:
        raise UsageError(NO_FILE)
    opened = [_open(str(path)) for path in paths]
    names = Counter(item.name for item in opened if isinstance(item, Certificate))
    verdicts = []
    for path, item in zip(paths, opened, strict=True):
        if isinstance(item, Failure):
            verdicts.append(Verdict(path=str(path), failures=(item,)))
        else:
            verdicts.append(_judge(str(path), item, limits, repeated=names[item.name] > 1))
    return Report(
        verdicts=tuple(verdicts),
        problems=(
            *problems,
            *_absent(opened, limits),
            *_unnamed(opened, limits.artifacts or ()),
        ),
        limits=_described(limits),
    )


def _known(given: Baseline | Path | str | None) -> Baseline | None:
    return given if given is None or isinstance(given, Baseline) else read_baseline(given)


def _open(path: str) -> Certificate | Failure:
    try:
        found = verify(path)
    except InputError as error:
        return Failure(kind="unreadable", message=str(error))
    if found.certificate is None:
        return Failure(kind="rejected", message=f"{path}: does not verify: {found.reason}")
    return found.certificate


def _judge(path: str, new: Certificate, limits: Limits, *, repeated: bool) -> Verdict:
    failures: list[Failure] = []
    if repeated:
        message = f"{path}: another file is named {new.name} too"
        failures.append(Failure(kind="ambiguous", message=message))
    failures += _artifact(path, new, limits.artifacts)
    old: str | None = None
    limit: str | None = None
    why: tuple[str, ...] = ()
    tolerance = limits.tolerance
    if limits.reference is not None:
        failures += _against(new, limits.reference, tolerance, word="reference")
    if limits.baseline is not None:
        failures += _against(new, limits.baseline, tolerance, word="baseline")
        before = limits.baseline.certificates.get(new.name)
        if before is not None and not incomparable(new, before):
            old, why = before.risk_upper, reasons(new, before)
            limit = tolerance.limit(old)
    failures += _budget(new, limits.budget)
    if limits.budget is not None:
        limit = limits.budget if limit is None else min(limit, limits.budget, key=Decimal)
    return Verdict(
        path=path,
        name=new.name,
        old=old,
        new=new.risk_upper,
        limit=limit,
        failures=tuple(failures),
        why=why,
    )


def _against(
    new: Certificate, baseline: Baseline, tolerance: Tolerance, *, word: str
) -> list[Failure]:
    old = baseline.certificates.get(new.name)
    if old is None:
        message = f"{baseline.source} has no certificate named {new.name}; {HINT}"
        return [Failure(kind="no baseline", message=message)]
    differences = incomparable(new, old)
    if differences:
        message = f"with the {word}: {'; '.join(differences)}"
        return [Failure(kind="not comparable", message=message)]
    if new.is_vacuous and not old.is_vacuous:
        message = f"the bound is 1 (vacuous), in the {word} it was {old.risk_upper}"
        return [Failure(kind="worse", message=message)]
    limit = tolerance.limit(old.risk_upper)
    if Decimal(new.risk_upper) > Decimal(limit):
        message = f"bound {new.risk_upper} is above the {word}'s {old.risk_upper}"
        message += f" and its limit {limit}" if tolerance.value else ""
        return [Failure(kind="worse", message=message)]
    return []


def _budget(new: Certificate, budget: str | None) -> list[Failure]:
    if budget is None:
        return []
    if new.is_vacuous:
        message = f"the bound is 1: vacuous, whatever the budget ({budget})"
        return [Failure(kind="vacuous", message=message)]
    if Decimal(new.risk_upper) > Decimal(budget):
        message = f"bound {new.risk_upper} is above the budget {budget}"
        return [Failure(kind="over budget", message=message)]
    return []


def _artifact(path: str, new: Certificate, artifacts: tuple[Artifact, ...] | None) -> list[Failure]:
    if artifacts is None:
        return []
    named = new.document["posterior"]["checkpoint_sha256"]
    if any(named in artifact.digests for artifact in artifacts):
        return []
    given = ", ".join(artifact.path for artifact in artifacts)
    message = f"{path} is about the checkpoint {named[:12]}, which is not {given}"
    return [Failure(kind="other artifact", message=message)]


def _unnamed(opened: list[Certificate | Failure], artifacts: tuple[Artifact, ...]) -> list[Failure]:
    """Artifacts that no certificate is about."""
    named = {
        item.document["posterior"]["checkpoint_sha256"]
        for item in opened
        if isinstance(item, Certificate)
    }
    return [
        Failure(kind="other artifact", message=f"no certificate is about {artifact.path}")
        for artifact in artifacts
        if not named.intersection(artifact.digests)
    ]


def _absent(opened: list[Certificate | Failure], limits: Limits) -> list[Failure]:
    """Subjects that somebody promised and nobody shows.

    Where a file can't be used, nobody knows whose it was, and the gate fails without this.
    """
    names = {item.name for item in opened if isinstance(item, Certificate)}
    if any(isinstance(item, Failure) for item in opened):
        return []
    return [
        Failure(
            kind="absent",
            message=f"{known.source} has a certificate named {name}, but none was given",
        )
        for known in (limits.baseline, limits.reference)
        if known is not None
        for name in sorted(set(known.certificates) - names)
    ]


def _described(limits: Limits) -> tuple[str, ...]:
    found = []
    for word, known in (("baseline", limits.baseline), ("reference", limits.reference)):
        if known is not None:
            found.append(f"{word}: {known.source}")
    if limits.baseline is not None or limits.reference is not None:
        found.append(f"a bound may rise by at most {limits.tolerance}")
    if limits.budget is not None:
        found.append(f"budget: {limits.budget}")
    found += [f"artifact: {artifact.path}" for artifact in limits.artifacts or ()]
    return tuple(found)
