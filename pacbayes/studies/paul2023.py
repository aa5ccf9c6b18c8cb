"""Paul et al. 2023: what a winning ticket's mask encodes, told by linear connectivity.

Chains differ in their rewind point and in what they prune; every adjacent pair of levels gives one
barrier and one answer to whether the sparser network matches the dense one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from pacbayes.landscape import barrier, gap, pair, prune_limit, requilibration
from pacbayes.landscape.prune_limit import Rule
from pacbayes.landscape.rewind_robustness import Disturbance, Retraining
from pacbayes.pruning import FindPlan, TrainPlan
from pacbayes.studies.bench import Bench, differences
from pacbayes.studies.connectivity_tables import (
    agreement_table,
    connectivity_figure,
    limit_table,
    pair_table,
    refill_table,
    refilled,
    rewind_table,
    sparse_pairs,
)
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.report import Report
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.settings import ChainSettings
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
RULES: Final[tuple[Rule, ...]] = ("random", "magnitude")
REWOUND: Final = ("init", "late")
DISTURBANCES: Final[tuple[Disturbance, ...]] = ("push", "sgd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ChainSettings):
    """What decides the study, beside what all chains have.

    Attributes:
        narrow: the network whose pruning limit is predicted and measured.
        narrow_epochs: of its training; the prediction asks for a minimum.
        lr: learning rate of SGD with momentum 0.9.
        late: step of the late rewind point.
        points: of each segment.
        match: how much more than the dense network's risk still matches.
        zero: height of an error barrier that still counts as zero.
        pairs: pairs of networks per rewind point and disturbance.
        fractions: tried in one go, for the pruning limit.
        settle: steps of the survivors after pruning.
        n_limit: examples of the pruning limit: of few, the Hessian has many flat directions.
    """

    narrow: str = "mlp:784-30-10"
    narrow_epochs: int = 30
    lr: float = 0.1
    late: int = 60
    points: int = 9
    match: float = 0.01
    zero: float = 0.01
    pairs: int = 2
    fractions: tuple[float, ...] = (0.3, 0.6, 0.8, 0.9, 0.95)
    settle: int = 100
    n_limit: int = 3000


SETTINGS: Final = {
    "quick": Settings(),
    "long": Settings(
        examples=None,
        model="lenet300",
        fraction=0.5,
        n_measure=1000,
        points=11,
        pairs=1,
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
        narrow_epochs=160,
        n_limit=5000,
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
    bench = settings.bench(request)
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
        settings=settings.described(),
        tables=(
            pair_table(rows),
            agreement_table(rows, match=settings.match, zero=settings.zero),
            rewind_table(rows),
            limit_table(rows),
            refill_table(rows),
        ),
        remarks=_remarks(settings),
        seconds=todo.seconds,
        processor=todo.processor,
    )
    figure = connectivity_figure(
        rows, match=settings.match, zero=settings.zero, fractions=settings.fractions
    )
    return report, figure


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
        "rewinds": {
            chain: todo.run(
                f"seed_{seed}_rewind_{chain}", partial(_rewind, bench, settings, chain, seed)
            )
            for chain in REWOUND
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


def _rewind(bench: Bench, settings: Settings, chain: str, seed: int) -> dict[str, Any]:
    """Disturb a sparse rewind point, train, and return the barriers between what comes of it.

    It is pushed by the length of the next pruning step, or sees its batches in another order.
    """
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

    def height(disturbance: Disturbance, number: int) -> float:
        return pair(
            network,
            ticket,
            unseen,
            retraining=retraining,
            disturbance=disturbance,
            length=length if disturbance == "push" else 0.0,
            number=number,
            seed=seed,
            points=settings.points,
            reference="larger",
        ).height

    return {
        "length": length,
        "density": ticket.mask.density,
        "excess": bench.risk(ticket) - bench.risk(tickets[0]),
        **{d: fmean(height(d, number) for number in range(settings.pairs)) for d in DISTURBANCES},
    }


def _limit(bench: Bench, settings: Settings, seed: int) -> dict[str, Any]:
    """Return predicted and measured limits of pruning a dense network in one go."""
    narrow = replace(
        settings.bench(bench.request, other=settings.narrow), n_measure=settings.n_limit
    )
    plan = FindPlan(train=TrainPlan(epochs=settings.narrow_epochs, lr=settings.lr), levels=0)
    (dense,) = narrow.chain("narrow", plan, seed=seed)
    found: dict[str, Any] = {}
    for rule in RULES:
        limit = prune_limit(
            narrow.network(seed),
            dense,
            narrow.seen(seed),
            rule=rule,
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
            "settled": limit.settled,
            "mean_curvature": limit.mean_curvature,
            "curvature": [removal.curvature.value for removal in limit.removals],
            "rise": [removal.measured.value for removal in limit.removals],
            "rise_predicted": [removal.predicted for removal in limit.removals],
        }
    return found


def _measurements(rows: Sequence[Mapping[str, Any]], settings: Settings) -> tuple[Measurement, ...]:
    over = Measurement.over_seeds
    pairs = [sparse_pairs(row, match=settings.match) for row in rows]
    found = [
        over("agreement of zero barrier and matching", _agreement(rows, settings, "barrier")),
        over("agreement, mean of the ends", _agreement(rows, settings, "barrier_above_mean")),
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
    for disturbance, words in (("push", "a push"), ("sgd", "other batches")):
        heights = {chain: [row["rewinds"][chain][disturbance] for row in rows] for chain in REWOUND}
        found += [over(f"barrier after {words}, {chain}", heights[chain]) for chain in REWOUND]
        gaps = differences(heights["init"], heights["late"])
        found.append(over(f"barrier after {words}, init minus late", gaps))
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
    shares = {chain: [refilled(row, chain) for row in rows] for chain in CHAINS}
    for chain in ("late", "rate-rewound"):
        gaps = differences(shares[chain], shares["fine-tuned"])
        found.append(over(f"refilled, {chain} minus fine-tuned", gaps))
    return tuple(found)


def _agreement(rows: Sequence[Mapping[str, Any]], settings: Settings, key: str) -> list[float]:
    """Return the share of sparse pairs for which having no barrier says that they match."""
    found = []
    for row in rows:
        pairs = sparse_pairs(row, match=settings.match, key=key)
        found.append(fmean(match == (height <= settings.zero) for match, height in pairs))
    return found


LEFT_OUT: Final = (
    "convolutions and normalisation, CIFAR and ImageNet, rewind points other than two, levels "
    "beyond the last, and drops of the rate (it falls by a cosine)"
)


def _remarks(settings: Settings) -> tuple[str, ...]:
    return (
        f"A level matches where its test risk is at most {settings.match} above the dense "
        f"network's; a barrier up to {settings.zero} counts as zero. Both are our choice.",
        "The rules take barriers above the larger end: above the mean of the ends, as in Frankle "
        "et al. (2020), a mere difference of the ends would count, and that is what matching "
        "means. The table of agreement shows both.",
        "The agreement counts the sparser half of all chains' levels, each seed giving one value.",
        f"The pruning limit is that of {settings.narrow} after {settings.narrow_epochs} epochs, on "
        f"{settings.n_limit} examples that training saw. Survivors settle by at most "
        f"{settings.settle} steps of L-BFGS; where they stop early, the measured share is too "
        "small. A share that never was too much counts as the last one tried.",
        "The prediction takes what is removed for a random direction at a minimum: the settled "
        "loss says how far from one the network is, the curvature along what is removed how far "
        "from random it lies (above the mean curvature, the prediction is too high).",
        *settings.smaller("ResNets on CIFAR and ImageNet", LEFT_OUT),
    )
