"""What the landscape commands print and leave: a table, a document, a figure."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pacbayes.cli.table import aligned
from pacbayes.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pacbayes.landscape import Sampled
    from pacbayes.tickets import Ticket

SCHEMA = "pacbayes/landscape/1"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table: its title and the cell of a row."""

    title: str
    cell: Callable[[Row], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A finished measurement.

    Attributes:
        what: the subcommand.
        rows: labels and results, one mapping per line.
        columns: of the table.
        reading: how to read it, in a few lines.
        plot: draws the figure.
    """

    what: str
    rows: Sequence[Row]
    columns: Sequence[Column]
    reading: str
    plot: "Callable[[], Axes]"


def deliver(report: Report, tickets: "Mapping[str, Ticket]", options: Mapping[str, Any]) -> None:
    """Print the report and write it where the options say.

    Raises:
        UsageError: a figure is asked for without a folder.
        WriteError: a file can't be written.
    """
    from pacbayes.runtime.files import require_writable, write_bytes, write_json

    document = _document(report, tickets, options)
    out: Path | None = options["out"]
    if out is not None:
        require_writable(out)
        write_json(out / f"{report.what}.json", document)
        if options["plot"]:
            write_bytes(out / f"{report.what}.png", _picture(report))
    if options["form"] == "json":
        click.echo(json.dumps(document, sort_keys=True, indent=2, allow_nan=False))
        return
    lines = [tuple(column.title for column in report.columns)]
    lines += [tuple(column.cell(row) for column in report.columns) for row in report.rows]
    click.echo("estimates, not certified\n")
    click.echo(aligned(lines))
    click.echo(f"\n{report.reading}")


def require_folder(options: Mapping[str, Any]) -> None:
    """Refuse a figure without a folder, before anything is measured.

    Raises:
        UsageError: ``--plot`` without ``--out``.
    """
    if options["plot"] and options["out"] is None:
        raise UsageError("--plot needs --out, the folder that the figure goes to")


def number(value: float | None) -> str:
    """Return a number with four significant digits, ``-`` where there is none."""
    if value is None:
        return "-"
    return "0" if value == 0 else f"{value:.4g}"


def interval(found: "Sampled") -> str:
    """Return a value with its interval, where anything was drawn."""
    if not found.draws:
        return number(found.value)
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def _document(
    report: Report, tickets: "Mapping[str, Ticket]", options: Mapping[str, Any]
) -> dict[str, Any]:
    talk = ("form", "out", "plot", "quiet", "tickets", "data_root", "download")
    return {
        "schema": SCHEMA,
        "what": report.what,
        "certified": False,
        "settings": _plain({k: v for k, v in options.items() if k not in talk}),
        "tickets": {
            label: {
                "digest": ticket.digest,
                "level": ticket.level,
                "density": ticket.mask.density,
            }
            for label, ticket in tickets.items()
        },
        "results": [_plain(row) for row in report.rows],
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; numbers that are not finite become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _picture(report: Report) -> bytes:
    import io

    axes = report.plot()
    figure = axes.get_figure(root=True)
    if figure is None:
        raise UsageError("the axes belong to no figure")
    buffer = io.BytesIO()
    # Without date and version the same numbers give the same bytes.
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


TICKET = (
    Column(title="ticket", cell=lambda row: row["ticket"]),
    Column(title="density", cell=lambda row: f"{row['density']:.4f}"),
)
ON = (
    Column(title="sample", cell=lambda row: row["sample"]),
    Column(title="loss", cell=lambda row: row["loss"]),
)
ENDS = (
    Column(title="from", cell=lambda row: row["from"]),
    Column(title="to", cell=lambda row: row["to"]),
)
