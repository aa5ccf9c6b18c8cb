"""The link: which measurement on a ticket predicts its certified bound?

No paper of its own: flatness, distance, volume and overlap are what the five studies measure, and
here they meet the bound over many tickets of one network and one data set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pacbayes.pruning import FindPlan, TrainPlan
from pacbayes.studies.bench import Bench
from pacbayes.studies.correlation import Correlation
from pacbayes.studies.figure import COLOURS, panels
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.overlap_tables import mean_log_overlaps
from pacbayes.studies.portrait import Effort, portrait
from pacbayes.studies.report import Report, Table
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.settings import ChainSettings
from pacbayes.studies.steps import Steps, steps
from pacbayes.studies.verdicts import Claim, above, below

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ARMS: Final = ("iterative", "l1", "largest", "random", "random-init", "synflow", "fine-tuned")
MEASURES: Final = {
    "sharpness": "expected sharpness",
    "top_eigenvalue": "top eigenvalue",
    "distance": "distance",
    "distance_normalised": "distance per kept weight",
    "ray_volume": "log ray volume per dimension",
    "posterior_volume": "mean log scale of the posterior",
    "overlap": "log overlap with other tickets",
    "density": "density",
    "test_risk": "test risk",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ChainSettings):
    """What decides the study, beside what all chains have.

    Attributes:
        rates: learning rates; every arm is trained at each.
        portrayed: levels whose tickets are certified and measured.
        batch_size: of training.
        effort: of each certificate and its measurements.
    """

    data: str = "digits"
    examples: int | None = None
    model: str = "mlp:64-100-10"
    rates: tuple[float, ...] = (0.02, 0.1)
    levels: int = 4
    portrayed: tuple[int, ...] = (2, 4)
    epochs: int = 6
    batch_size: int = 50
    seeds: int = 2
    n_measure: int = 300
    effort: Effort = field(default_factory=lambda: Effort(epochs=10, draws=10, noises=10, rays=4))


SETTINGS: Final = {
    "quick": Settings(),
    "long": Settings(
        data="mnist",
        model="lenet300",
        levels=10,
        fraction=0.2,
        portrayed=(3, 6, 10),
        epochs=4,
        batch_size=128,
        seeds=3,
        n_measure=1000,
        effort=Effort(epochs=8, draws=2, noises=30, rays=10),
    ),
    "full": Settings(
        data="cifar10-jpeg",
        model="resnet20",
        model_args=(("norm", "group"),),
        levels=15,
        fraction=0.2,
        portrayed=(3, 7, 11, 15),
        epochs=77,
        batch_size=128,
        seeds=3,
        n_measure=2000,
        effort=Effort(epochs=20, draws=2, noises=30, rays=20),
    ),
}


def claims() -> tuple[Claim, ...]:
    """Return what the papers suggest, with the rules that this study holds against it."""
    return (
        Claim(
            key="distance",
            text="tickets close to their initial weights get lower bounds",
            source="Sakamoto and Sato (2022)",
            rules=(above("rank correlation of distance with bound", 0),),
        ),
        Claim(
            key="flatness",
            text="flat tickets get lower bounds",
            source="Sakamoto and Sato (2022), first version",
            rules=(above("rank correlation of sharpness with bound", 0),),
        ),
        Claim(
            key="volume",
            text="tickets of large volume get lower bounds",
            source="the opposite of Saleem et al. (2024), who find small volumes that generalise",
            rules=(below("rank correlation of ray_volume with bound", 0),),
        ),
        Claim(
            key="overlap",
            text="tickets that share connections with others get lower bounds",
            source="Vandersmissen and Oramas (2023), on connections that matter",
            rules=(below("rank correlation of overlap with bound", 0),),
        ),
    )


def study(request: StudyRequest, settings: Settings | None = None) -> "tuple[Report, Figure]":
    """Return the report and the figure of the study.

    Args:
        request: where, and at which size.
        settings: instead of those of the size, for tests.
    """
    settings = settings or SETTINGS[request.size]
    bench = settings.bench(request)
    chains = [(arm, rate) for arm in ARMS for rate in settings.rates]
    with steps(request, settings, study="link", total=settings.seeds * (len(chains) + 1)) as todo:
        rows: list[dict[str, Any]] = []
        for seed in range(1, settings.seeds + 1):
            rows += _of_seed(bench, settings, seed, todo)
    report = Report(
        study="link",
        paper="No paper: what the five studies measure, held against the certified bound.",
        size=request.size,
        claims=claims(),
        measurements=_measurements(rows),
        settings=settings.described(arms=list(ARMS)),
        tables=(_table(rows),),
        remarks=REMARKS,
        seconds=todo.seconds,
        processor=todo.processor,
        tickets=tuple(rows),
    )
    return report, _figure(rows)


REMARKS: Final = (
    "Rank correlations over tickets; a correlation is no cause, and test risk drives both sides.",
    "The bootstrap resamples tickets as if they were independent; tickets of one seed share their "
    "initial weights, so intervals err on the short side.",
    "Every certificate has its prior at the initial weights and a mask that has not seen the "
    "certificate part. The mean log scale belongs to the fitted posterior, so the bound sees it.",
    "Overlap: mean over the other tickets of the same seed and density of the logarithm of common "
    "connections over chance.",
)


def _chain(arm: str, rate: float) -> str:
    return f"{arm}_{rate:g}"


def _plan(settings: Settings, arm: str, rate: float) -> FindPlan:
    train = TrainPlan(epochs=settings.epochs, lr=rate, batch_size=settings.batch_size)
    options: dict[str, dict[str, Any]] = {
        "iterative": {},
        "l1": {"score": "l1"},
        "largest": {"score": "largest"},
        "random": {"score": "random"},
        "random-init": {"method": "random"},
        "synflow": {"method": "synflow"},
        "fine-tuned": {"rewind": "none"},
    }
    return FindPlan(train=train, levels=settings.levels, fraction=settings.fraction, **options[arm])


def _of_seed(bench: Bench, settings: Settings, seed: int, todo: Steps) -> list[dict[str, Any]]:
    """Return one row per portrayed ticket of one seed."""
    rows: list[dict[str, Any]] = []
    for arm in ARMS:
        for rate in settings.rates:
            name = f"seed_{seed}_{_chain(arm, rate)}"
            rows += todo.run(name, partial(_portraits, bench, settings, arm, rate, seed))
    common = todo.run(f"seed_{seed}_overlaps", partial(_overlaps, bench, settings, seed))
    return [
        {"study": "link", **row, "overlap": common[str(row["level"])][row["arm"]]} for row in rows
    ]


def _portraits(
    bench: Bench, settings: Settings, arm: str, rate: float, seed: int
) -> list[dict[str, Any]]:
    name = _chain(arm, rate)
    chain = bench.chain(name, _plan(settings, arm, rate), seed=seed)
    return [
        portrait(bench, name, chain[level], seed=seed, effort=settings.effort)
        for level in settings.portrayed
    ]


def _overlaps(bench: Bench, settings: Settings, seed: int) -> dict[str, dict[str, float]]:
    """Return by level and chain the mean log overlap with the other chains of the seed."""
    chains = {
        _chain(arm, rate): bench.chain(_chain(arm, rate), _plan(settings, arm, rate), seed=seed)
        for arm in ARMS
        for rate in settings.rates
    }
    return {
        str(level): mean_log_overlaps({name: chain[level].mask for name, chain in chains.items()})
        for level in settings.portrayed
    }


def _measurements(rows: Sequence[Mapping[str, Any]]) -> tuple[Measurement, ...]:
    found = []
    for measure in MEASURES:
        name = f"rank correlation of {measure} with bound"
        if len({row[measure] for row in rows}) > 1:
            found.append(Correlation.of(rows, measure, "bound").measurement(name))
        else:
            found.append(Measurement.unknown(name, "all tickets have the same value"))
    return tuple(found)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    levels = sorted({row["level"] for row in rows})
    lines = []
    found = {measurement.name: measurement for measurement in _measurements(rows)}
    for measure, title in MEASURES.items():
        whole = found[f"rank correlation of {measure} with bound"]
        cells: list[str | float | None] = [whole.value, f"[{whole.low:.2f}, {whole.high:.2f}]"]
        for level in levels:
            group = [row for row in rows if row["level"] == level]
            varied = len({row[measure] for row in group}) > 1
            cells.append(Correlation.of(group, measure, "bound").value if varied else None)
        lines.append((title, *cells))
    columns = ("measure", "all", "interval", *(f"level {level}" for level in levels))
    title = f"Spearman's correlation with the certified bound, {len(rows)} tickets"
    return Table(title=title, columns=columns, rows=tuple(lines))


def _figure(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    shown = ("distance", "sharpness", "ray_volume", "overlap")
    figure, axes = panels(*(MEASURES[name] for name in shown))
    levels = sorted({row["level"] for row in rows})
    for panel, name in zip(axes, shown, strict=True):
        for place, level in enumerate(levels):
            group = [row for row in rows if row["level"] == level]
            panel.plot(
                [row[name] for row in group],
                [row["bound"] for row in group],
                "o",
                ms=4,
                color=COLOURS[place],
                label=f"density {group[0]['density']:.2f}",
            )
        panel.set_ylabel("certified bound")
        panel.legend(fontsize="x-small", frameon=False)
    return figure
