"""Announcing a gate's report: text, JSON, Markdown, GitHub annotations, JUnit.

Paths and names come from a change that may be hostile, so nothing of theirs may start a line of
text, open an HTML tag or end a field.
"""

import html
import json
from collections.abc import Callable
from typing import Final, Literal

from pacbayes.certificate.gate import Report
from pacbayes.certificate.table import upper_digits
from pacbayes.certificate.verdict import Failure, Verdict
from pacbayes.errors import UsageError

Form = Literal["text", "json", "markdown", "github", "junit"]

ANNOTATIONS: Final = 9
"""GitHub shows ten errors of a step; the tenth is the summary."""
SUMMARY_BYTES: Final = 900_000
"""GitHub refuses a step summary above 1 MiB."""

_HEADER: Final = ("verdict", "subject", "old bound", "new bound", "change", "limit")


def announce(report: Report, form: Form = "text") -> str:
    """Return a report in one of the formats, ending with a newline.

    Raises:
        UsageError: the format is unknown.
    """
    forms: dict[str, Callable[[Report], str]] = {
        "text": _text,
        "json": lambda report: json.dumps(report.to_json(), indent=2, sort_keys=True) + "\n",
        "markdown": _markdown,
        "github": _github,
        "junit": _junit,
    }
    if form not in forms:
        raise UsageError(f"unknown format {form!r}; known are {', '.join(forms)}")
    return forms[form](report)


def _cells(verdict: Verdict) -> tuple[str, ...]:
    change = "-" if verdict.change is None else f"{float(verdict.change):+.2e}"
    if verdict.change == 0:
        change = "0"
    return (
        verdict.status,
        _plain(verdict.subject),
        _bound(verdict.old),
        _bound(verdict.new),
        change,
        _bound(verdict.limit),
    )


def _bound(text: str | None) -> str:
    return "-" if text is None else upper_digits(text, 6)


def _plain(text: str) -> str:
    """Return one printable line."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _text(report: Report) -> str:
    rows = [_HEADER, *(_cells(verdict) for verdict in report.worst_first)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    lines = [_line(_HEADER, widths)]
    for verdict in report.worst_first:
        lines.append(_line(_cells(verdict), widths))
        lines += [f"  {f.kind}: {_plain(f.message)}" for f in verdict.failures]
        lines += [f"  because {_plain(reason)}" for reason in verdict.why]
    lines += [f"{p.kind}: {_plain(p.message)}" for p in report.problems]
    lines += ["", *(_plain(limit) for limit in report.limits), report.summary]
    return "\n".join(lines) + "\n"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.ljust(width) if position < 2 else cell.rjust(width)
        for position, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _markdown(report: Report) -> str:
    mark = "pass" if report.code == 0 else "FAIL"
    lines = [f"### pacbayes check: {mark}", "", report.summary, ""]
    lines += [f"| {' | '.join(_HEADER)} | why |", "| --- | --- | ---: | ---: | ---: | ---: | --- |"]
    size, shown = 0, 0
    for verdict in report.worst_first:
        notes = [f"{f.kind}: {f.message}" for f in verdict.failures]
        cells = [*_cells(verdict), "; ".join([*notes, *verdict.why])]
        line = f"| {' | '.join(_markup(cell) for cell in cells)} |"
        size += len(line.encode())
        if size > SUMMARY_BYTES:
            break
        lines.append(line)
        shown += 1
    left = len(report.verdicts) - shown
    lines += ["", f"{left} more rows are left out here."] if left else []
    lines += ["", *(f"- **{p.kind}**: {_markup(p.message)}" for p in report.problems)]
    lines += [f"- {_markup(limit)}" for limit in report.limits]
    return "\n".join(lines) + "\n"


def _markup(text: str) -> str:
    escaped = html.escape(_plain(text))
    for sign in "\\`*_[]~|":
        escaped = escaped.replace(sign, f"&#{ord(sign)};")
    return escaped


def _github(report: Report) -> str:
    failed = [(v, v.failures) for v in report.worst_first if v.failures]
    lines = [_command("error", p.kind, p.message) for p in report.problems]
    lines += [_verdict_command(verdict, failures) for verdict, failures in failed]
    left = len(lines) - ANNOTATIONS
    lines = lines[:ANNOTATIONS]
    more = f" ({left} more in the log and the summary)" if left > 0 else ""
    level = "error" if report.code else "notice"
    lines.append(_command(level, "check", report.summary + more))
    return "\n".join(lines) + "\n"


def _verdict_command(verdict: Verdict, failures: tuple[Failure, ...]) -> str:
    message = f"{verdict.subject}: {'; '.join(f.message for f in failures)}"
    if verdict.why:
        message += f" (because {'; '.join(verdict.why)})"
    return _command("error", verdict.status, message, path=verdict.path)


def _command(level: str, title: str, message: str, *, path: str | None = None) -> str:
    file = "" if path is None else f",file={_property(path)},line=1"
    return f"::{level} title={_property('pacbayes: ' + title)}{file}::{_escape(message)}"


def _escape(text: str) -> str:
    return _plain(text).replace("%", "%25")


def _property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")


def _junit(report: Report) -> str:
    cases = [_case(v.subject, v.failures, v.path) for v in report.verdicts]
    cases += [_case("gate", (problem,), "gate") for problem in report.problems]
    codes = [v.code for v in report.verdicts] + [p.code for p in report.problems]
    failures, errors = sum(code == 1 for code in codes), sum(code > 1 for code in codes)
    head = f'tests="{len(codes)}" failures="{failures}" errors="{errors}"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuite name="pacbayes check" {head}>']
    lines += [*cases, f"<system-out>{_xml(report.summary)}</system-out>", "</testsuite>"]
    return "\n".join(lines) + "\n"


def _case(name: str, failures: tuple[Failure, ...], path: str) -> str:
    head = f'<testcase classname="{_xml(path)}" name="{_xml(name)}"'
    if not failures:
        return f"{head}/>"
    tag = "failure" if max(failure.code for failure in failures) == 1 else "error"
    kind = failures[0].kind
    text = "; ".join(failure.message for failure in failures)
    return f'{head}><{tag} type="{kind}" message="{_xml(text)}"/></testcase>'


def _xml(text: str) -> str:
    return html.escape(_plain(text), quote=True)
