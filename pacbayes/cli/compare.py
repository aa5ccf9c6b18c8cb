"""`pacbayes compare`: dense against tickets, from certificates alone."""

from pathlib import Path
from typing import Literal

import click


@click.command(
    epilog="""
\b
Example:
  pacbayes compare OUT/dense.certificate.json OUT/certificate.json --format markdown
"""
)
@click.argument("certificates", nargs=-1, type=click.Path(path_type=Path), metavar="CERT...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "csv", "json"]),
    default="text",
    show_default=True,
)
def compare(
    certificates: tuple[Path, ...], form: Literal["text", "markdown", "csv", "json"]
) -> None:
    """Show certificates in one table, each row re-evaluated at delta divided by their number."""
    from pacbayes.certificate import compare as compare_files
    from pacbayes.certificate import render

    click.echo(render(compare_files(certificates), form), nl=False)
