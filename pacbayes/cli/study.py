"""`pacbayes study`: the findings of a paper, held against measurements."""

from pathlib import Path
from typing import Any

import click

from pacbayes.studies.catalogue import STUDIES


@click.group(
    epilog="""
\b
Examples:
  pacbayes study yang2023 --quick --out REPORT
  pacbayes study sakamoto2022 --quick --data-root DIR --out REPORT

\b
Each leaves report.md, report.json and figure.png: the claims, the rules that were fixed before,
what was measured, and the verdict that follows. A killed study goes on where it stopped.
"""
)
def study() -> None:
    """Repeat a paper's experiments; the verdict is computed from what was measured."""


def _command(name: str, line: str) -> click.Command:
    @click.command(name, help=f"{line[0].upper()}{line[1:]}.", short_help=line)
    @click.option("--quick", "size", flag_value="quick", help="minutes on two cores")
    @click.option("--long", "size", flag_value="long", help="the most that needs no accelerator")
    @click.option(
        "--full", "size", flag_value="full", default=True, help="as in the paper; default"
    )
    @click.option(
        "--out",
        type=click.Path(path_type=Path),
        help=f"folder of the report [default: runs/{name}]",
    )
    @click.option(
        "--data-root",
        type=click.Path(path_type=Path),
        envvar="PACBAYES_DATA",
        help="folder of the data (or PACBAYES_DATA)",
    )
    @click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
    def command(size: Any, out: Path | None, data_root: Path | None, quiet: bool) -> None:
        from pacbayes.studies.catalogue import run_study
        from pacbayes.studies.request import StudyRequest

        request = StudyRequest(
            out=out or Path("runs") / name,
            size=size,
            data_root=data_root,
            quiet=quiet,
        )
        report, paths = run_study(name, request)
        for verdict in report.verdicts:
            click.echo(f"{verdict.outcome:>14}  {verdict.claim.key}: {verdict.claim.text}")
        click.echo(f"{paths[0]}  ({report.seconds:.0f} s)")

    return command


@study.command(
    "records",
    short_help="recipes for the tightest certificates, one JSON each",
    epilog="""
\b
Examples:
  pacbayes study records --data-root DIR --out RECORDS
  pacbayes study records --only mnist-init --quick --data-root DIR --out RECORDS
""",
)
@click.option("--only", multiple=True, metavar="NAME", help="one record; may be given again")
@click.option("--quick", is_flag=True, help="few epochs and draws: looser numbers")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/records"),
    show_default=True,
    help="folder of the work and of the certificates",
)
@click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    envvar="PACBAYES_DATA",
    help="folder of the data (or PACBAYES_DATA)",
)
@click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
def records(only: tuple[str, ...], **options: Any) -> None:
    """Make the tightest certificates from nothing, each with its recipe; a killed run goes on."""
    from pacbayes.studies.records import RecordRequest, run_records

    for path in run_records(RecordRequest(**options), only=only):
        click.echo(str(path))


for _name, _line in STUDIES.items():
    study.add_command(_command(_name, _line))
