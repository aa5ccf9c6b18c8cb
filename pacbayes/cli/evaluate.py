"""`pacbayes evaluate`: one shard of the draws of a certificate; `pacbayes merge`: all of them."""

from pathlib import Path
from typing import Any

import click

from pacbayes.cli.certify import certify, request_of
from pacbayes.errors import UsageError
from pacbayes.runtime.files import write_json
from pacbayes.runtime.processes import Shard


@click.command(
    params=[option for option in certify.params if option.name != "form"],
    epilog="""
\b
Examples (the options are those of the certify that follows):
  pacbayes evaluate RUN/level_14 --model lenet300 --data mnist --out OUT --fit-only
  pacbayes evaluate RUN/level_14 --model lenet300 --data mnist --out OUT --shard 3/8
  pacbayes merge OUT/ticket/posterior-draws.*-of-8.json --out OUT/ticket/posterior-draws.json
""",
)
@click.option("--shard", metavar="I/N", help="count part I of N of the draws, I from 1 to N")
@click.option("--fit-only", is_flag=True, help="fit the posterior and count nothing")
def evaluate(
    path: Path, quick: bool, dense: str | None, shard: str | None, fit_only: bool, **options: Any
) -> None:
    """Count one shard of the draws of a certificate, on any machine that sees --out."""
    from pacbayes.pipeline import count_shard

    if fit_only == (shard is not None):
        raise UsageError("give --shard I/N, or --fit-only")
    request = request_of(path, quick, dense, **options)
    for file in count_shard(request, None if shard is None else _shard(shard)):
        click.echo(f"written: {file}")


def _shard(text: str) -> Shard:
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise UsageError(f"--shard takes I/N, as 3/8, got {text!r}")
    if not 1 <= int(index) <= int(count):
        raise UsageError(f"--shard {text}: I runs from 1 to N")
    return Shard(int(index) - 1, int(count))


@click.command(
    epilog="""
\b
Example:
  pacbayes merge OUT/ticket/posterior-draws.*-of-8.json --out OUT/ticket/posterior-draws.json
"""
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="file of the whole")
def merge(paths: tuple[Path, ...], out: Path) -> None:
    """Put the shards of one evaluation together.

    They must be of the same posterior, data and number of draws, and hold every block once. The
    same certify as ever then goes on from the whole.
    """
    from pacbayes.risk.journal import merge as merged

    document = merged(list(paths))
    write_json(out, document)
    click.echo(f"written: {out}, {sum(document['errors'].values())} errors")
