"""`pacbayes compare`: dense against tickets, from certificates alone."""

from pathlib import Path
from typing import Literal

import click

from pacbayes.errors import UsageError


@click.command(
    epilog="""
\b
Examples:
  pacbayes compare OUT/dense.certificate.json OUT/certificate.json --format markdown
  pacbayes compare OUT/*certificate.json --html report.html
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
@click.option(
    "--html", type=click.Path(path_type=Path), help="write a self-contained report as well"
)
def compare(
    certificates: tuple[Path, ...],
    form: Literal["text", "markdown", "csv", "json"],
    html: Path | None,
) -> None:
    """Show certificates in one table, each row re-evaluated at delta divided by their number."""
    from pacbayes.certificate import compare_certificates, read_verified, render

    if not certificates:
        raise UsageError("compare needs at least one certificate")
    verified = [read_verified(path) for path in certificates]
    click.echo(render(compare_certificates(verified), form), nl=False)
    if html is not None:
        from pacbayes.report import report_html
        from pacbayes.runtime.files import write_text

        write_text(html, report_html(verified))
        click.echo(f"pacbayes: written: {html}", err=True)
