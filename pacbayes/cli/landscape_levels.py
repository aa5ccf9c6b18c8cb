"""`pacbayes landscape distance`, `prune-limit`, `requilibration`, `escape`."""

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from pacbayes.cli.landscape_around import flat_warning, over_tickets
from pacbayes.cli.landscape_report import (
    ENDS,
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
    neighbours,
    open_site,
    open_tickets,
    path_options,
    ticket_options,
)

if TYPE_CHECKING:
    from pacbayes.data import Examples
    from pacbayes.landscape import LossName
    from pacbayes.tickets import Ticket


@click.command(
    short_help="How far training moved tickets from their initial weights.",
    epilog="""
\b
Examples:
  pacbayes landscape distance RUN
  pacbayes landscape distance RUN/level_05 --tensors
""",
)
@ticket_options
@click.option("--tensors", is_flag=True, help="one line per tensor as well")
def distance(**options: Any) -> None:
    """Measure how far training moved TICKETS from their initial weights."""
    from pacbayes.landscape import distance as measure
    from pacbayes.landscape.plots import plot_distances

    require_folder(options)
    tickets, _ = open_tickets(options["tickets"])
    found = {label: measure(ticket) for label, ticket in tickets.items()}
    rows: list[Row] = []
    for label, one in found.items():
        density = tickets[label].mask.density
        groups = {"all": one.whole, "prunable": one.prunable}
        groups |= one.per_tensor if options["tensors"] else {}
        rows += [
            {"ticket": label, "density": density, "tensor": name, "moved": moved}
            for name, moved in groups.items()
        ]
    report = Report(
        what="distance",
        rows=rows,
        columns=_MOVED,
        reading=(
            "distance: Euclidean norm of trained minus initial weights over the kept entries.\n"
            "rank corr.: Spearman's, of initial and trained magnitudes; top fifth: share of the "
            "largest 20 % at the\nstart that is among the largest 20 % at the end (0.2 by chance)."
        ),
        plot=lambda: plot_distances(found),
    )
    deliver(report, tickets, options)


_MOVED = [
    *TICKET,
    Column(title="tensors", cell=lambda row: row["tensor"]),
    Column(title="kept", cell=lambda row: str(row["moved"].kept)),
    Column(title="distance", cell=lambda row: number(row["moved"].raw)),
    Column(title="/ sqrt(kept)", cell=lambda row: number(row["moved"].normalised)),
    Column(title="initial norm", cell=lambda row: number(row["moved"].initial_norm)),
    Column(title="trained norm", cell=lambda row: number(row["moved"].norm)),
    Column(title="rank corr.", cell=lambda row: number(row["moved"].rank_correlation)),
    Column(title="top fifth", cell=lambda row: number(row["moved"].top_overlap)),
]


@click.command(
    short_help="How many weights can go at once, against the spectrum.",
    name="prune-limit",
    epilog=f"""
\b
Examples:
  pacbayes landscape prune-limit RUN/level_00 {MNIST}
  pacbayes landscape prune-limit RUN/level_00 {MNIST} --survivors fixed --rise 0.05 \\
      --out OUT --plot
""",
)
@ticket_options
@measuring_options(examples=2000, samples=("train",), losses=("cross-entropy",), smooth=True)
@click.option("--rise", type=float, default=0.1, show_default=True, help="of the loss, tolerated")
@click.option(
    "--survivors",
    type=click.Choice(["free", "fixed"]),
    default="free",
    show_default=True,
    help="settle anew, or stay where they are",
)
@click.option("--draws", type=int, default=3, show_default=True, help="random removals")
@click.option("--steps", type=int, default=30, show_default=True, help="of L-BFGS")
@click.option("--probes", type=int, default=5, show_default=True, help="of the spectrum")
@click.option("--lanczos", type=int, default=30, show_default=True, help="steps per probe")
def prune_limit(**options: Any) -> None:
    """Measure how many weights can go at once, against what the spectrum predicts."""
    require_folder(options)
    site = open_site(options)
    rows: list[Row] = []
    for rule in ("random", "magnitude"):
        measure = partial(_prune_limit, site, options, rule=rule)
        rows += over_tickets(site, options, f"prune limit, {rule}", measure)
    deliver(_prune_limit_report(rows, options), site.tickets, options)


def _prune_limit(
    site: Site,
    options: dict[str, Any],
    ticket: "Ticket",
    sample: "Examples",
    loss: "LossName",
    *,
    rule: Any,
) -> Row:
    from pacbayes.landscape import prune_limit as measure

    names = ("survivors", "rise", "draws", "steps", "lanczos", "probes", "seed")
    asked = {name: options[name] for name in names}
    found = measure(site.model, ticket, sample, rule=rule, loss=loss, **asked)
    return {"rule": rule, "limit": found}


def _prune_limit_report(rows: list[Row], options: dict[str, Any]) -> Report:
    from pacbayes.landscape.plots import plot_prune_limits

    first = rows[0]["ticket"]
    return Report(
        what="prune-limit",
        rows=rows,
        columns=[
            *TICKET,
            *ON,
            Column(title="removed", cell=lambda row: row["rule"]),
            Column(title="predicted limit", cell=lambda row: number(row["limit"].predicted)),
            Column(title="measured limit [95 %]", cell=lambda row: interval(row["limit"].measured)),
            Column(title="settled alone", cell=lambda row: number(row["limit"].settled)),
            Column(title="mean curvature", cell=lambda row: number(row["limit"].mean_curvature)),
            Column(title="along removed half", cell=_along_half),
        ],
        reading=(
            "limit: the largest fraction of the kept weights that can go at once while the loss "
            f"rises by at most {options['rise']:g},\nthe survivors "
            + ("settling anew (L-BFGS)." if options["survivors"] == "free" else "staying put.")
            + "\nsettled alone: change of the loss when nothing goes and all weights settle; far "
            "below 0, the ticket\nis no minimum of this sample's loss, and the prediction does not "
            "apply.\nalong removed half: curvature in the direction of the weights that go when "
            "half of them go; far above\nthe mean curvature, these are no random directions, and "
            "the predicted limit is too high."
            + flat_warning(rows, lambda row: row["limit"].dimension)
        ),
        plot=lambda: plot_prune_limits(
            {row["rule"]: row["limit"] for row in rows if row["ticket"] == first}
        ),
    )


def _along_half(row: Row) -> str:
    halves = [one for one in row["limit"].removals if one.fraction == 0.5]
    return number(halves[0].curvature.value) if halves else "-"


@click.command(
    short_help="Does retraining make small weights again?",
    epilog="""
\b
Examples:
  pacbayes landscape requilibration RUN
  pacbayes landscape requilibration RUN/level_03 RUN/level_04 --out OUT --plot
""",
)
@ticket_options
def requilibration(**options: Any) -> None:
    """Measure whether retraining makes small weights again: magnitudes before and after."""
    from pacbayes.landscape import requilibration as measure
    from pacbayes.landscape.plots import plot_requilibration

    require_folder(options)
    tickets, _ = open_tickets(options["tickets"], least=2)
    found = {
        (first, second): measure(tickets[first], tickets[second])
        for first, second in neighbours(tickets)
    }
    rows: list[Row] = [{"from": a, "to": b, "found": one} for (a, b), one in found.items()]
    half = next(iter(found.values())).levels.index(0.5)
    report = Report(
        what="requilibration",
        rows=rows,
        columns=[
            *ENDS,
            Column(title="threshold", cell=lambda row: number(row["found"].threshold)),
            Column(title="median before", cell=lambda row: number(row["found"].before[half])),
            Column(title="median after", cell=lambda row: number(row["found"].after[half])),
            Column(title="below before", cell=lambda row: number(row["found"].below_before)),
            Column(title="below after", cell=lambda row: number(row["found"].below_after)),
            Column(title="rescaled", cell=lambda row: number(row["found"].below_after_rescaled)),
        ],
        reading=(
            "Magnitudes of the kept weights right after pruning (before) and after retraining.\n"
            "below: share of them at most the threshold, the largest magnitude that was removed;\n"
            "rescaled: the same after retraining, growth or decay of all weights taken out."
        ),
        plot=lambda: plot_requilibration({b: one for (_, b), one in found.items()}),
    )
    deliver(report, tickets, options)


@click.command(
    short_help="How far retraining leaves the network right after pruning.",
    epilog=f"""
\b
Examples:
  pacbayes landscape escape RUN {MNIST}
  pacbayes landscape escape FINETUNED {MNIST} --loss error --sample test
""",
)
@ticket_options
@measuring_options(examples=10000, samples=("train",), losses=("cross-entropy",), smooth=False)
@path_options
def escape(**options: Any) -> None:
    """Measure how far retraining leaves the network right after pruning, level by level."""
    from pacbayes.landscape import escape as measure
    from pacbayes.runtime.progress import progress

    require_folder(options)
    site = open_site(options, least=2)
    asked = [
        (ends, name, loss)
        for ends in neighbours(site.tickets)
        for name in site.samples
        for loss in options["losses"]
    ]
    rows: list[Row] = []
    with progress("escape", len(asked), quiet=options["quiet"]) as bar:
        for (first, second), name, loss in asked:
            found = measure(
                site.model,
                site.tickets[first],
                site.tickets[second],
                site.samples[name],
                points=options["points"],
                loss=loss,
                buffers=options["buffers"],
                statistics=site.statistics,
            )
            rows.append(
                {"from": first, "to": second, "sample": name, "loss": loss, "escape": found}
            )
            bar.advance(1, note=f"{first} to {second}")
    deliver(_escape_report(rows), site.tickets, options)


def _escape_report(rows: list[Row]) -> Report:
    from pacbayes.landscape.plots import plot_paths

    return Report(
        what="escape",
        rows=rows,
        columns=[
            *ENDS,
            *ON,
            Column(title="distance", cell=lambda row: number(row["escape"].distance)),
            Column(title="/ norm", cell=lambda row: number(row["escape"].relative)),
            Column(title="init from base", cell=lambda row: number(row["escape"].start_distance)),
            Column(title="init to end", cell=lambda row: number(row["escape"].from_start)),
            Column(title="loss at base", cell=lambda row: number(row["escape"].barrier.path[0])),
            Column(title="at end", cell=lambda row: number(row["escape"].barrier.path[-1])),
            Column(title="barrier", cell=lambda row: number(row["escape"].barrier.height)),
        ],
        reading=(
            "base: the network right after pruning, before retraining; end: the retrained ticket.\n"
            "distance: between the two, also over the norm of the base; init: the ticket's initial "
            "weights.\nbarrier: largest rise of the loss between the two above the larger of both."
        ),
        plot=lambda: plot_paths(
            {f"{row['from']} to {row['to']}": row["escape"].barrier for row in rows}
        ),
    )
