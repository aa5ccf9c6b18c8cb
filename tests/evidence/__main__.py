"""`python -m tests.evidence [NAME...]`: do what is missing, then write the page from results."""

import math
import time
from pathlib import Path

import click

from tests.evidence.experiments import EXPERIMENTS
from tests.evidence.page import write_page
from tests.evidence.shards import RESULTS


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(EXPERIMENTS)))
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS)
@click.option("--page", type=click.Path(path_type=Path), help="page to write, if any")
@click.option("--seconds", type=float, default=math.inf, help="start no shard after so long")
def main(names: tuple[str, ...], results: Path, page: Path | None, seconds: float) -> None:
    """Do the missing shards of some experiments (all by default) and write the page."""
    until = time.monotonic() + seconds
    for name in names or EXPERIMENTS:
        EXPERIMENTS[name].run(results, until=until)
    if page is not None:
        write_page(page, results)


if __name__ == "__main__":
    main()
