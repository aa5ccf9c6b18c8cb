"""Rendering a comparison as text, Markdown, CSV or JSON."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from typing import Final, Literal

from pacbayes.certificate.compare import Comparison, Row
from pacbayes.errors import UsageError

Format = Literal["text", "markdown", "csv", "json"]

FOOTNOTE: Final = (
    "risk and test are counted error rates (estimates); all other risks are certified upper "
    "values. A lower certified bound does not show that the true risk is lower."
)


def upper_digits(text: str, digits: int = 4) -> str:
    """Return an upper value shown with fewer decimal places, rounded up.

    Example:
        >>> upper_digits("0.20004"), upper_digits("0.0000123"), upper_digits("1")
        ('0.2001', '0.00002', '1')
    """
    value = Decimal(text)
    places = digits if value == 0 else max(digits, -value.adjusted())
    shown = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_CEILING)
    return "1" if value == 1 else format(shown, "f")


def upper_nats(text: str | None) -> str:
    """Return an amount of nats with four significant digits, rounded up.

    Example:
        >>> upper_nats("12345.6"), upper_nats("0"), upper_nats("2.00001e-9"), upper_nats(None)
        ('12350', '0', '2.001E-9', '-')
    """
    if text is None:
        return "-"
    shown = Context(prec=4, rounding=ROUND_CEILING).plus(Decimal(text))
    return format(shown, "f") if shown == 0 or shown.adjusted() >= -5 else str(shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    title: str
    cell: Callable[[Row], str]


def _optional(text: str | None) -> str:
    return "-" if text is None else upper_digits(text)


def _rate(errors: int, trials: int) -> str:
    return f"{errors / trials:.4f}"


_COLUMNS: Final = (
    _Column(title="name", cell=lambda row: row.name),
    _Column(title="role", cell=lambda row: row.role),
    _Column(title="prior", cell=lambda row: row.prior),
    _Column(title="theorem", cell=lambda row: row.theorem),
    _Column(title="sparsity", cell=lambda row: f"{row.sparsity:.4f}"),
    _Column(title="n", cell=lambda row: str(row.n)),
    _Column(title="risk", cell=lambda row: _rate(row.errors, row.trials)),
    _Column(title="risk upper", cell=lambda row: upper_digits(row.draws_upper)),
    _Column(title="kl nats", cell=lambda row: upper_nats(row.kl_upper)),
    _Column(title="of mask", cell=lambda row: upper_nats(row.kl_mask)),
    _Column(title="of mean", cell=lambda row: upper_nats(row.kl_mean)),
    _Column(title="of scale", cell=lambda row: upper_nats(row.kl_scale)),
    _Column(title="bound", cell=lambda row: upper_digits(row.bound)),
    _Column(title="hold-out bound", cell=lambda row: _optional(row.holdout)),
    _Column(title="mask price", cell=lambda row: upper_nats(row.mask_price)),
    _Column(title="test", cell=lambda row: "-" if row.test is None else _rate(*row.test)),
)
_LEFT: Final = ("name", "role", "prior", "theorem")


def render(comparison: Comparison, form: Format = "text", *, width: int | None = None) -> str:
    """Return a comparison in one of the formats, ending with a newline.

    Args:
        comparison: the table.
        form: ``text``, ``markdown``, ``csv`` or ``json``; the last two carry all digits.
        width: characters per line of ``text``; ``None`` takes what the table needs.

    Raises:
        UsageError: the format is unknown.
    """
    renderings: dict[str, Callable[[], str]] = {
        "text": lambda: _text(comparison, width),
        "markdown": lambda: _markdown(comparison),
        "csv": lambda: _csv(comparison),
        "json": lambda: json.dumps(comparison.to_json(), indent=2, sort_keys=True) + "\n",
    }
    if form not in renderings:
        raise UsageError(f"unknown format {form!r}; known are {', '.join(renderings)}")
    return renderings[form]()


def _text(comparison: Comparison, width: int | None) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        justify: Literal["left", "right"] = "left" if column.title in _LEFT else "right"
        table.add_column(column.title, justify=justify, overflow="fold")
    for row in comparison.rows:
        table.add_row(*(column.cell(row) for column in _COLUMNS))
    stream = io.StringIO()
    needed = 20 * len(_COLUMNS) + max(len(row.name) for row in comparison.rows)
    # The same text everywhere: rich would colour a terminal and draw in a notebook by itself.
    console = Console(
        file=stream,
        width=width or needed,
        markup=False,
        highlight=False,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
    )
    console.print(table)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    lines = [comparison.header, "", *lines, "", *comparison.findings, FOOTNOTE]
    return "\n".join(lines) + "\n"


def _markdown(comparison: Comparison) -> str:
    titles = " | ".join(column.title for column in _COLUMNS)
    rules = " | ".join("---" if c.title in _LEFT else "---:" for c in _COLUMNS)
    body = [
        " | ".join(column.cell(row).replace("|", "\\|") for column in _COLUMNS)
        for row in comparison.rows
    ]
    lines = [comparison.header, "", f"| {titles} |", f"| {rules} |"]
    lines += [f"| {line} |" for line in body]
    lines += ["", *(f"- {finding}" for finding in comparison.findings)]
    lines += [""] if comparison.findings else []
    return "\n".join([*lines, FOOTNOTE]) + "\n"


def _csv(comparison: Comparison) -> str:
    stream = io.StringIO()
    rows = [_flat(row) for row in comparison.rows]
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _flat(row: Row) -> dict[str, str | int]:
    """Return the row in one level, missing values as empty cells."""
    flat: dict[str, str | int] = {}
    for key, value in row.to_json().items():
        if key in ("kl", "test"):
            parts = value or {"errors": "", "trials": ""}
            flat |= {f"{key}_{part}": number for part, number in parts.items()}
        else:
            flat[key] = "" if value is None else value
    return flat
