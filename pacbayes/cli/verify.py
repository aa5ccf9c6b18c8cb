"""`pacbayes verify`: re-check certificates from their own text."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pacbayes.errors import UsageError

if TYPE_CHECKING:
    from pacbayes.certificate import Verification


@click.command(
    epilog="""
\b
Example:
  pacbayes verify OUT/certificate.json OUT/dense.certificate.json
"""
)
@click.argument("certificates", nargs=-1, type=click.Path(path_type=Path), metavar="CERT...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def verify(certificates: tuple[Path, ...], form: str) -> int:
    """Re-check certificates without torch, data or network; exit 1 if one does not verify."""
    from pacbayes.certificate import verify as verify_file

    if not certificates:
        raise UsageError("verify needs at least one certificate")
    found = [verify_file(path) for path in certificates]
    if form == "json":
        rows = [
            {
                "path": item.path,
                "accepted": item.accepted,
                "level": item.level,
                "reason": item.reason,
                "declared": [condition.id for condition in item.declared],
            }
            for item in found
        ]
        click.echo(json.dumps(rows, indent=2, sort_keys=True))
    else:
        for item in found:
            _show(item)
    return 0 if all(item.accepted for item in found) else 1


def _show(item: "Verification") -> None:
    if item.certificate is None:
        click.echo(f"{item.path}: REJECTED: {item.reason}")
        return
    click.echo(f"{item.path}: accepted at level {item.level} (arithmetic, from the file alone)")
    click.echo(f"  {item.certificate.claim.statement}")
    click.echo("  declared, not checked:")
    for condition in item.declared:
        click.echo(f"    {condition.id} {condition.title}: {condition.note} (by {condition.by})")
