"""Saleem et al. 2024: volume and landscape along iterative pruning, against contrast arms.

The study and Paul et al. (2023) disagree about barriers between neighbours; both the barrier of the
loss and that of the error are measured here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from pacbayes.landscape import barrier, baseline, escape, ray_volume, same_sublevel_set
from pacbayes.pruning import FindPlan, TrainPlan, control
from pacbayes.risk import count_errors
from pacbayes.runtime.seeds import Seeds
from pacbayes.studies.bench import Bench, differences
from pacbayes.studies.figure import COLOURS, panels
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.report import Report, Table
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.settings import ChainSettings
from pacbayes.studies.steps import Steps, steps
from pacbayes.studies.verdicts import Claim, above, below
from pacbayes.tickets import Ticket

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER: Final = (
    "Saleem, Ahuja, Prasad and Lall (2024), Insights into the Lottery Ticket Hypothesis and "
    "Iterative Magnitude Pruning (arXiv 2403.15022)."
)
SECOND_HAND: Final = "a secondary account of the first version; the text could not be read"
CHAINS: Final = ("iterative", "fine-tuned", "largest", "random")
ARMS: Final = (*CHAINS, "one-shot", "re-initialised")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ChainSettings):
    """What decides the study, beside what all chains have.

    Attributes:
        lr: learning rate of SGD with momentum 0.9.
        rewind: step of the rewind point; ``None`` rewinds to the initial weights.
        points: of each segment.
        rise: of the cross-entropy that bounds a volume, and the sublevel set.
        rays: of each volume.
    """

    lr: float = 0.1
    rewind: int | None = None
    levels: int = 4
    fraction: float = 0.45
    seeds: int = 5
    points: int = 9
    rise: float = 0.1
    rays: int = 6


SETTINGS: Final = {
    "quick": Settings(),
    "long": Settings(
        examples=None,
        model="lenet300",
        levels=12,
        fraction=0.2,
        epochs=4,
        prior_share=0.5,
        rays=15,
    ),
    "full": Settings(
        data="cifar10-jpeg",
        examples=None,
        model="resnet20",
        model_args=(("norm", "group"),),
        rewind=1000,
        levels=15,
        fraction=0.2,
        epochs=80,
        prior_share=0.8,
        seeds=3,
        n_measure=5000,
        points=21,
        rays=30,
    ),
}


def claims() -> tuple[Claim, ...]:
    """Return what the paper says, with the rules that this study holds against it."""
    leaving = ("fine-tuned", "largest", "random", "one-shot", "re-initialised")
    return (
        Claim(
            key="small volume, good generalisation",
            text="iterative pruning reaches minima of small volume that generalise well",
            source=SECOND_HAND,
            rules=(
                below("log volume per dimension, ticket minus dense", 0),
                below("risk, ticket minus dense", 0.01),
            ),
        ),
        Claim(
            key="barriers between stages",
            text="successive solutions are not linearly connected: the loss has a barrier",
            source=f"{SECOND_HAND}; Paul et al. (2023) find none between matching neighbours",
            rules=(above("loss barrier between stages, iterative", 0.01),),
        ),
        Claim(
            key="one sublevel set",
            text="iterative pruning stays in one sublevel set of the loss, other arms leave it",
            source=SECOND_HAND,
            rules=(
                above("share in the sublevel set, iterative", 0.9),
                *(above(f"share in the sublevel set, iterative minus {arm}", 0) for arm in leaving),
            ),
        ),
        Claim(
            key="rewinding leaves the baseline",
            text="rewinding leaves the surroundings of the pruned network, fine-tuning stays there",
            source=SECOND_HAND,
            rules=(above("log escape, rewound over fine-tuned", 0),),
        ),
        Claim(
            key="good baselines",
            text="small-weight pruning in stages keeps the network good before any retraining",
            source=SECOND_HAND,
            rules=tuple(
                above(f"baseline risk, {arm} minus iterative", 0)
                for arm in ("largest", "random", "one-shot")
            ),
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
    with steps(
        request, settings, study="saleem2024", total=settings.seeds * (len(ARMS) + 1)
    ) as todo:
        rows = [_of_seed(bench, settings, seed, todo) for seed in range(1, settings.seeds + 1)]
    report = Report(
        study="saleem2024",
        paper=PAPER,
        size=request.size,
        claims=claims(),
        measurements=_measurements(rows),
        settings=settings.described(rewind=settings.rewind or "init"),
        tables=(_stages(rows), _arms(rows)),
        remarks=_remarks(settings),
        seconds=todo.seconds,
        processor=todo.processor,
    )
    return report, _figure(rows)


def _plan(settings: Settings, arm: str) -> FindPlan:
    train = TrainPlan(epochs=settings.epochs, lr=settings.lr)
    options: dict[str, dict[str, Any]] = {
        "iterative": {},
        "fine-tuned": {"rewind": "none"},
        "largest": {"score": "largest"},
        "random": {"score": "random"},
        "one-shot": {"method": "one-shot", "levels": 1, "densities": (settings.density,)},
    }
    chosen = {"levels": settings.levels, "rewind": settings.rewind or "init", **options[arm]}
    return FindPlan(train=train, fraction=settings.fraction, **chosen)


def _of_seed(bench: Bench, settings: Settings, seed: int, todo: Steps) -> dict[str, Any]:
    """Return everything that is measured with one set of initial weights."""
    found = {
        arm: todo.run(f"seed_{seed}_{arm}", partial(_arm, bench, settings, arm, seed))
        for arm in ARMS
    }
    volumes = todo.run(f"seed_{seed}_volumes", partial(_volumes, bench, settings, seed))
    return {"arms": found, "volumes": volumes}


def _tickets(bench: Bench, settings: Settings, arm: str, seed: int) -> list[Ticket]:
    """Return the chain of an arm, from the dense network on."""
    if arm != "re-initialised":
        return bench.chain(arm, _plan(settings, arm), seed=seed)
    plan = _plan(settings, "iterative")
    chain = bench.chain("iterative", plan, seed=seed)
    other = control(
        "reinit",
        chain[-1],
        bench.network(seed),
        bench.data,
        fresh=bench.network(seed + 1000),
        plan=plan,
        seeds=Seeds(seed).child("control"),
    )
    return [chain[0], other]


def _arm(bench: Bench, settings: Settings, arm: str, seed: int) -> dict[str, Any]:
    """Return barriers, membership, baselines and escape at every stage of an arm."""
    chain = _tickets(bench, settings, arm, seed)
    network, seen, unseen = bench.network(seed), bench.seen(seed), bench.unseen
    stages = []
    for first, second in pairwise(chain):
        between = partial(barrier, network, first, second, points=settings.points)
        after = baseline(first, second)
        member = same_sublevel_set(
            network,
            chain[0],
            second,
            seen,
            tolerance=settings.rise,
            points=settings.points,
            loss="cross-entropy",
        )
        left = escape(network, first, second, seen, points=settings.points)
        pruned = count_errors(network, after.weights, after.buffers, unseen)
        stages.append(
            {
                "density": second.mask.density,
                "loss_barrier": between(seen, loss="cross-entropy", reference="larger").height,
                "error_barrier": between(unseen, reference="larger").height,
                "connected": member.connected,
                "baseline_risk": pruned.errors / pruned.trials,
                "escape": left.relative,
                "left_basin": left.left_basin,
            }
        )
    return {"risks": [bench.risk(ticket) for ticket in chain], "stages": stages}


def _volumes(bench: Bench, settings: Settings, seed: int) -> list[dict[str, float]]:
    """Return the volume around every stage of the iterative chain, by random rays."""
    network, seen = bench.network(seed), bench.seen(seed)
    found = []
    for ticket in bench.chain("iterative", _plan(settings, "iterative"), seed=seed):
        volume = ray_volume(
            network,
            ticket,
            seen,
            rise=settings.rise,
            rays=settings.rays,
            seed=seed,
            relative=True,
        )
        found.append(
            {
                "density": ticket.mask.density,
                "log_volume": volume.log_volume.value,
                "per_dimension": volume.per_dimension.value,
                "dimension": volume.dimension,
            }
        )
    return found


def _mean(row: Mapping[str, Any], arm: str, key: str) -> float:
    """Return the mean over the stages of an arm."""
    return fmean(float(stage[key]) for stage in row["arms"][arm]["stages"])


def _measurements(rows: Sequence[Mapping[str, Any]]) -> tuple[Measurement, ...]:
    over = Measurement.over_seeds
    volumes = [[row["volumes"][k]["per_dimension"] for row in rows] for k in (-1, 0)]
    risks = [[row["arms"]["iterative"]["risks"][k] for row in rows] for k in (-1, 0)]
    found = [
        over("log volume per dimension, ticket minus dense", differences(*volumes)),
        over("risk, ticket minus dense", differences(*risks)),
    ]
    kinds = {
        "loss_barrier": "loss barrier between stages",
        "error_barrier": "error barrier between stages",
        "connected": "share in the sublevel set",
        "baseline_risk": "baseline risk",
    }
    for key, name in kinds.items():
        values = {arm: [_mean(row, arm, key) for row in rows] for arm in ARMS}
        found += [over(f"{name}, {arm}", values[arm]) for arm in ARMS]
        for arm in ARMS[1:]:
            gaps = differences(values["iterative"], values[arm])
            sign = -1.0 if key == "baseline_risk" else 1.0
            words = f"{arm} minus iterative" if sign < 0 else f"iterative minus {arm}"
            found.append(over(f"{name}, {words}", [sign * gap for gap in gaps]))
    for arm in ARMS:
        found.append(over(f"risk, {arm}", [row["arms"][arm]["risks"][-1] for row in rows]))
    logs = [
        math.log(_mean(row, "iterative", "escape") / _mean(row, "fine-tuned", "escape"))
        for row in rows
    ]
    found.append(over("log escape, rewound over fine-tuned", logs))
    return tuple(found)


def _stages(rows: Sequence[Mapping[str, Any]]) -> Table:
    lines = []
    for level, volume in enumerate(rows[0]["volumes"]):
        stage = [row["arms"]["iterative"]["stages"][level - 1] for row in rows] if level else []
        keys = ("loss_barrier", "error_barrier", "connected", "baseline_risk", "escape")
        cells = [fmean(float(one[key]) for one in stage) if stage else None for key in keys]
        lines.append(
            (
                level,
                volume["density"],
                fmean(row["arms"]["iterative"]["risks"][level] for row in rows),
                fmean(row["volumes"][level]["log_volume"] for row in rows),
                fmean(row["volumes"][level]["per_dimension"] for row in rows),
                *cells,
            )
        )
    columns = (
        "level",
        "density",
        "test risk",
        "log volume",
        "per dimension",
        "loss barrier",
        "error barrier",
        "in sublevel set",
        "baseline risk",
        "escape",
    )
    title = "Iterative pruning, stage by stage (means over seeds)"
    return Table(title=title, columns=columns, rows=tuple(lines))


def _arms(rows: Sequence[Mapping[str, Any]]) -> Table:
    keys = ("loss_barrier", "error_barrier", "connected", "baseline_risk", "escape", "left_basin")
    lines = [
        (
            arm,
            fmean(row["arms"][arm]["risks"][-1] for row in rows),
            *(fmean(_mean(row, arm, key) for row in rows) for key in keys),
        )
        for arm in ARMS
    ]
    columns = (
        "arm",
        "test risk at the end",
        "loss barrier",
        "error barrier",
        "in sublevel set",
        "baseline risk",
        "escape",
        "left the basin",
    )
    title = "Arms: means over stages and seeds"
    return Table(title=title, columns=columns, rows=tuple(lines))


LEFT_OUT: Final = (
    "convolutions and normalisation, CIFAR-10, levels beyond the last, rewind points after the "
    "first step, and the paper's own measure of volume, which could not be read"
)


def _remarks(settings: Settings) -> tuple[str, ...]:
    return (
        "Volume: random rays up to a rise of the training cross-entropy by "
        f"{settings.rise}, in units of each tensor's kept weights; compared per dimension, since "
        "volumes of different densities live in different dimensions.",
        "A stage is in the sublevel set where the training cross-entropy stays below that of the "
        f"dense network plus {settings.rise} on the whole segment from there.",
        "Barriers are measured above the larger end. One-shot and re-initialised arms have a "
        "single stage, from the dense network.",
        "Escape: distance of the retrained network from the network right after pruning, over the "
        "norm of the latter.",
        *settings.smaller("ResNet-20 and VGG-16 on CIFAR-10", LEFT_OUT),
    )


def _figure(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    figure, (left, middle, right) = panels("Volume and risk", "Loss barriers", "Sublevel set")
    densities = [one["density"] for one in rows[0]["volumes"]]
    for row in rows:
        values = [one["per_dimension"] for one in row["volumes"]]
        left.plot(densities, values, "o-", ms=3, color=COLOURS[0])
    left.set_ylabel("log volume per dimension", color=COLOURS[0])
    other = left.twinx()
    for row in rows:
        other.plot(densities, row["arms"]["iterative"]["risks"], "s:", ms=3, color=COLOURS[3])
    other.set_ylabel("test risk", color=COLOURS[3])
    for place, arm in enumerate(CHAINS):
        stages = [row["arms"][arm]["stages"] for row in rows]
        heights = [fmean(s[k]["loss_barrier"] for s in stages) for k in range(len(stages[0]))]
        middle.plot(densities[1:], heights, "o-", ms=3, color=COLOURS[place], label=arm)
    for axes in (left, middle):
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.set_xlabel("density")
    middle.legend(fontsize="x-small", frameon=False)
    shares = [fmean(_mean(row, arm, "connected") for row in rows) for arm in ARMS]
    right.bar(range(len(ARMS)), shares, color=COLOURS[: len(ARMS)])
    right.set_xticks(range(len(ARMS)), ARMS, rotation=30, fontsize="x-small")
    right.set_ylabel("share of stages")
    return figure
