"""Yang et al. 2023: random pruning before training, from harmless to the loss of the signal.

A mask drawn before the data are seen is free, so this is the one setting in which sparsity could
lower a bound without a split; and where pruning has removed the signal, training still fits all
examples by their noise. There every valid bound must stay above the true risk: a negative control.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from pacbayes.data import SignalNoise
from pacbayes.pipeline import FindRequest, find
from pacbayes.pruning import FindPlan, TrainPlan
from pacbayes.studies.figure import COLOURS, panels
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.pruned_at_random import Laboratory
from pacbayes.studies.report import Report, Table
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.steps import steps
from pacbayes.studies.verdicts import Claim, above, below, between

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NETWORK: Final = "pacbayes.studies.yang2023:two_layer"
PAPER: Final = (
    "Yang, Liang, Guo, Wu and Wang (2023), Pruning Before Training May Improve Generalization, "
    "Provably (also JMLR 26, 2025)."
)
ABSTRACT: Final = "abstract; the theorems could not be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides the study.

    Attributes:
        n: training examples, all of which the certificate rests on.
        dim: axes of an input.
        classes: classes, and signals.
        width: hidden neurons of each class.
        size: length of the signal, and of the noise.
        densities: probabilities of keeping a weight, after 1, falling.
        mild: the one that stands for mild pruning.
        over: the one that stands for over-pruning.
        seeds: how many.
        steps: of gradient descent on all examples.
        lr: its rate.
        fit_epochs: of fitting the posterior, in batches of 5.
        fit_lr: their rate.
        draws: weight draws per example.
        fresh: examples that measure the true risk.
    """

    n: int = 80
    dim: int = 4000
    classes: int = 2
    width: int = 6
    size: float = 20.0
    densities: tuple[float, ...] = (0.5, 0.25, 0.08, 0.008)
    mild: float = 0.5
    over: float = 0.008
    seeds: int = 20
    steps: int = 250
    lr: float = 0.04
    fit_epochs: int = 20
    fit_lr: float = 0.012
    draws: int = 100
    fresh: int = 2000


SETTINGS: Final = {
    "quick": Settings(),
    "long": Settings(
        n=100,
        dim=8000,
        densities=(0.7, 0.5, 0.35, 0.25, 0.15, 0.08, 0.03, 0.006),
        over=0.006,
        fit_epochs=30,
        fresh=20000,
    ),
    "full": Settings(
        n=200,
        dim=16000,
        densities=(0.8, 0.6, 0.5, 0.4, 0.25, 0.15, 0.08, 0.05, 0.03, 0.015, 0.006),
        over=0.006,
        steps=400,
        fit_epochs=30,
        fresh=20000,
    ),
}


class TwoLayer(nn.Module):
    """One hidden layer of ReLUs; a class's logit is the sum over the neurons of its own.

    The second layer is fixed, as in the theory: what is learned is the first.
    """

    def __init__(self, *, classes: int, width: int, dim: int) -> None:
        super().__init__()
        self.classes, self.width = classes, width
        self.fc1 = nn.Linear(dim, classes * width, bias=False)
        nn.init.normal_(self.fc1.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, (B, dim) -> (B, classes)."""
        hidden = torch.relu(self.fc1(x))
        return hidden.view(x.shape[0], self.classes, self.width).sum(dim=2)


def two_layer(classes: int, width: int, dim: int) -> nn.Module:
    """Return the network, with small initial weights from torch's generator."""
    return TwoLayer(classes=classes, width=width, dim=dim)


def claims(settings: Settings) -> tuple[Claim, ...]:
    """Return what the paper says, with the rules that this study holds against it."""
    chance = 1 - 1 / settings.classes
    return (
        Claim(
            key="mild pruning is harmless",
            text="below a threshold pruning rate, training reaches zero error and generalises well",
            source=ABSTRACT,
            rules=(below("train error, mild", 0.01), below("risk, mild minus dense", 0.02)),
        ),
        Claim(
            key="the bound improves",
            text="the generalisation bound improves as the pruning rate grows mildly",
            source=f"{ABSTRACT}; measured here on our certified bound, not on theirs",
            rules=(below("bound, mild minus dense", 0),),
        ),
        Claim(
            key="over-pruning memorises",
            text="at a large pruning rate training still fits, and the test error is chance",
            source=ABSTRACT,
            rules=(
                below("train error, over-pruned", 0.01),
                below("train loss, over-pruned", 0.1),
                between("risk, over-pruned", chance - 0.05, chance + 0.05),
            ),
        ),
        Claim(
            key="signal against noise",
            text="pruning changes what is learned, from the signal to the noise",
            source=ABSTRACT,
            rules=(
                above("signal over noise, dense", 1),
                below("signal over noise, over-pruned", 1),
            ),
        ),
        Claim(
            key="three zones",
            text="between harmless and over-pruned lies a zone in which the test error grows",
            source="reference reading of both results",
            rules=(between("risk, steepest inner density", 0.02, chance - 0.02),),
        ),
        Claim(
            key="negative control",
            text="no valid bound lies below the true risk, in any zone (beyond its delta)",
            source="a check of this package, not of the paper",
            rules=(below("bounds below the true risk", 1),),
        ),
    )


def study(request: StudyRequest, settings: Settings | None = None) -> "tuple[Report, Figure]":
    """Return the report and the figure of the study.

    Args:
        request: where, and at which size.
        settings: instead of those of the size, for tests.
    """
    settings = settings or SETTINGS[request.size]
    with steps(request, settings, study="yang2023", total=settings.seeds) as todo:
        rows: list[dict[str, Any]] = []
        for seed in range(1, settings.seeds + 1):
            rows += todo.run(f"seed_{seed}", partial(_of_seed, request, settings, seed))
    report = Report(
        study="yang2023",
        paper=PAPER,
        size=request.size,
        claims=claims(settings),
        measurements=_measurements(rows, settings),
        settings=_described(settings),
        tables=(_table(rows, settings),),
        remarks=REMARKS,
        seconds=todo.seconds,
        processor=todo.processor,
    )
    return report, _figure(rows, settings)


REMARKS: Final = (
    "The full text could not be read: the form of the data (orthogonal signals, noise elsewhere) "
    "and of the network is ours, so are sizes and thresholds of the rules.",
    "Masks keep a fixed number of weights at random places: the Bernoulli mask given its count.",
    "Over-pruned masks may keep the signal of a class by luck, so their risks spread; those of "
    "masks that kept none are measured apart, and no rule asks for them.",
    "Gradient descent takes all examples at once, with momentum 0.9.",
    "The prior is centred at the initial weights and contains the mask at no cost; the posterior "
    "is fitted on the same examples that training saw, as PAC-Bayes allows.",
    "The negative control holds two posteriors per network (fitted, and the trained network "
    "itself with the prior's scale) and five bounds each against the lower 95 % limit of the "
    "Gibbs risk on fresh examples.",
)


def _of_seed(request: StudyRequest, settings: Settings, seed: int) -> list[dict[str, Any]]:
    """Return one row per density of one seed."""
    problem = SignalNoise(
        n=settings.n,
        dim=settings.dim,
        classes=settings.classes,
        signal=settings.size,
        noise=settings.size,
        seed=seed,
    )
    train = TrainPlan(
        epochs=settings.steps, lr=settings.lr, schedule="constant", batch_size=settings.n
    )
    densities = settings.densities
    plan = FindPlan(train=train, levels=len(densities), densities=densities, method="random")
    laboratory = Laboratory(
        problem=problem,
        fresh=problem.sample(settings.fresh, "fresh"),
        model=NETWORK,
        model_args={key: str(getattr(settings, key)) for key in ("classes", "width", "dim")},
        fit_epochs=settings.fit_epochs,
        fit_lr=settings.fit_lr,
        draws=settings.draws,
        seed=seed,
    )
    found = find(
        FindRequest(
            model=NETWORK,
            model_args=laboratory.model_args,
            data=problem.spec,
            out=request.work / f"seed_{seed}" / "run",
            plan=plan,
            split=0,
            seed=seed,
            quiet=True,
        )
    )
    return [
        laboratory.row(path, density)
        for density, path in zip((1.0, *densities), found, strict=True)
    ]


def _measurements(rows: Sequence[dict[str, Any]], settings: Settings) -> tuple[Measurement, ...]:
    def values(density: float, key: str) -> list[float]:
        return [row[key] for row in rows if row["density"] == density]

    def bounds(density: float) -> list[float]:
        return [row["fitted"]["bound"] for row in rows if row["density"] == density]

    def minus(first: Sequence[float], second: Sequence[float]) -> list[float]:
        return [a - b for a, b in zip(first, second, strict=True)]

    def over(name: str, found: Sequence[float]) -> Measurement:
        return Measurement.over_seeds(name, found)

    mild, most = settings.mild, settings.over
    inner = [density for density in settings.densities if most < density < mild]
    chance = 1 - 1 / settings.classes
    # The inner density whose mean risk is nearest to half of chance shows the fall best.
    steep = min(inner, key=lambda d: abs(fmean(values(d, "risk")) - chance / 2))
    ratio = {
        d: [s / n for s, n in zip(values(d, "signal"), values(d, "noise"), strict=True)]
        for d in (1.0, most)
    }
    checks = [row[law] for row in rows for law in ("fitted", "trained")]
    lost = [row for row in rows if row["density"] == most and not row["signals"]]
    name = "risk, over-pruned, no signal left"
    bare = (
        over(name, [row["risk"] for row in lost]) if lost else Measurement.unknown(name, "no such")
    )
    return (
        over("train error, mild", values(mild, "train_error")),
        over("risk, mild minus dense", minus(values(mild, "risk"), values(1.0, "risk"))),
        over("bound, dense", bounds(1.0)),
        over("bound, mild", bounds(mild)),
        over("bound, over-pruned", bounds(most)),
        over("bound, mild minus dense", minus(bounds(mild), bounds(1.0))),
        over("train error, over-pruned", values(most, "train_error")),
        over("train loss, over-pruned", values(most, "train_loss")),
        over("risk, over-pruned", values(most, "risk")),
        bare,
        over("signal over noise, dense", ratio[1.0]),
        over("signal over noise, over-pruned", ratio[most]),
        over("risk, steepest inner density", values(steep, "risk")),
        Measurement.exact("bounds below the true risk", sum(len(c["below"]) for c in checks)),
        Measurement.exact("bounds held against the true risk", sum(c["bounds"] for c in checks)),
    )


def _described(settings: Settings) -> dict[str, Any]:
    seeds = f"1 to {settings.seeds}"
    return {**asdict(settings), "densities": list(settings.densities), "seeds": seeds}


COLUMNS: Final = (
    ("train_loss", "train loss"),
    ("train_error", "train error"),
    ("risk", "risk, fresh"),
    ("signal", "signal"),
    ("noise", "noise"),
)


def _table(rows: Sequence[dict[str, Any]], settings: Settings) -> Table:
    lines = []
    for density in (1.0, *settings.densities):
        group = [row for row in rows if row["density"] == density]
        cells = [fmean(row[key] for row in group) for key, _ in COLUMNS]
        fitted = [
            fmean(row["fitted"][key] for row in group)
            for key in ("kl", "risk", "true_risk", "bound")
        ]
        lines.append((density, fmean(r["signals"] for r in group), *cells, *fitted))
    columns = (
        "keep probability",
        "neurons with their signal",
        *(title for _, title in COLUMNS),
        "kl",
        "Gibbs risk, train",
        "Gibbs risk, fresh",
        "certified bound",
    )
    title = f"Means over {settings.seeds} seeds; the last four of the fitted posterior"
    return Table(title=title, columns=columns, rows=tuple(lines))


def _figure(rows: Sequence[dict[str, Any]], settings: Settings) -> "Figure":
    densities = (1.0, *settings.densities)

    def line(axes: "Axes", key: str, label: str, place: int, *, part: str | None = None) -> None:
        found = [
            Measurement.over_seeds(
                key, [(r[part] if part else r)[key] for r in rows if r["density"] == density]
            )
            for density in densities
        ]
        values = [m.value for m in found]
        axes.plot(densities, values, "o-", color=COLOURS[place], label=label)
        low, high = [m.low for m in found], [m.high for m in found]
        if settings.seeds > 1:
            axes.fill_between(densities, low, high, color=COLOURS[place], alpha=0.2)

    figure, (left, right) = panels("Risk and bound", "What is learned")
    line(left, "bound", "certified bound", 0, part="fitted")
    line(left, "true_risk", "Gibbs risk, fresh examples", 1, part="fitted")
    line(left, "risk", "trained network, fresh examples", 2)
    line(left, "train_error", "trained network, training examples", 3)
    line(right, "signal", "largest projection on the signal", 0)
    line(right, "noise", "largest projection on the noise", 3)
    right.set_yscale("log")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.set_xlabel("keep probability")
        axes.legend(fontsize="x-small", frameon=False)
    return figure
