"""`pacbayes landscape curvature`, `sharpness`, `volume`: the loss around each ticket."""

from collections.abc import Callable
from functools import partial
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
    posterior_option,
    read_posterior,
    ticket_options,
)
from pacbayes.errors import UsageError

if TYPE_CHECKING:
    from pacbayes.data import Examples
    from pacbayes.landscape import LossName
    from pacbayes.posterior import SpikeAndSlab
    from pacbayes.tickets import Ticket

Measure = Callable[..., Row]


@click.command(
    short_help="Top eigenvalue, trace and spectrum of the Hessian.",
    epilog=f"""
\b
Examples:
  pacbayes landscape curvature RUN/level_00 RUN/level_05 {MNIST}
  pacbayes landscape curvature RUN {MNIST} --examples 500 --probes 10 --out OUT --plot
""",
)
@ticket_options
@measuring_options(examples=2000, samples=("train",), losses=("cross-entropy",), smooth=True)
@click.option("--tolerance", type=float, default=1e-3, show_default=True, help="of the eigenpair")
@click.option("--probes", type=int, default=10, show_default=True, help="random vectors")
@click.option("--steps", type=int, default=30, show_default=True, help="of Lanczos, per probe")
def curvature(**options: Any) -> None:
    """Measure the Hessian of the loss on the kept entries: top eigenvalue, trace, spectrum."""
    _measure(options, "curvature", _curvature, _curvature_report)


def _curvature(
    site: Site, options: dict[str, Any], ticket: "Ticket", sample: "Examples", loss: "LossName"
) -> Row:
    from pacbayes.landscape import spectral_density, top_eigenvalue, trace

    seed, probes = options["seed"], options["probes"]
    where = (site.model, ticket, sample)
    return {
        "top": top_eigenvalue(*where, tolerance=options["tolerance"], seed=seed, loss=loss),
        "trace": trace(*where, probes=probes, seed=seed, loss=loss),
        "spectrum": spectral_density(
            *where, steps=options["steps"], probes=probes, seed=seed, loss=loss
        ),
    }


def _curvature_report(rows: list[Row], _options: dict[str, Any]) -> Report:
    from pacbayes.landscape.plots import plot_spectra

    return Report(
        what="curvature",
        rows=rows,
        columns=[
            *TICKET,
            *ON,
            Column(title="entries", cell=lambda row: str(row["top"].dimension)),
            Column(title="top eigenvalue", cell=lambda row: number(row["top"].value)),
            Column(title="lowest", cell=lambda row: number(row["spectrum"].smallest)),
            Column(title="trace [95 %]", cell=lambda row: interval(row["trace"])),
            Column(
                title="mean", cell=lambda row: number(row["trace"].value / row["top"].dimension)
            ),
        ],
        reading=(
            "Second derivatives of the mean loss (no weight decay) along the kept entries, biases "
            "included.\nlowest: the smallest curvature met; mean: trace over entries."
        ),
        plot=lambda: plot_spectra({_name(row, rows): row["spectrum"] for row in rows}),
    )


@click.command(
    short_help="How much the loss rises near tickets, on average and at worst.",
    epilog=f"""
\b
Examples:
  pacbayes landscape sharpness RUN {MNIST}
  pacbayes landscape sharpness RUN {MNIST} --scale 0.02 --radius 0.1 --relative --out OUT --plot
""",
)
@ticket_options
@measuring_options(
    examples=2000, samples=("train",), losses=("error", "cross-entropy"), smooth=False
)
@click.option("--scale", type=float, default=0.01, show_default=True, help="of Gaussian noise")
@click.option("--draws", type=int, default=30, show_default=True, help="of noise")
@click.option("--radius", type=float, default=0.05, show_default=True, help="of the worst case")
@click.option("--steps", type=int, default=10, show_default=True, help="of ascent, per start")
@click.option("--relative", is_flag=True, help="in units of each weight's magnitude")
@posterior_option
def sharpness(**options: Any) -> None:
    """Measure how much the loss rises near TICKETS, on average over noise and at worst."""
    _measure(options, "sharpness", _sharpness, _sharpness_report)


def _sharpness(
    site: Site, options: dict[str, Any], ticket: "Ticket", sample: "Examples", loss: "LossName"
) -> Row:
    from pacbayes.landscape import adversarial_sharpness, expected_sharpness

    where = (site.model, ticket, sample)
    seed, relative = options["seed"], options["relative"]
    law = _posterior(site, options)
    return {
        "expected": expected_sharpness(
            *where,
            scale=options["scale"] if law is None else law.scale,
            draws=options["draws"],
            seed=seed,
            loss=loss,
            relative=relative,
        ),
        "worst": adversarial_sharpness(
            *where,
            radius=options["radius"],
            steps=options["steps"],
            seed=seed,
            loss=loss,
            relative=relative,
        ),
    }


def _sharpness_report(rows: list[Row], options: dict[str, Any]) -> Report:
    from pacbayes.landscape.plots import plot_sampled

    scale = "the posterior's scales" if options["posterior"] else f"scale {options['scale']:g}"
    unit = " times each weight's magnitude" if options["relative"] else ""
    series: dict[str, dict[str, Any]] = {}
    for row in rows:
        series.setdefault(f"{row['loss']}, {row['sample']}", {})[row["ticket"]] = row["expected"]
    return Report(
        what="sharpness",
        rows=rows,
        columns=[
            *TICKET,
            *ON,
            Column(title="mean rise [95 %]", cell=lambda row: interval(row["expected"])),
            Column(title="worst rise", cell=lambda row: number(row["worst"].value)),
        ],
        reading=(
            f"mean rise: of the loss under Gaussian noise of {scale}{unit} on the "
            "kept entries.\nworst rise: the largest found within a distance of "
            f"{options['radius']:g}{' in those units' if unit else ''}; the true one is at least "
            "that."
        ),
        plot=lambda: plot_sampled(series, ylabel="mean rise of the loss"),
    )


@click.command(
    short_help="The region around tickets where the loss stays low.",
    epilog=f"""
\b
Examples:
  pacbayes landscape volume RUN {MNIST}
  pacbayes landscape volume RUN/level_05 {MNIST} --rise 0.2 --rays 100 --relative
  pacbayes landscape volume RUN/level_05 {MNIST} --posterior OUT/ticket/posterior.safetensors
""",
)
@ticket_options
@measuring_options(examples=2000, samples=("train",), losses=("cross-entropy",), smooth=True)
@click.option("--rise", type=float, default=0.1, show_default=True, help="of the loss, tolerated")
@click.option("--rays", type=int, default=20, show_default=True, help="random directions")
@click.option("--relative", is_flag=True, help="rays in units of each tensor's weights")
@click.option("--floor", type=float, default=1e-3, show_default=True, help="of the curvature")
@click.option("--probes", type=int, default=5, show_default=True, help="of the spectrum")
@click.option("--steps", type=int, default=30, show_default=True, help="of Lanczos, per probe")
@posterior_option
def volume(**options: Any) -> None:
    """Measure the region around TICKETS where the loss stays low: by rays, by curvature."""
    _measure(options, "volume", _volume, _volume_report)


def _volume(
    site: Site, options: dict[str, Any], ticket: "Ticket", sample: "Examples", loss: "LossName"
) -> Row:
    from pacbayes.landscape import posterior_volume, quadratic_volume, ray_volume

    where = (site.model, ticket, sample)
    rise, seed = options["rise"], options["seed"]
    rays = ray_volume(
        *where,
        rise=rise,
        rays=options["rays"],
        seed=seed,
        loss=loss,
        relative=options["relative"],
    )
    quadratic = quadratic_volume(
        *where,
        rise=rise,
        floor=options["floor"],
        steps=options["steps"],
        probes=options["probes"],
        seed=seed,
        loss=loss,
    )
    row: Row = {
        "rays": rays,
        "rays_per_entry": rays.per_dimension,
        "quadratic": quadratic,
        "quadratic_per_entry": quadratic.per_dimension,
    }
    law = _posterior(site, options)
    if law is not None:
        found = posterior_volume(law)
        row |= {"posterior": found, "posterior_per_entry": found.per_dimension}
    return row


def _posterior(site: Site, options: dict[str, Any]) -> "SpikeAndSlab | None":
    if options["posterior"] is None:
        return None
    if len(site.tickets) > 1:
        raise UsageError("--posterior is that of one ticket; give no other")
    return read_posterior(options["posterior"])


_SCALES = Column(
    title="posterior: per entry", cell=lambda row: number(row["posterior_per_entry"].value)
)


def _volume_report(rows: list[Row], options: dict[str, Any]) -> Report:
    from pacbayes.landscape.plots import plot_sampled

    def flat(row: Row) -> str:
        return f"{row['quadratic'].unbounded / row['quadratic'].dimension:.3f}"

    names = {"rays": "rays_per_entry", "quadratic": "quadratic_per_entry"}
    series = {name: {_name(row, rows): row[key] for row in rows} for name, key in names.items()}
    return Report(
        what="volume",
        rows=rows,
        columns=[
            *TICKET,
            *ON,
            Column(title="entries", cell=lambda row: str(row["rays"].dimension)),
            Column(title="rays: ln V", cell=lambda row: number(row["rays"].log_volume.value)),
            Column(title="per entry [95 %]", cell=lambda row: interval(row["rays_per_entry"])),
            Column(
                title="quadratic: ln V", cell=lambda row: number(row["quadratic"].log_volume.value)
            ),
            Column(title="per entry [95 %]", cell=lambda row: interval(row["quadratic_per_entry"])),
            Column(title="flat", cell=flat),
            *([_SCALES] if options["posterior"] is not None else []),
        ],
        reading=(
            f"Region where the loss is at most {options['rise']:g} above the ticket's, along the "
            "kept entries. Tickets of\ndifferent density live in different dimensions: compare the "
            "values per entry.\nflat: share of directions whose curvature is below "
            f"{options['floor']:g} and counts as that."
            + ("" if options["posterior"] is None else "\nposterior: mean ln of its scales.")
            + flat_warning(rows, lambda row: row["quadratic"].dimension)
        ),
        plot=lambda: plot_sampled(series, ylabel="ln volume per kept entry"),
    )


def _measure(
    options: dict[str, Any],
    label: str,
    measure: Measure,
    report: Callable[[list[Row], dict[str, Any]], Report],
) -> None:
    """Measure every ticket on every sample by every loss, and report."""
    require_folder(options)
    site = open_site(options)
    rows = over_tickets(site, options, label, partial(measure, site, options))
    deliver(report(rows, options), site.tickets, options)


def over_tickets(site: Site, options: dict[str, Any], label: str, measure: Measure) -> list[Row]:
    """Return one row per ticket, sample and loss: labels, and what ``measure`` adds to them."""
    from pacbayes.runtime.progress import progress

    rows: list[Row] = []
    total = len(site.tickets) * len(site.samples) * len(options["losses"])
    with progress(label, total, quiet=options["quiet"]) as bar:
        for name, ticket in site.tickets.items():
            for place, sample in site.samples.items():
                for loss in options["losses"]:
                    row = {"ticket": name, "density": ticket.mask.density}
                    row |= {"sample": place, "loss": loss, "n": len(sample)}
                    rank = len(sample) * (site.data.classes - 1)
                    rows.append(row | {"rank": rank} | measure(ticket, sample, loss))
                    bar.advance(1, note=name)
    return rows


def flat_warning(rows: list[Row], dimension: Callable[[Row], int]) -> str:
    """Return a line that says where a sample is too small for the Hessian to be of full rank."""
    short = [row for row in rows if row["rank"] < dimension(row)]
    if not short:
        return ""
    row = short[0]
    return (
        f"\nWith {row['n']} examples about {row['rank']} directions are curved and the other "
        f"{dimension(row) - row['rank']} of {row['ticket']} flat; more --examples bend more."
    )


def _name(row: Row, rows: list[Row]) -> str:
    """Return a ticket's label, with sample and loss where these differ between rows."""
    parts = [row["ticket"]]
    parts += [row[key] for key in ("sample", "loss") if len({one[key] for one in rows}) > 1]
    return " ".join(parts)
