"""`pacbayes landscape robustness`: networks trained again from rewind points."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pacbayes.cli.landscape_report import (
    ON,
    TICKET,
    Column,
    Report,
    Row,
    deliver,
    interval,
    number,
    require_folder,
)
from pacbayes.cli.landscape_site import (
    MNIST,
    Site,
    measuring_options,
    open_site,
    path_options,
    reference_option,
    ticket_options,
    training_plan,
)
from pacbayes.errors import UsageError

if TYPE_CHECKING:
    from pacbayes.landscape import Barrier
    from pacbayes.landscape.rewind_robustness import Disturbance
    from pacbayes.tickets import Ticket


@click.command(
    short_help="Do rewind points survive SGD noise and a push?",
    epilog=f"""
\b
Examples:
  pacbayes landscape robustness RUN/level_00 RUN/level_03 {MNIST} --out OUT
  pacbayes landscape robustness RUN/level_03 {MNIST} --pairs 5 --length 2.5 --epochs 4

\b
Training is that of the run that a ticket's folder lies in, unless --epochs or --lr say otherwise.
With --out, finished pairs are kept there and a killed run goes on.
""",
)
@ticket_options
@measuring_options(examples=10000, samples=("train", "test"), losses=("error",), smooth=False)
@path_options
@reference_option
@click.option("--pairs", type=int, default=3, show_default=True, help="two trainings each")
@click.option("--length", type=float, help="of the push; by default the gap to the next level")
@click.option("--epochs", type=int, help="of each training")
@click.option("--lr", type=float, help="learning rate after warmup")
def robustness(**options: Any) -> None:
    """Train pairs from the rewind points of TICKETS: is there a barrier between the two?

    One pair differs in the order of its batches (sgd), another in a random push of the rewind
    point, as long as the step to the next level's rewind point.
    """
    require_folder(options)
    site = open_site(options)
    if options["pairs"] < 2:
        raise UsageError(f"--pairs must be at least 2, got {options['pairs']}")
    deliver(_robustness_report(_robustness(site, options), options), site.tickets, options)


def _robustness(site: Site, options: dict[str, Any]) -> list[Row]:
    from pacbayes.landscape import Robustness
    from pacbayes.runtime.progress import progress

    rows: list[Row] = []
    kinds: tuple[Disturbance, ...] = ("sgd", "push")
    asked = [(label, kind) for label in site.tickets for kind in kinds]
    with progress("robustness", len(asked) * options["pairs"], quiet=options["quiet"]) as bar:
        for label, kind in asked:
            ticket = site.tickets[label]
            length = 0.0 if kind == "sgd" else _length(site.folders[label], ticket, options)
            found = []
            for place in range(options["pairs"]):
                found.append(_pair(site, options, label, kind=kind, length=length, place=place))
                bar.advance(1, note=f"{label} {kind}")
            for sample, loss in found[0]:
                summary = Robustness.of(kind, length, [pair[sample, loss] for pair in found])
                row: Row = {"ticket": label, "density": ticket.mask.density}
                rows.append(row | {"sample": sample, "loss": loss, "found": summary})
    return rows


def _pair(
    site: Site, options: dict[str, Any], label: str, *, kind: Any, length: float, place: int
) -> "dict[tuple[str, str], Barrier]":
    """Return the barriers of one pair, by sample and loss."""
    from pacbayes.landscape import Retraining, barrier, descendants

    changes = {"epochs": options["epochs"], "lr": options["lr"]}
    plan, first = training_plan(site.folders[label], changes)
    out: Path | None = options["out"]
    ends = descendants(
        site.model,
        site.tickets[label],
        retraining=Retraining(examples=site.data.train, part=site.part, plan=plan, first=first),
        disturbance=kind,
        length=length,
        number=place,
        seed=options["seed"],
        journal=None if out is None else out / "pairs",
    )
    return {
        (name, loss): barrier(
            site.model,
            *ends,
            sample,
            points=options["points"],
            loss=loss,
            buffers=options["buffers"],
            statistics=site.statistics,
            reference=options["reference"],
        )
        for name, sample in site.samples.items()
        for loss in options["losses"]
    }


def _length(folder: Path, ticket: "Ticket", options: dict[str, Any]) -> float:
    """Return the length of the push: as given, or the gap to the level beside the ticket."""
    from pacbayes.checkpoints import read_ticket
    from pacbayes.landscape import gap
    from pacbayes.runtime.folders import ticket_exists

    if options["length"] is not None:
        return float(options["length"])
    following = folder.resolve().parent / f"level_{ticket.level + 1:02d}"
    before = folder.resolve().parent / f"level_{ticket.level - 1:02d}"
    if ticket_exists(following):
        return gap(ticket, read_ticket(following))
    if ticket.level > 0 and ticket_exists(before):
        return gap(read_ticket(before), ticket)
    raise UsageError(f"{folder} has no level beside it, so give --length")


def _robustness_report(rows: list[Row], options: dict[str, Any]) -> Report:
    from pacbayes.landscape.plots import plot_sampled

    series: dict[str, dict[str, Any]] = {}
    for row in rows:
        if (row["sample"], row["loss"]) == (rows[0]["sample"], rows[0]["loss"]):
            found = row["found"]
            series.setdefault(found.disturbance, {})[row["ticket"]] = found.height
    return Report(
        what="robustness",
        rows=rows,
        columns=[
            *TICKET,
            *ON,
            Column(title="disturbed by", cell=lambda row: row["found"].disturbance),
            Column(title="length", cell=lambda row: number(row["found"].length)),
            Column(title="barrier [95 %]", cell=lambda row: interval(row["found"].height)),
        ],
        reading=(
            f"barrier: mean over {options['pairs']} pairs trained from the same rewind point, "
            f"above the {options['reference']} of the ends.\n"
            "sgd: the two saw their batches in different orders; push: one started a random step "
            "of the given length away."
        ),
        plot=lambda: plot_sampled(series, ylabel=f"barrier, {rows[0]['loss']}"),
    )
