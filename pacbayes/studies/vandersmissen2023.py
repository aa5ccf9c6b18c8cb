"""Vandersmissen and Oramas 2023: layerwise scores find other tickets of the same accuracy.

The full text could be read. Chains of several scores start from the same initial weights with the
same order of batches, as in the paper; a chain of another order shows how much of the overlap is
due to that.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from pacbayes.pruning import FindPlan, TrainPlan, redrawn
from pacbayes.pruning.scores import ScoreName
from pacbayes.studies.bench import Bench, differences
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.overlap_tables import (
    collapse_table,
    log_over_chance,
    overlap_figure,
    overlap_table,
    score_table,
)
from pacbayes.studies.report import Report
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.settings import ChainSettings
from pacbayes.studies.steps import Steps, steps
from pacbayes.studies.verdicts import Claim, Rule, above, below, between
from pacbayes.tickets.overlap import overlap
from pacbayes.tickets.stability import stability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER: Final = (
    "Vandersmissen and Oramas (2023), The Importance of Layerwise Importance: Considerations for "
    "the Lottery Ticket Hypothesis (arXiv 2302.11244)."
)
"""Read whole."""
CRITERIA: Final[tuple[ScoreName, ...]] = ("magnitude", "l1", "l2")
GROUPS: Final = ("spread", "sign_flips", "moved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ChainSettings):
    """What decides the study, beside what all chains have.

    Attributes:
        deep: a narrow, deep network in which layers can collapse.
        scores: criteria whose risks are compared; the first three make the overlap.
        rewind: ``init`` or a step.
        lr: learning rate.
        momentum: of SGD.
        weight_decay: of SGD.
        collapse: densities of the search for a collapse, falling.
    """

    model: str = "mlp:784-100-50-10"
    deep: str = "mlp:784-50-50-50-50-10"
    scores: tuple[ScoreName, ...] = CRITERIA
    fraction: float = 0.5
    rewind: int | None = None
    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.0
    collapse: tuple[float, ...] = (0.1, 0.01, 0.001, 0.0004)
    seeds: int = 5
    n_measure: int = 1000


SETTINGS: Final = {
    "quick": Settings(),
    "long": Settings(
        examples=None,
        model="lenet300",
        deep="mlp:784-100-100-100-100-10",
        scores=(*CRITERIA, "lamp", "softmax", "min-max"),
        levels=15,
        fraction=0.2,
        epochs=4,
        prior_share=0.5,
        collapse=tuple(0.7**k for k in range(1, 23)),
    ),
    "full": Settings(
        data="cifar10-jpeg",
        examples=None,
        model="resnet20",
        deep="vgg16",
        scores=(*CRITERIA, "lamp", "softmax", "min-max"),
        levels=20,
        fraction=0.2,
        rewind=1000,
        epochs=160,
        lr=0.1,
        weight_decay=1e-4,
        prior_share=0.8,
        seeds=3,
        collapse=tuple(0.8**k for k in range(1, 31)),
    ),
}


def claims(tensors: Sequence[str]) -> tuple[Claim, ...]:
    """Return what the paper says, with the rules that this study holds against it.

    Args:
        tensors: names of the prunable tensors; the first takes the input, the last is the output.
    """
    same = tuple(between(f"risk, {s} minus magnitude", -0.01, 0.01) for s in CRITERIA[1:])
    ends = tuple(
        above(f"log density over mean, {name}, {score}", 0)
        for score in CRITERIA
        for name in (tensors[0], tensors[-1])
    )
    return (
        Claim(
            key="same accuracy",
            text="accuracy is nearly the same whatever the score, at about 97 % sparsity",
            source="table 2",
            rules=same,
        ),
        Claim(
            key="overlap above chance",
            text="tickets of three scores share far more connections than by chance, everywhere",
            source="section on structure",
            rules=tuple(above(f"log overlap over chance, {name}", 0) for name in tensors),
        ),
        Claim(
            key="common ones vary less",
            text="the value of a common connection varies less over the levels",
            source="section on structure",
            rules=(below("log spread, common over other", 0),),
        ),
        Claim(
            key="common ones flip less",
            text="common connections change their sign less often",
            source="section on structure",
            rules=(below("sign flips, common minus other", 0),),
        ),
        Claim(
            key="common ones move further",
            text="common connections end further from their initial value",
            source="section on structure, shown there for the first convolution",
            rules=(above("log distance moved, common over other", 0),),
        ),
        Claim(
            key="common ones survive",
            text="common connections survive again when all others are redrawn, above chance",
            source="partial re-initialisation; in the paper -3 % to +480 % by tensor",
            rules=tuple(above(f"log survival over chance, {name}", 0) for name in tensors),
        ),
        Claim(
            key="ends are spared",
            text="every score prunes the input and the output layer less than the average",
            source="section on structure, for convolutional networks",
            rules=ends,
        ),
        Claim(
            key="collapse by magnitude",
            text="plain magnitude empties whole layers at high sparsity",
            source="section on layer collapse, for VGG-16 and ResNets",
            rules=(above("levels with an empty layer, magnitude", 0),),
        ),
        Claim(
            key="no collapse by L1 and L2",
            text="scores normalised within a layer prevent it",
            source="section on layer collapse",
            rules=tuple(_never(score) for score in CRITERIA[1:]),
        ),
    )


def _never(score: str) -> Rule:
    return below(f"levels with an empty layer, {score}", 1)


def study(request: StudyRequest, settings: Settings | None = None) -> "tuple[Report, Figure]":
    """Return the report and the figure of the study.

    Args:
        request: where, and at which size.
        settings: instead of those of the size, for tests.
    """
    settings = settings or SETTINGS[request.size]
    bench = settings.bench(request)
    arms = len(settings.scores) + 3 + len(CRITERIA)
    with steps(request, settings, study="vandersmissen2023", total=arms * settings.seeds) as todo:
        rows = [_of_seed(bench, settings, seed, todo) for seed in range(1, settings.seeds + 1)]
    report = Report(
        study="vandersmissen2023",
        paper=PAPER,
        size=request.size,
        claims=claims(list(rows[0]["overlap"]["tensors"])),
        measurements=_measurements(rows, settings),
        settings=settings.described(rewind=settings.rewind or "init"),
        tables=(
            score_table(rows, settings.scores),
            overlap_table(rows),
            collapse_table(rows, CRITERIA, network=settings.deep),
        ),
        remarks=_remarks(settings),
        seconds=todo.seconds,
        processor=todo.processor,
    )
    return report, overlap_figure(rows, settings.scores)


def _plan(settings: Settings, score: ScoreName, **changes: Any) -> FindPlan:
    train = TrainPlan(
        epochs=settings.epochs,
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    options = {"levels": settings.levels, "rewind": settings.rewind or "init", **changes}
    return FindPlan(train=train, score=score, fraction=settings.fraction, **options)


def _of_seed(bench: Bench, settings: Settings, seed: int, todo: Steps) -> dict[str, Any]:
    """Return everything that is measured with one set of initial weights."""
    risks = {
        score: todo.run(f"seed_{seed}_{score}", partial(_chain_risks, bench, settings, score, seed))
        for score in settings.scores
    }
    return {
        "risks": risks,
        "overlap": todo.run(f"seed_{seed}_overlap", partial(_overlap, bench, settings, seed)),
        "order": todo.run(f"seed_{seed}_order", partial(_other_order, bench, settings, seed)),
        "survival": todo.run(f"seed_{seed}_survival", partial(_survival, bench, settings, seed)),
        "collapse": {
            score: todo.run(
                f"seed_{seed}_collapse_{score}", partial(_collapse, bench, settings, score, seed)
            )
            for score in CRITERIA
        },
    }


def _chain_risks(
    bench: Bench, settings: Settings, score: ScoreName, seed: int
) -> list[dict[str, Any]]:
    chain = bench.chain(score, _plan(settings, score), seed=seed)
    return [
        {"density": t.mask.density, "risk": bench.risk(t), "kept": t.notes["kept"]} for t in chain
    ]


def _overlap(bench: Bench, settings: Settings, seed: int) -> dict[str, Any]:
    """Return overlap of the three last masks, and the stability of what they share."""
    chains = [bench.chain(s, _plan(settings, s), seed=seed) for s in CRITERIA]
    found = overlap([chain[-1].mask for chain in chains])
    steady: dict[str, list[tuple[float, float]]] = {key: [] for key in GROUPS}
    for chain in chains:
        # A connection's mean over all tensors, each tensor counting with its connections.
        groups = stability(chain, found.common).values()
        for key in GROUPS:
            common, other = (
                _pooled([(getattr(g[side], key), g[side].connections) for g in groups])
                for side in ("common", "other")
            )
            steady[key].append((common, other))
    return {**found.to_json(), "stability": steady}


def _pooled(pairs: Sequence[tuple[float, int]]) -> float:
    known = [(value, count) for value, count in pairs if count]
    return sum(value * count for value, count in known) / sum(count for _, count in known)


def _other_order(bench: Bench, settings: Settings, seed: int) -> dict[str, Any]:
    """Return the overlap of two magnitude chains that saw the batches in other orders."""
    plan = _plan(settings, "magnitude")
    first = bench.chain("magnitude", plan, seed=seed)[-1]
    second = bench.chain("other_order", plan, seed=seed, orders=seed + 1000)[-1]
    return overlap([first.mask, second.mask]).to_json()


def _survival(bench: Bench, settings: Settings, seed: int) -> dict[str, Any]:
    """Keep initial weights on the common connections, redraw the rest, and search again."""
    masks = [bench.chain(s, _plan(settings, s), seed=seed)[-1].mask for s in CRITERIA]
    common = overlap(masks).common
    network = bench.network(seed)
    own = dict(network.named_parameters())
    fresh = dict(bench.network(seed + 2000).named_parameters())
    state = redrawn(own, fresh, keep=common)
    network.load_state_dict({**network.state_dict(), **state})
    chain = bench.chain(
        "redrawn", _plan(settings, "magnitude"), seed=seed, network=network, orders=seed + 3000
    )
    return overlap([common, chain[-1].mask]).to_json()


def _collapse(bench: Bench, settings: Settings, score: ScoreName, seed: int) -> dict[str, Any]:
    deep = settings.bench(bench.request, other=settings.deep)
    densities = settings.collapse
    plan = _plan(settings, score, levels=len(densities), densities=densities)
    chain = deep.chain(f"deep_{score}", plan, seed=seed)
    return {
        "density": [ticket.mask.density for ticket in chain[1:]],
        "empty": [ticket.notes["collapsed"] for ticket in chain[1:]],
        "risk": [deep.risk(ticket) for ticket in chain[1:]],
    }


def _measurements(rows: Sequence[Mapping[str, Any]], settings: Settings) -> tuple[Measurement, ...]:
    def last(score: str) -> list[float]:
        return [row["risks"][score][-1]["risk"] for row in rows]

    over = Measurement.over_seeds
    tensors = list(rows[0]["overlap"]["tensors"])
    found = [over(f"risk, {score}", last(score)) for score in settings.scores]
    found += [
        over(f"risk, {score} minus magnitude", differences(last(score), last("magnitude")))
        for score in settings.scores[1:]
    ]
    found.append(
        over(
            "log overlap over chance, whole", [log_over_chance(r["overlap"]["whole"]) for r in rows]
        )
    )
    for name in tensors:
        for key, what in (("overlap", "overlap"), ("survival", "survival"), ("order", "order")):
            title = "overlap of other orders" if what == "order" else what
            logs = [log_over_chance(row[key]["tensors"][name]) for row in rows]
            found.append(over(f"log {title} over chance, {name}", logs))
    found += [over(name, values) for name, values in _steadiness(rows).items()]
    for score in settings.scores:
        for name in tensors:
            logs = [_spared(row["risks"][score][-1], name) for row in rows]
            found.append(over(f"log density over mean, {name}, {score}", logs))
    for score in CRITERIA:
        count = sum(bool(empty) for row in rows for empty in row["collapse"][score]["empty"])
        name = f"levels with an empty layer, {score}"
        found.append(Measurement.exact(name, count, how=f"counted, {len(rows)} seeds"))
    return tuple(found)


def _steadiness(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return the three comparisons of common and other connections, each a mean over scores."""
    groups = [row["overlap"]["stability"] for row in rows]
    return {
        "log spread, common over other": [
            fmean(math.log(a / b) for a, b in group["spread"]) for group in groups
        ],
        "sign flips, common minus other": [
            fmean(a - b for a, b in group["sign_flips"]) for group in groups
        ],
        "log distance moved, common over other": [
            fmean(math.log(a / b) for a, b in group["moved"]) for group in groups
        ],
    }


def _spared(level: Mapping[str, Any], name: str) -> float:
    """Return the logarithm of a tensor's density over that of the whole network."""
    kept, entries = level["kept"][name]
    return math.log((kept + 0.5) / entries / level["density"])


LEFT_OUT: Final = (
    "convolutions, residual shortcuts and normalisation, CIFAR-10 and TinyImageNet, levels beyond "
    "the last (the paper's go on to 99.99 % sparsity), and rewinding to a later step"
)


def _remarks(settings: Settings) -> tuple[str, ...]:
    return (
        "Intervals are over seeds: initial weights, split and order of batches all differ.",
        "Chance keeps the number of connections of each mask in each tensor. Ratios are taken of "
        "counts plus one half, so that an empty overlap has a logarithm.",
        "The rule of equal accuracy allows 0.01 of risk, our choice.",
        "Steadiness counts a connection as zero at a level that does not keep it; common and other "
        "connections are both kept at the last level.",
        f"Collapse is looked for in {settings.deep}.",
        *settings.smaller(
            "LeNet-300-100 on MNIST with 40 epochs per level, and VGG-16 and ResNets", LEFT_OUT
        ),
    )
