"""`pacbayes overlap`: what the masks of several tickets have in common."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pacbayes.cli.table import aligned

if TYPE_CHECKING:
    from pacbayes.tickets.overlap import Common


@click.command(
    epilog="""
\b
Examples:
  pacbayes overlap A/level_10 B/level_10 C/level_10
  pacbayes overlap A/level_10 B/level_10 --stability --format json
"""
)
@click.argument("tickets", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--stability", is_flag=True, help="spread, sign flips, distance over earlier levels")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def overlap(tickets: tuple[Path, ...], stability: bool, form: str) -> None:
    """Count the connections that all TICKETS keep, in each tensor, against chance.

    Chance: independent masks with the same counts in each tensor. With --stability, the levels
    that lie beside each ticket tell how steady common and other connections are.
    """
    from pacbayes.checkpoints import read_ticket
    from pacbayes.tickets.overlap import overlap as masks_overlap

    found = masks_overlap([read_ticket(path).mask for path in tickets])
    document: dict[str, Any] = {"tickets": [str(path) for path in tickets], **found.to_json()}
    if stability:
        document["stability"] = {str(path): _stability(path, found.common) for path in tickets}
    if form == "json":
        click.echo(json.dumps(document, sort_keys=True, indent=2, allow_nan=False))
        return
    click.echo(_table({**found.tensors, "all": found.whole}))
    for path, tensors in document.get("stability", {}).items():
        click.echo(f"\n{path}\n{_steady_table(tensors)}")


def _stability(path: Path, common: Any) -> dict[str, Any]:
    """Return the steadiness of a ticket's connections over its own and the earlier levels."""
    from pacbayes.checkpoints import read_ticket
    from pacbayes.errors import InputError
    from pacbayes.runtime.folders import ticket_exists
    from pacbayes.tickets.stability import stability

    last = read_ticket(path)
    folders = [path.parent / f"level_{level:02d}" for level in range(last.level)]
    missing = [str(folder) for folder in folders if not ticket_exists(folder)]
    if missing:
        raise InputError(f"{missing[0]}: not a ticket, but --stability needs all earlier levels")
    chain = [*(read_ticket(folder) for folder in folders), last]
    return {
        name: {group: row.to_json() for group, row in groups.items()}
        for name, groups in stability(chain, common).items()
    }


def _table(rows: "dict[str, Common]") -> str:
    head = ("tensor", "entries", "common", "of all", "of kept", "by chance", "times", "deviations")
    lines = [head]
    for name, row in rows.items():
        by_chance = f"{row.expected:.1f} +- {row.deviation:.1f}"
        cells = (f"{row.share_of_all:.6f}", f"{row.share_of_kept:.4f}", by_chance)
        ratios = (_number(row.times_chance), _number(row.deviations))
        lines.append((name, str(row.entries), str(row.common), *cells, *ratios))
    return aligned(lines)


def _steady_table(tensors: dict[str, Any]) -> str:
    lines = [("tensor", "group", "connections", "spread", "sign flips", "moved")]
    for name, groups in tensors.items():
        for group, row in groups.items():
            numbers = (_number(row[key], 4) for key in ("spread", "sign_flips", "moved"))
            lines.append((name, group, str(row["connections"]), *numbers))
    return aligned(lines)


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
