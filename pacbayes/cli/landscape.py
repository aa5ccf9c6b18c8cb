"""`pacbayes landscape`: its subcommands, and barriers between tickets."""

from itertools import combinations
from typing import TYPE_CHECKING, Any

import click

from pacbayes.cli.landscape_around import curvature, sharpness, volume
from pacbayes.cli.landscape_levels import (
    distance,
    escape,
    prune_limit,
    requilibration,
)
from pacbayes.cli.landscape_report import Column, Report, Row, deliver, number, require_folder
from pacbayes.cli.landscape_robustness import robustness
from pacbayes.cli.landscape_site import (
    MNIST,
    Site,
    measuring_options,
    neighbours,
    open_site,
    path_options,
    reference_option,
    ticket_options,
)

if TYPE_CHECKING:
    from pacbayes.landscape import Barrier


@click.group(
    epilog=f"""
\b
Examples:
  pacbayes landscape chain RUN {MNIST}
  pacbayes landscape curvature RUN/level_00 RUN/level_05 {MNIST}
  pacbayes landscape distance RUN

\b
A run's folder stands for all its levels. With --out DIR, the result is left there as JSON, and
with --plot the figure as PNG. All numbers are estimates: nothing here is certified.
"""
)
def landscape() -> None:
    """Measure why tickets generalise: the loss around them and between them."""


@landscape.command(
    short_help="Barriers between any two tickets.",
    epilog=f"""
\b
Examples:
  pacbayes landscape barriers RUN/level_00 RUN/level_05 {MNIST}
  pacbayes landscape barriers A/level_03 B/level_03 C/level_03 {MNIST} \\
      --sample test --loss error --out OUT --plot
""",
)
@ticket_options
@measuring_options(
    examples=10000, samples=("train", "test"), losses=("error", "cross-entropy"), smooth=False
)
@path_options
@reference_option
def barriers(**options: Any) -> None:
    """Measure the barrier between any two of TICKETS."""
    require_folder(options)
    site = open_site(options, least=2)
    rows = _paths(site, list(combinations(site.tickets, 2)), options)
    deliver(_path_report("barriers", rows, options, _PATH), site.tickets, options)


@landscape.command(
    short_help="Barriers between neighbours, and membership of sublevel sets.",
    epilog=f"""
\b
Examples:
  pacbayes landscape chain RUN {MNIST}
  pacbayes landscape chain RUN {MNIST} --tolerance 0.005 --loss error --format json
""",
)
@ticket_options
@measuring_options(
    examples=10000, samples=("train", "test"), losses=("error", "cross-entropy"), smooth=False
)
@path_options
@reference_option
@click.option(
    "--tolerance",
    type=float,
    default=0.01,
    show_default=True,
    help="how much worse still counts as the same sublevel set",
)
def chain(**options: Any) -> None:
    """Measure barriers between neighbours of TICKETS, and who stays in whose sublevel set."""
    from pacbayes.landscape import Sublevel

    require_folder(options)
    site = open_site(options, least=2)
    rows = _paths(site, list(neighbours(site.tickets)), options)
    for row in rows:
        level = Sublevel.of(row["barrier"], tolerance=options["tolerance"])
        row.update(level=level.level, member=level.member, connected=level.connected)
    more = [
        Column(title="in set", cell=lambda row: "yes" if row["member"] else "no"),
        Column(title="connected", cell=lambda row: "yes" if row["connected"] else "no"),
    ]
    reading = (
        f"\nin set: the second loss is at most the first plus {options['tolerance']:g}; "
        "connected: so is the loss all along the line."
    )
    deliver(_path_report("chain", rows, options, [*_PATH, *more], reading), site.tickets, options)


def _paths(site: Site, ends: list[tuple[str, str]], options: dict[str, Any]) -> list[Row]:
    from pacbayes.landscape import barrier
    from pacbayes.runtime.progress import progress

    rows: list[Row] = []
    total = len(ends) * len(site.samples) * len(options["losses"])
    with progress("barriers", total, quiet=options["quiet"]) as bar:
        for start, end in ends:
            for name, sample in site.samples.items():
                for loss in options["losses"]:
                    found = barrier(
                        site.model,
                        site.tickets[start],
                        site.tickets[end],
                        sample,
                        points=options["points"],
                        loss=loss,
                        buffers=options["buffers"],
                        statistics=site.statistics,
                        reference=options["reference"],
                    )
                    rows.append({"from": start, "to": end, "sample": name, "barrier": found})
                    bar.advance(1, note=f"{start} to {end}")
    return rows


def _rise(found: "Barrier") -> str:
    return f"{number(found.height)} [{number(found.low)}, {number(found.high)}]"


_PATH = [
    Column(title="from", cell=lambda row: row["from"]),
    Column(title="to", cell=lambda row: row["to"]),
    Column(title="sample", cell=lambda row: row["sample"]),
    Column(title="loss", cell=lambda row: row["barrier"].loss),
    Column(title="first", cell=lambda row: number(row["barrier"].path[0])),
    Column(title="last", cell=lambda row: number(row["barrier"].path[-1])),
    Column(title="highest", cell=lambda row: number(max(row["barrier"].path))),
    Column(title="barrier [95 %]", cell=lambda row: _rise(row["barrier"])),
    Column(title="above larger", cell=lambda row: number(row["barrier"].height_above("larger"))),
]
_ABOVE = {
    "mean": "the mean of both ends, which without any bump is half their difference",
    "line": "the straight line between the losses of both ends",
    "larger": "the larger of both ends",
}


def _path_report(
    what: str, rows: list[Row], options: dict[str, Any], columns: list[Column], more: str = ""
) -> Report:
    from pacbayes.landscape.plots import plot_paths

    reading = (
        f"barrier: largest rise of the loss on {options['points']} points of the straight line "
        f"above\n{_ABOVE[options['reference']]}; the interval is over the examples.\n"
        "above larger: the same above the larger of both ends, so 0 without a bump."
    )

    def plot() -> Any:
        chosen = [row for row in rows if row["sample"] == rows[0]["sample"]]
        chosen = [row for row in chosen if row["barrier"].loss == rows[0]["barrier"].loss]
        return plot_paths(
            {f"{row['from']} to {row['to']}, {row['sample']}": row["barrier"] for row in chosen}
        )

    return Report(what=what, rows=rows, columns=columns, reading=reading + more, plot=plot)


for _command in (
    curvature,
    sharpness,
    volume,
    distance,
    prune_limit,
    requilibration,
    robustness,
    escape,
):
    landscape.add_command(_command)
