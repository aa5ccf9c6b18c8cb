"""Sakamoto and Sato 2022: small against large learning rates, through flatness and distance.

The published bound chooses its prior variance weight by weight from the trained weights, so it is
shown as a legacy value beside a certificate of the same posterior. Certificates have their prior at
the initial weights and their mask from another part of the data, so that the nats of the means are
the price of the distance, and those of the scales and the counted risk that of sharpness.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pacbayes.pruning import FindPlan, TrainPlan, control
from pacbayes.runtime.seeds import Seeds
from pacbayes.studies.bench import Bench, differences
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.overlap_tables import mean_log_overlaps
from pacbayes.studies.portrait import Effort, portrait
from pacbayes.studies.rate_tables import (
    geometry_table,
    level_table,
    method_table,
    rate_figure,
    risk_table,
)
from pacbayes.studies.report import Report
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.settings import ChainSettings
from pacbayes.studies.steps import Steps, steps
from pacbayes.studies.verdicts import Claim, above, below
from pacbayes.tickets import Ticket

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER: Final = (
    "Sakamoto and Sato (2022), Analyzing Lottery Ticket Hypothesis from PAC-Bayesian Theory "
    "Perspective (NeurIPS 2022)."
)
ABSTRACT: Final = "abstract and published code; the text could not be read"
RATES: Final = ("small", "large", "warmup")
NOISY: Final = ("small", "large")
METHODS: Final = ("largest", "random", "continuous", "random-init")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ChainSettings):
    """What decides the study, beside what all chains have.

    Attributes:
        small: learning rate.
        large: learning rate.
        warmup: steps of linear rise of the arm that warms up to the large rate.
        weight_decay: of SGD, which has momentum 0.9.
        noise: share of the labels drawn at random, in the arms with label noise.
        method_seeds: how many for the re-reading of other methods.
        portrayed: levels whose tickets are certified and measured; the last is ``levels``.
        effort: of each certificate and its measurements.
    """

    small: float = 0.01
    large: float = 0.2
    warmup: int = 100
    levels: int = 3
    fraction: float = 0.52
    epochs: int = 3
    weight_decay: float = 1e-4
    noise: str = "0.4"
    method_seeds: int = 2
    seeds: int = 5
    n_measure: int = 1000
    portrayed: tuple[int, ...] = (3,)
    effort: Effort = field(default_factory=Effort)


SETTINGS: Final = {
    "quick": Settings(),
    "long": Settings(
        examples=None,
        model="lenet300",
        warmup=1000,
        levels=5,
        fraction=0.36,
        epochs=6,
        seeds=3,
        method_seeds=1,
        portrayed=(0, 5),
        effort=Effort(noises=30, rays=10),
    ),
    "full": Settings(
        data="cifar10-jpeg",
        examples=None,
        model="resnet20",
        model_args=(("norm", "group"),),
        large=0.1,
        warmup=10_000,
        levels=15,
        fraction=0.2,
        epochs=77,
        seeds=3,
        method_seeds=3,
        n_measure=2000,
        portrayed=(0, 5, 10, 15),
        effort=Effort(epochs=20, draws=2, noises=30, rays=20),
    ),
}


def claims() -> tuple[Claim, ...]:
    """Return what the paper says, with the rules that this study holds against it."""
    return (
        Claim(
            key="small rates win",
            text="iterative pruning yields winning tickets at a small rate, not at a large one",
            source=f"{ABSTRACT}; the advantage over a re-initialised control stands for winning",
            rules=(
                above("advantage over re-initialised, small", 0),
                below("advantage, large minus small", 0),
            ),
        ),
        Claim(
            key="warmup mends the large rate",
            text="with warmup the ticket at a large rate keeps its advantage",
            source="option of the published code; replications with figures",
            rules=(above("advantage, warmup minus large", 0),),
        ),
        Claim(
            key="small rates are sharp",
            text="tickets of a small rate lie in sharper minima",
            source=ABSTRACT,
            rules=(
                above("expected sharpness, small minus large", 0),
                above("log top eigenvalue, small over large", 0),
            ),
        ),
        Claim(
            key="small rates stay close",
            text="tickets of a small rate stay closer to their initial weights",
            source=ABSTRACT,
            rules=(below("log distance, small over large", 0),),
        ),
        Claim(
            key="label noise hurts tickets more",
            text="label noise costs small-rate tickets more than large-rate subnetworks",
            source="introduction of the first version",
            rules=(above("cost of label noise, small minus large", 0),),
        ),
        Claim(
            key="the bound's terms",
            text="in the bound a small rate has a smaller distance term, a larger flatness term",
            source=f"{ABSTRACT}; measured here on the certificate",
            rules=(
                below("log nats of means, small over large", 0),
                above("counted risk, small minus large", 0),
            ),
        ),
        Claim(
            key="smallest-first is best",
            text="pruning the smallest weights changes the bound's terms least",
            source="published code has smallest, largest and random; measured on the certificate",
            rules=(
                above("bound, largest minus smallest", 0),
                above("bound, random minus smallest", 0),
            ),
        ),
        Claim(
            key="the legacy value is vacuous",
            text="with its mask charged, the published value exceeds 1 at this density",
            source="arithmetic on the published code",
            rules=(above("legacy value, small", 1),),
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
    seeds = range(1, settings.seeds + 1)
    few = range(1, settings.method_seeds + 1)
    total = len(seeds) * (len(RATES) + 2) + len(few) * (len(METHODS) + 1)
    with steps(request, settings, study="sakamoto2022", total=total) as todo:
        rows = [_of_seed(todo, bench, settings, seed) for seed in seeds]
        others = [_of_methods(todo, bench, settings, seed) for seed in few]
    arms = {rate: [row["arms"][rate] for row in rows] for rate in RATES}
    noisy = {rate: [row["noisy"][rate] for row in rows] for rate in NOISY}
    methods = {method: [row["methods"][method] for row in others] for method in METHODS}
    shared = {seed: row["shared"] for seed, row in zip(few, others, strict=True)}
    report = Report(
        study="sakamoto2022",
        paper=PAPER,
        size=request.size,
        claims=claims(),
        measurements=_measurements(arms, noisy, methods),
        settings=settings.described(),
        tables=(
            geometry_table(arms),
            method_table(arms, methods),
            level_table(arms),
            risk_table(arms, noisy),
        ),
        remarks=_remarks(settings),
        seconds=todo.seconds,
        processor=todo.processor,
        tickets=tuple(_tickets(arms, methods, shared)),
    )
    return report, rate_figure(arms, methods)


def _step(todo: Steps, name: str, work: Any, *arguments: Any) -> Any:
    return todo.run(name, partial(work, *arguments))


def _of_seed(todo: Steps, bench: Bench, settings: Settings, seed: int) -> dict[str, Any]:
    """Return the arms of one seed, with and without label noise."""
    return {
        "arms": {
            rate: _step(todo, f"{rate}_{seed}", _arm, bench, settings, rate, seed) for rate in RATES
        },
        "noisy": {
            rate: _step(todo, f"noise_{rate}_{seed}", _noisy, bench, settings, rate, seed)
            for rate in NOISY
        },
    }


def _of_methods(todo: Steps, bench: Bench, settings: Settings, seed: int) -> dict[str, Any]:
    """Return the other methods' portraits of one seed, and how much masks have in common."""
    return {
        "methods": {
            method: _step(todo, f"{method}_{seed}", _method, bench, settings, method, seed)
            for method in METHODS
        },
        "shared": _step(todo, f"overlap_{seed}", _overlaps, bench, settings, seed),
    }


def _plan(settings: Settings, rate: str, **changes: Any) -> FindPlan:
    train = TrainPlan(
        epochs=settings.epochs,
        lr=settings.small if rate == "small" else settings.large,
        warmup=settings.warmup if rate == "warmup" else 0,
        weight_decay=settings.weight_decay,
    )
    options = {"levels": settings.levels, "fraction": settings.fraction, **changes}
    return FindPlan(train=train, **options)


def _arm(bench: Bench, settings: Settings, rate: str, seed: int) -> dict[str, Any]:
    """Return the risks of a chain, a control of its last ticket, and portraits."""
    plan = _plan(settings, rate)
    chain = bench.chain(rate, plan, seed=seed)
    last = chain[-1]
    portrayed = [chain[level] for level in settings.portrayed]
    kin = Seeds(seed).child(f"control {rate}")
    other = control(
        "reinit",
        last,
        bench.network(seed),
        bench.data,
        fresh=bench.network(seed + 1000),
        plan=plan,
        seeds=kin,
    )
    return {
        "risks": [bench.risk(ticket) for ticket in chain],
        "densities": [ticket.mask.density for ticket in chain],
        "control": bench.risk(other),
        "portraits": [_portrait(bench, settings, rate, t, seed) for t in portrayed],
    }


def _portrait(
    bench: Bench, settings: Settings, arm: str, ticket: Ticket, seed: int
) -> dict[str, Any]:
    return portrait(bench, arm, ticket, seed=seed, effort=settings.effort)


def _noisy(bench: Bench, settings: Settings, rate: str, seed: int) -> float:
    """Return the test risk, under clean labels, of the last ticket found under label noise."""
    plan = _plan(settings, rate)
    return bench.risk(bench.chain(f"noise_{rate}", plan, seed=seed, noise=settings.noise)[-1])


def _method(bench: Bench, settings: Settings, method: str, seed: int) -> dict[str, Any]:
    """Return the portrait of another method's ticket, at the small rate and the same density."""
    chain = bench.chain(method, _method_plan(settings, method), seed=seed)
    return _portrait(bench, settings, method, chain[-1], seed)


def _method_plan(settings: Settings, method: str) -> FindPlan:
    if method in ("largest", "random"):
        return _plan(settings, "small", score=method)
    kind = "random" if method == "random-init" else method
    return _plan(settings, "small", method=kind, levels=1, densities=(settings.density,))


def _overlaps(bench: Bench, settings: Settings, seed: int) -> dict[str, float]:
    """Return for each last ticket of a seed the mean log overlap over chance with the others."""
    plans = {rate: _plan(settings, rate) for rate in RATES}
    plans |= {method: _method_plan(settings, method) for method in METHODS}
    return mean_log_overlaps(
        {arm: bench.chain(arm, plan, seed=seed)[-1].mask for arm, plan in plans.items()}
    )


def _last(arms: Mapping[str, Any], rate: str, key: str) -> list[float]:
    return [found["portraits"][-1][key] for found in arms[rate]]


def _advantage(arms: Mapping[str, Any], rate: str) -> list[float]:
    """Return how much lower the risk of the last ticket is than that of its control."""
    return [found["control"] - found["risks"][-1] for found in arms[rate]]


def _logs(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [math.log(a / b) for a, b in zip(first, second, strict=True)]


def _measurements(
    arms: Mapping[str, Any], noisy: Mapping[str, Any], methods: Mapping[str, Any]
) -> tuple[Measurement, ...]:
    over = Measurement.over_seeds
    found = []
    for rate in RATES:
        dense = [row["risks"][0] for row in arms[rate]]
        found += [
            over(f"risk, dense, {rate}", dense),
            over(f"risk, ticket, {rate}", [row["risks"][-1] for row in arms[rate]]),
            over(f"advantage over re-initialised, {rate}", _advantage(arms, rate)),
            over(f"certified bound, {rate}", _last(arms, rate, "bound")),
            over(f"legacy value, {rate}", _last(arms, rate, "legacy")),
            over(f"legacy value without mask, {rate}", _last(arms, rate, "legacy_gaussian")),
            over(f"distance, {rate}", _last(arms, rate, "distance")),
            over(f"expected sharpness, {rate}", _last(arms, rate, "sharpness")),
            over(f"top eigenvalue, {rate}", _last(arms, rate, "top_eigenvalue")),
        ]
    advantage = {rate: _advantage(arms, rate) for rate in RATES}
    found += [
        over("advantage, large minus small", differences(advantage["large"], advantage["small"])),
        over("advantage, warmup minus large", differences(advantage["warmup"], advantage["large"])),
        over("cost of label noise, small minus large", _noise_costs(arms, noisy)),
    ]
    names = {"sharpness": "expected sharpness", "risk": "counted risk", "bound": "certified bound"}
    for key, name in names.items():
        gap = differences(_last(arms, "small", key), _last(arms, "large", key))
        found.append(over(f"{name}, small minus large", gap))
    ratios = {
        "top_eigenvalue": "top eigenvalue",
        "distance": "distance",
        "kl_mean": "nats of means",
    }
    ratios |= {"kl_scale": "nats of scales"}
    for key, name in ratios.items():
        logs = _logs(_last(arms, "small", key), _last(arms, "large", key))
        found.append(over(f"log {name}, small over large", logs))
    for method in METHODS:
        theirs = [row["bound"] for row in methods[method]]
        gap = differences(theirs, _last(arms, "small", "bound")[: len(theirs)])
        found.append(over(f"bound, {method} minus smallest", gap))
    return tuple(found)


def _noise_costs(arms: Mapping[str, Any], noisy: Mapping[str, Any]) -> list[float]:
    """Return by how much label noise raises the ticket's risk, small rate minus large."""
    costs = {
        rate: differences(noisy[rate], [row["risks"][-1] for row in arms[rate]])
        for rate in ("small", "large")
    }
    return differences(costs["small"], costs["large"])


LEFT_OUT: Final = (
    "convolutions and normalisation, CIFAR-10 and CIFAR-100, augmentation, 30,000 steps with two "
    "drops of the rate (here it falls by a cosine), SAM, rates between and beyond the two, other "
    "shares of label noise, and levels beyond the last"
)


def _remarks(settings: Settings) -> tuple[str, ...]:
    return (
        "Comparisons are paired: both rates share initial weights, split and order of batches.",
        "The certificate's posterior starts at the ticket and is fitted on the certificate part, "
        "so its nats tell what the neighbourhood of the ticket costs, not the ticket itself.",
        "Legacy values take the same posterior and counts; they are estimates, not certificates.",
        f"Expected sharpness: rise of the error under noise of scale {settings.effort.scale} on "
        "kept weights, on examples that training saw; curvature of the cross-entropy there.",
        "One certificate per ticket at delta 0.05, each for itself; nothing is claimed of all.",
        "Where the dense risks of both rates differ, the small rate had too few steps, and part "
        "of its tickets' advantage is one of speed.",
        *settings.smaller("ResNet-20 on CIFAR-10 and CIFAR-100", LEFT_OUT),
    )


def _tickets(
    arms: Mapping[str, Any], methods: Mapping[str, Any], shared: Mapping[int, Mapping[str, float]]
) -> list[dict[str, Any]]:
    """Return one row per portrait, for the link."""
    rows = [row for found in arms.values() for each in found for row in each["portraits"]]
    last = max(row["level"] for row in rows)
    rows += [row for found in methods.values() for row in found]

    def common(row: Mapping[str, Any]) -> float | None:
        at_the_end = row["level"] == last or row["arm"] in methods
        return shared.get(row["seed"], {}).get(row["arm"]) if at_the_end else None

    return [{"study": "sakamoto2022", **row, "overlap": common(row)} for row in rows]
