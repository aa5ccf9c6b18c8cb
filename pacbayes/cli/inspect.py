"""`pacbayes inspect`: what is in a checkpoint, ticket, posterior or certificate."""

from pathlib import Path

import click


@click.command(
    epilog="""
\b
Example:
  pacbayes inspect model.pt
"""
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--key", help="which entry of a checkpoint to look at, for averaged weights")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def inspect(path: Path, key: str | None, form: str) -> None:
    """Show what a file holds, without running anything in it."""
    from pacbayes.checkpoints import inspect as inspect_file

    found = inspect_file(path, key=key)
    click.echo(found.to_json_text() if form == "json" else found.to_text(), nl=False)
    found.require_finite()
