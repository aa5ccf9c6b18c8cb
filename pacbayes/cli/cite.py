"""`pacbayes cite`: the theorems that a certificate rests on."""

from pathlib import Path
from typing import Literal

import click

from pacbayes.errors import UsageError


@click.command(
    epilog="""
\b
Example:
  pacbayes cite OUT/certificate.json > theorems.bib
"""
)
@click.argument("certificates", nargs=-1, type=click.Path(path_type=Path), metavar="CERT...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["bibtex", "text", "json"]),
    default="bibtex",
    show_default=True,
)
def cite(certificates: tuple[Path, ...], form: Literal["bibtex", "text", "json"]) -> None:
    """Print how to cite each theorem that certificates use, and what for."""
    from pacbayes.certificate import read_certificate
    from pacbayes.certificate.cite import cite as cite_all

    if not certificates:
        raise UsageError("cite needs at least one certificate")
    click.echo(cite_all([read_certificate(path) for path in certificates], form), nl=False)
