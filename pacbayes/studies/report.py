"""The report of a study: one dataclass, and one writer for Markdown, JSON and the figure."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pacbayes.errors import UsageError
from pacbayes.runtime.environment import environment
from pacbayes.runtime.files import require_writable, write_bytes, write_json, write_text
from pacbayes.studies.measurement import LEVEL, Measurement
from pacbayes.studies.verdicts import Claim, Verdict, judge

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = str | int | float | None
SCHEMA: Final = "pacbayes/study/1"
RULES: Final = (
    "Each rule below was fixed in the code before the figures were made, and the verdict follows "
    f"from it: *reproduced* where the whole {LEVEL:.0%} interval of every measurement lies where "
    "the rule says, *not reproduced* where one interval lies wholly outside, *inconclusive* "
    "otherwise. Nobody wrote a verdict by hand. A verdict speaks of the settings below, which may "
    "be smaller than the paper's; measurements are estimates, certified bounds excepted."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of figures under a title.

    Attributes:
        title: what the table shows.
        columns: their names.
        rows: one cell per column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise UsageError(f"{self.title}: every row needs {len(self.columns)} cells")

    def markdown(self) -> str:
        """Return the table in Markdown."""
        lines = [self.columns, tuple("---" for _ in self.columns)]
        lines += [tuple(_shown(cell) for cell in row) for row in self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def to_json(self) -> dict[str, Any]:
        """Return title, columns and rows as JSON."""
        rows = [list(row) for row in self.rows]
        return {"title": self.title, "columns": list(self.columns), "rows": rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a study found.

    Attributes:
        study: name of the study.
        paper: authors, year and title.
        size: ``quick`` or ``full``.
        claims: what the paper says, each with its rules.
        measurements: what was measured, whether a rule names it or not.
        settings: what decided the run, for the reader.
        tables: figures in full.
        remarks: what the reader should know: deviations from the paper, limits.
        seconds: time that the steps took, those of earlier, killed runs included.
        processor: time of the processor in them.
        tickets: one row per ticket with all that was measured on it, for the link.
    """

    study: str
    paper: str
    size: str
    claims: tuple[Claim, ...]
    measurements: tuple[Measurement, ...]
    settings: dict[str, Any]
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()
    seconds: float = 0.0
    processor: float = 0.0
    tickets: tuple[dict[str, Any], ...] = field(default=())

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdict on each claim, computed from the measurements."""
        return tuple(judge(claim, self.measurements) for claim in self.claims)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "schema": SCHEMA,
            "study": self.study,
            "paper": self.paper,
            "size": self.size,
            "rules": RULES,
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "measurements": [found.to_json() for found in self.measurements],
            "settings": self.settings,
            "tables": [table.to_json() for table in self.tables],
            "remarks": list(self.remarks),
            "seconds": round(self.seconds, 1),
            "processor_seconds": round(self.processor, 1),
            "tickets": list(self.tickets),
            "environment": environment(),
        }

    def markdown(self) -> str:
        """Return the report as Markdown: rules first, then what was measured."""
        parts = [f"# {self.study} ({self.size})", self.paper]
        if self.claims:
            parts += ["## Claims and rules", RULES]
            parts += [_claim(place, claim) for place, claim in enumerate(self.claims, start=1)]
            parts += ["## Verdicts", _verdict_table(self.verdicts).markdown()]
            parts += ["## Measurements", _measurement_table(self.measurements).markdown()]
        parts += ["![figure](figure.png)"]
        for table in self.tables:
            parts += [f"### {table.title}", table.markdown()]
        settings = [f"- {key}: {value}" for key, value in self.settings.items()]
        parts += ["## Settings", "\n".join(settings)]
        parts += ["## Remarks", "\n".join(f"- {text}" for text in self.remarks)]
        parts += [
            f"All steps together took {self.seconds:.0f} s, {self.processor:.0f} s of them on a "
            "processor."
        ]
        return "\n\n".join(part for part in parts if part) + "\n"


def write_report(folder: Path, report: Report, figure: "Figure") -> tuple[Path, ...]:
    """Write ``report.md``, ``report.json`` and ``figure.png``, and return their paths.

    Raises:
        WriteError: a file can't be written.
    """
    require_writable(folder)
    stream = io.BytesIO()
    # Without the date and the version of the library, the same figures give the same bytes.
    figure.savefig(stream, format="png", dpi=80, metadata={"Software": None})
    paths = (folder / "report.md", folder / "report.json", folder / "figure.png")
    write_bytes(paths[2], stream.getvalue())
    write_json(paths[1], report.to_json())
    write_text(paths[0], report.markdown())
    return paths


def _claim(place: int, claim: Claim) -> str:
    return f"{place}. **{claim.key}**: {claim.text} ({claim.source})\n   Rule: {claim.rule}."


def _verdict_table(verdicts: Sequence[Verdict]) -> Table:
    rows = []
    for verdict in verdicts:
        shown = "; ".join(f"{m.name} = {_interval(m)}" for m in verdict.measurements)
        rows.append((verdict.claim.key, f"**{verdict.outcome}**", shown))
    return Table(title="Verdicts", columns=("claim", "verdict", "because"), rows=tuple(rows))


def _measurement_table(measurements: Iterable[Measurement]) -> Table:
    rows = tuple((m.name, _interval(m), m.how) for m in measurements)
    return Table(title="Measurements", columns=("what", "value [interval]", "how"), rows=rows)


def _interval(found: Measurement) -> str:
    return f"{found.value:.4g} [{found.low:.4g}, {found.high:.4g}]"


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    text = f"{cell:.4g}" if isinstance(cell, float) else str(cell)
    return text.replace("|", "\\|")
