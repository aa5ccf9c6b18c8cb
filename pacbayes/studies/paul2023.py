"""Paul et al. 2023: what a winning ticket's mask encodes, told by linear connectivity.

Chains differ in their rewind point and in what they prune; every adjacent pair of levels gives one
barrier and one answer to whether the sparser network matches the dense one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from pacbayes.landscape import barrier, gap, pair, prune_limit, requilibration
from pacbayes.landscape.rewind_robustness import Retraining
from pacbayes.pruning import FindPlan, TrainPlan
from pacbayes.studies.bench import Bench, differences
from pacbayes.studies.figure import COLOURS, panels
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.report import Report, Table
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.steps import Steps, steps
from pacbayes.studies.verdicts import Claim, above, below, between

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER: Final = (
    "Paul, Chen, Larsen, Frankle, Ganguli and Dziugaite (2023), Unmasking the Lottery Ticket "
    "Hypothesis: What's Encoded in a Winning Ticket's Mask? (ICLR 2023)."
)
ABSTRACT: Final = "abstract and list of contributions; the text could not be read"
CHAINS: Final = ("init", "late", "rate-rewound", "fine-tuned", "random")
RULES: Final = ("random", "magnitude")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides the study.

    Attributes:
        data: name of the data.
        examples: of them; ``None`` takes all.
        model: the network.
        model_args: its arguments.
        narrow: the network whose pruning limit is predicted and measured.
        lr: learning rate of SGD with momentum 0.9.
        late: step of the late rewind point.
        levels: pruning rounds.
        fraction: removed per round.
        epochs: per level.
        prior_share: share of the training examples that training sees.
        seeds: how many.
        n_measure: examples of each measurement.
        points: of each segment.
        match: how much more than the dense network's risk still matches.
        zero: height of an error barrier that still counts as zero.
        pairs: pairs of networks per rewind point.
        fractions: tried in one go, for the pruning limit.
        settle: steps of the survivors after pruning.
    """

    data: str = "mnist"
    examples: int | None = 12_000
    model: str = "mlp:784-100-10"
    model_args: tuple[tuple[str, str], ...] = ()
    narrow: str = "mlp:784-30-10"
    lr: float = 0.1
    late: int = 60
    levels: int = 5
    fraction: float = 0.4
    epochs: int = 2
    prior_share: float = 0.5
    seeds: int = 3
    n_measure: int = 500
    points: int = 9
    match: float = 0.01
    zero: float = 0.01
    pairs: int = 2
    fractions: tuple[float, ...] = (0.3, 0.6, 0.8, 0.9, 0.95)
    settle: int = 10


SETTINGS: Final = {
    "quick": Settings(),
    "long": Settings(
        examples=None,
        model="lenet300",
        narrow="mlp:784-60-10",
        levels=12,
        fraction=0.2,
        epochs=4,
        prior_share=0.5,
        seeds=5,
        n_measure=2000,
        points=15,
        pairs=3,
        fractions=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95),
        settle=30,
    ),
    "full": Settings(
        data="cifar10-jpeg",
        examples=None,
        model="resnet20",
        model_args=(("norm", "group"),),
        narrow="lenet5",
        late=1000,
        levels=15,
        fraction=0.2,
        epochs=80,
        prior_share=0.8,
        n_measure=5000,
        points=21,
        pairs=3,
        fractions=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95),
        settle=50,
    ),
}


def claims() -> tuple[Claim, ...]:
    """Return what the paper says, with the rules that this study holds against it."""
    return (
        Claim(
            key="zero barrier iff matching",
            text="at higher sparsities neighbours have no error barrier if and only if they match",
            source=f"{ABSTRACT}; both kinds of pairs must occur for the rule to say anything",
            rules=(
                above("agreement of zero barrier and matching", 0.8),
                between("share of matching pairs", 0.1, 0.9),
                above("barrier, not matching minus matching", 0),
            ),
        ),
        Claim(
            key="robust rewind points",
            text="rewind points of matching tickets survive a push as long as the pruning step",
            source=ABSTRACT,
            rules=(
                below("barrier after a push, late", 0.02),
                above("barrier after a push, init minus late", 0),
            ),
        ),
        Claim(
            key="theory of random pruning",
            text="the Hessian spectrum predicts how much random pruning a network bears",
            source=f"{ABSTRACT}; the formula was derived anew",
            rules=(between("random limit, measured minus predicted", -0.1, 0.1),),
        ),
        Claim(
            key="magnitude is better",
            text="magnitude pruning bears a little more, since it removes flatter directions",
            source=ABSTRACT,
            rules=(
                above("measured limit, magnitude minus random", 0),
                below("log curvature removed, magnitude over random", 0),
            ),
        ),
        Claim(
            key="retraining makes small weights",
            text="rewinding weights or rate makes new small weights to prune; fine-tuning doesn't",
            source=ABSTRACT,
            rules=(
                above("refilled, late minus fine-tuned", 0),
                above("refilled, rate-rewound minus fine-tuned", 0),
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
    bench = Bench(
        request=request,
        data_name=settings.data,
        examples=settings.examples,
        model=settings.model,
        model_args=settings.model_args,
        prior_share=settings.prior_share,
        n_measure=settings.n_measure,
    )
    with steps(
        request, settings, study="paul2023", total=settings.seeds * (len(CHAINS) + 3)
    ) as todo:
        rows = [_of_seed(bench, settings, seed, todo) for seed in range(1, settings.seeds + 1)]
    report = Report(
        study="paul2023",
        paper=PAPER,
        size=request.size,
        claims=claims(),
        measurements=_measurements(rows, settings),
        settings=_described(settings),
        tables=(_pairs(rows), _limits(rows), _refills(rows)),
        remarks=_remarks(settings),
        seconds=todo.seconds,
        processor=todo.processor,
    )
    return report, _figure(rows, settings)


def _plan(settings: Settings, chain: str) -> FindPlan:
    train = TrainPlan(epochs=settings.epochs, lr=settings.lr)
    options: dict[str, dict[str, Any]] = {
        "init": {},
        "late": {"rewind": settings.late},
        "rate-rewound": {"rewind": "lr"},
        "fine-tuned": {"rewind": "none"},
        "random": {"rewind": settings.late, "score": "random"},
    }
    own = options[chain]
    return FindPlan(train=train, levels=settings.levels, fraction=settings.fraction, **own)


def _of_seed(bench: Bench, settings: Settings, seed: int, todo: Steps) -> dict[str, Any]:
    """Return everything that is measured with one set of initial weights."""
    return {
        "chains": {
            chain: todo.run(f"seed_{seed}_{chain}", partial(_chain, bench, settings, chain, seed))
            for chain in CHAINS
        },
        "pushes": {
            chain: todo.run(
                f"seed_{seed}_push_{chain}", partial(_push, bench, settings, chain, seed)
            )
            for chain in ("init", "late")
        },
        "limits": todo.run(f"seed_{seed}_limit", partial(_limit, bench, settings, seed)),
    }


def _chain(bench: Bench, settings: Settings, chain: str, seed: int) -> dict[str, Any]:
    """Return risks, barriers between neighbours, and the small weights that retraining made."""
    tickets = bench.chain(chain, _plan(settings, chain), seed=seed)
    network, seen, unseen = bench.network(seed), bench.seen(seed), bench.unseen
    pairs = []
    for first, second in pairwise(tickets):
        errors = partial(barrier, network, first, second, points=settings.points)
        unseen_errors = errors(unseen, reference="larger")
        settled = requilibration(first, second)
        pairs.append(
            {
                "density": second.mask.density,
                "barrier": unseen_errors.height,
                "barrier_above_mean": unseen_errors.height_above("mean"),
                "train_barrier": errors(seen, reference="larger").height,
                "loss_barrier": errors(seen, reference="larger", loss="cross-entropy").height,
                "refilled": settled.below_after_rescaled,
            }
        )
    return {"risks": [bench.risk(ticket) for ticket in tickets], "pairs": pairs}


def _push(bench: Bench, settings: Settings, chain: str, seed: int) -> dict[str, Any]:
    """Push a sparse rewind point by the length of the next pruning step, and train both."""
    plan = _plan(settings, chain)
    tickets = bench.chain(chain, plan, seed=seed)
    ticket, following = tickets[-2], tickets[-1]
    retraining = Retraining(
        examples=bench.data.train,
        part=bench.split(seed).prior,
        plan=plan.train,
        first=settings.late if chain == "late" else 0,
    )
    length = gap(ticket, following)
    network, unseen = bench.network(seed), bench.unseen
    heights = [
        pair(
            network,
            ticket,
            unseen,
            retraining=retraining,
            disturbance="push",
            length=length,
            number=number,
            seed=seed,
            points=settings.points,
            reference="larger",
        ).height
        for number in range(settings.pairs)
    ]
    return {"length": length, "height": fmean(heights), "density": ticket.mask.density}


def _limit(bench: Bench, settings: Settings, seed: int) -> dict[str, Any]:
    """Return predicted and measured limits of pruning a dense network in one go."""
    narrow = Bench(
        request=bench.request,
        data_name=bench.data_name,
        examples=bench.examples,
        model=settings.narrow,
        prior_share=bench.prior_share,
        n_measure=bench.n_measure,
    )
    plan = FindPlan(train=TrainPlan(epochs=2 * settings.epochs, lr=settings.lr), levels=0)
    (dense,) = narrow.chain("narrow", plan, seed=seed)
    found = {}
    for rule in RULES:
        limit = prune_limit(
            narrow.network(seed),
            dense,
            narrow.seen(seed),
            rule="random" if rule == "random" else "magnitude",
            fractions=settings.fractions,
            draws=2,
            steps=settings.settle,
            lanczos=30,
            probes=2,
            seed=seed,
        )
        found[rule] = {
            "predicted": limit.predicted,
            "measured": limit.measured.value,
            "curvature": [removal.curvature.value for removal in limit.removals],
            "rise": [removal.measured.value for removal in limit.removals],
            "rise_predicted": [removal.predicted for removal in limit.removals],
        }
    return found


def _sparse_pairs(row: Mapping[str, Any], settings: Settings) -> list[tuple[bool, float]]:
    """Return whether each pair of the sparser half matches, and its error barrier."""
    found = []
    for chain in CHAINS:
        risks, pairs = row["chains"][chain]["risks"], row["chains"][chain]["pairs"]
        for level in range(settings.levels // 2, settings.levels):
            matches = risks[level + 1] <= risks[0] + settings.match
            found.append((matches, pairs[level]["barrier"]))
    return found


def _measurements(rows: Sequence[Mapping[str, Any]], settings: Settings) -> tuple[Measurement, ...]:
    over = Measurement.over_seeds
    pairs = [_sparse_pairs(row, settings) for row in rows]
    agree = [fmean(match == (height <= settings.zero) for match, height in one) for one in pairs]
    found = [
        over("agreement of zero barrier and matching", agree),
        over("share of matching pairs", [fmean(match for match, _ in one) for one in pairs]),
    ]
    contrast = [
        fmean([h for match, h in one if not match]) - fmean([h for match, h in one if match])
        for one in pairs
        if len({match for match, _ in one}) == 2
    ]
    name = "barrier, not matching minus matching"
    found.append(over(name, contrast) if contrast else Measurement.unknown(name, "one kind only"))
    for chain in CHAINS:
        last = [row["chains"][chain]["risks"][-1] for row in rows]
        found.append(over(f"risk, last level, {chain}", last))
    for chain in ("init", "late"):
        heights = [row["pushes"][chain]["height"] for row in rows]
        found.append(over(f"barrier after a push, {chain}", heights))
    pushes = [[row["pushes"][chain]["height"] for row in rows] for chain in ("init", "late")]
    found.append(over("barrier after a push, init minus late", differences(*pushes)))
    limits = {rule: [row["limits"][rule] for row in rows] for rule in RULES}
    for rule in RULES:
        gaps = [one["measured"] - one["predicted"] for one in limits[rule]]
        found.append(over(f"{rule} limit, measured minus predicted", gaps))
    measured = [[one["measured"] for one in limits[rule]] for rule in ("magnitude", "random")]
    found.append(over("measured limit, magnitude minus random", differences(*measured)))
    flat = [
        fmean(
            math.log(a / b)
            for a, b in zip(m["curvature"], r["curvature"], strict=True)
            if a > 0 < b
        )
        for m, r in zip(limits["magnitude"], limits["random"], strict=True)
    ]
    found.append(over("log curvature removed, magnitude over random", flat))
    refilled = {chain: [_refilled(row, chain) for row in rows] for chain in CHAINS}
    for chain in ("late", "rate-rewound"):
        gaps = differences(refilled[chain], refilled["fine-tuned"])
        found.append(over(f"refilled, {chain} minus fine-tuned", gaps))
    return tuple(found)


def _refilled(row: Mapping[str, Any], chain: str) -> float:
    """Return the share of kept weights below the pruning threshold after retraining, all levels."""
    return fmean(one["refilled"] for one in row["chains"][chain]["pairs"])


def _pairs(rows: Sequence[Mapping[str, Any]]) -> Table:
    lines = []
    for chain in CHAINS:
        found = [row["chains"][chain] for row in rows]
        for level, one in enumerate(found[0]["pairs"], start=1):
            cells = [
                fmean(f["pairs"][level - 1][key] for f in found)
                for key in ("barrier", "barrier_above_mean", "train_barrier", "loss_barrier")
            ]
            excess = fmean(f["risks"][level] - f["risks"][0] for f in found)
            lines.append((chain, level, one["density"], excess, *cells))
    columns = (
        "chain",
        "level",
        "density",
        "risk minus dense",
        "error barrier, test",
        "above the mean of the ends",
        "error barrier, train",
        "loss barrier, train",
    )
    title = "Neighbours: barrier between a level and the one before (means over seeds)"
    return Table(title=title, columns=columns, rows=tuple(lines))


def _limits(rows: Sequence[Mapping[str, Any]]) -> Table:
    lines = [
        (
            rule,
            *(fmean(row["limits"][rule][key] for row in rows) for key in ("predicted", "measured")),
        )
        for rule in RULES
    ]
    title = "Largest share that can go in one go, at a rise of 0.1 (means over seeds)"
    return Table(title=title, columns=("rule", "predicted", "measured"), rows=tuple(lines))


def _refills(rows: Sequence[Mapping[str, Any]]) -> Table:
    pruned = [chain for chain in CHAINS if chain != "random"]
    lines = [(chain, fmean(_refilled(row, chain) for row in rows)) for chain in pruned]
    title = "Share of kept weights below the last pruning threshold after retraining, rescaled"
    return Table(title=title, columns=("chain", "share"), rows=tuple(lines))


def _remarks(settings: Settings) -> tuple[str, ...]:
    found = [
        f"A level matches where its test risk is at most {settings.match} above the dense "
        f"network's; a barrier up to {settings.zero} counts as zero. Both are our choice.",
        "Barriers are measured above the larger end: above the mean of the ends, as in Frankle et "
        "al. (2020), a mere difference of the ends would count, and that is what matching means.",
        "The agreement counts the sparser half of all chains' levels, each seed giving one value.",
        "The limit's survivors settle by L-BFGS on the examples that it is measured on.",
    ]
    if settings.data == "mnist":
        trained = round(settings.prior_share * (settings.examples or 60_000))
        found.append(
            f"Smaller than the paper, which has ResNets on CIFAR and ImageNet: {settings.model} on "
            f"MNIST, {trained} training examples, {settings.epochs} "
            f"epochs per level; the pruning limit on {settings.narrow}."
        )
    return tuple(found)


def _described(settings: Settings) -> dict[str, Any]:
    described = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(settings).items()}
    return {**described, "seeds": f"1 to {settings.seeds}"}


def _figure(rows: Sequence[Mapping[str, Any]], settings: Settings) -> "Figure":
    figure, (left, middle, right) = panels(
        "Neighbours, sparser half", "Pruning in one go", "Small weights after retraining"
    )
    for place, chain in enumerate(CHAINS):
        points = [
            (
                row["chains"][chain]["risks"][k + 1] - row["chains"][chain]["risks"][0],
                one["barrier"],
            )
            for row in rows
            for k, one in enumerate(row["chains"][chain]["pairs"])
            if k >= settings.levels // 2
        ]
        left.plot(*zip(*points, strict=True), "o", ms=4, color=COLOURS[place], label=chain)
        if chain != "random":
            right.bar(place, fmean(_refilled(row, chain) for row in rows), color=COLOURS[place])
    left.axvline(settings.match, color=COLOURS[-1], lw=0.8)
    left.axhline(settings.zero, color=COLOURS[-1], lw=0.8)
    left.set_xlabel("test risk minus dense")
    left.set_ylabel("error barrier to the level before")
    right.set_xticks(range(len(CHAINS) - 1), CHAINS[:-1], rotation=30, fontsize="x-small")
    for place, rule in enumerate(RULES):
        for key, style in (("rise", "o-"), ("rise_predicted", ":")):
            rises = [
                fmean(row["limits"][rule][key][k] for row in rows)
                for k in range(len(settings.fractions))
            ]
            label = f"{rule}, {'measured' if key == 'rise' else 'predicted'}"
            middle.plot(settings.fractions, rises, style, color=COLOURS[place], label=label)
    middle.axhline(0.1, color=COLOURS[-1], lw=0.8)
    middle.set_yscale("symlog", linthresh=0.01)
    middle.set_xlabel("share removed")
    middle.set_ylabel("rise of the loss")
    for axes in (left, middle):
        axes.legend(fontsize="x-small", frameon=False)
    return figure
