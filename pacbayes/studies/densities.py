"""Masks that saw no data: the certified bound against their density, prior at init.

A mask drawn at random or from the initial weights alone belongs to the prior, so it costs nothing
and every example certifies. This is where sparsity may lower a bound without any split.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pacbayes.certificate import compare
from pacbayes.certificate.table import upper_digits
from pacbayes.pipeline import CertifyRequest, FindRequest, certify, find
from pacbayes.pruning import FindPlan, TrainPlan
from pacbayes.pruning.plan import Method
from pacbayes.studies.figure import COLOURS, panels
from pacbayes.studies.report import Report, Table
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.steps import steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ABOUT: Final = "No paper: masks without data, of falling density, under the prior at init."
FREE: Final[tuple[Method, ...]] = ("random", "synflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides the study.

    Attributes:
        model: the network.
        data: the data.
        densities: after 1, falling.
        epochs: of fitting the posterior.
        lr: their peak rate.
        draws: weight draws per example.
        delta: failure probability of all rows together.
        seed: of everything.
    """

    model: str = "lenet300"
    data: str = "mnist"
    densities: tuple[float, ...] = (0.5, 0.3, 0.2, 0.1, 0.05)
    epochs: int = 40
    lr: float = 1e-3
    draws: int = 10
    delta: str = "0.05"
    seed: int = 1


SETTINGS: Final = {
    "quick": Settings(model="mlp:64-100-10", data="digits", epochs=40, lr=1e-2, draws=100),
    "long": Settings(epochs=4, lr=8e-3, draws=2),
    "full": Settings(),
}


def study(request: StudyRequest, settings: Settings | None = None) -> "tuple[Report, Figure]":
    """Return the report and the figure of the study.

    Args:
        request: where, and at which size.
        settings: instead of those of the size, for tests.
    """
    settings = settings or SETTINGS[request.size]
    jobs = [(FREE[0], 0), *((m, k + 1) for m in FREE for k in range(len(settings.densities)))]
    with steps(request, settings, study="densities", total=len(jobs)) as todo:
        found = [
            todo.run(f"{method}_{level}", partial(_of_level, request, settings, method, level))
            for method, level in jobs
        ]
    rows = _joint(request, found)
    report = Report(
        study="densities",
        paper=ABOUT,
        size=request.size,
        claims=(),
        measurements=(),
        settings=asdict(settings),
        tables=(_table(rows, settings),),
        remarks=(*findings(rows), *REMARKS),
        seconds=todo.seconds,
        processor=todo.processor,
        tickets=tuple(rows),
    )
    return report, _figure(rows)


REMARKS: Final = (
    "Masks and prior means saw no data, so no nats are spent on the mask and every training "
    "example is in the certificate part. Fitting starts at the prior; no network was trained.",
    "delta is shared: every row is re-evaluated from its own evidence at delta over the number of "
    "rows, so all of them hold together and the lowest may be picked.",
    "All rows are fitted equally long. A bound near guessing means that fitting did not leave the "
    "prior in that time: random masks of low density pass on little of the signal at init. Other "
    "rows, the dense one among them, fall further with the longer fits of the size full.",
)


def _of_level(
    request: StudyRequest, settings: Settings, method: Method, level: int
) -> dict[str, Any]:
    """Certify one data-free ticket on all examples; level 0 is the dense network."""
    plan = FindPlan(
        train=TrainPlan(epochs=0, lr=0.1),
        levels=len(settings.densities),
        densities=settings.densities,
        method=method,
    )
    folders = find(
        FindRequest(
            model=settings.model,
            data=settings.data,
            data_root=request.data_root,
            out=request.work / method,
            plan=plan,
            split=0.0,
            seed=settings.seed,
            quiet=True,
        )
    )
    options = CertifyRequest(
        path=folders[level],
        model=settings.model,
        data=settings.data,
        data_root=request.data_root,
        out=request.work / f"certified_{method}_{level}",
        prior="init",
        epochs=settings.epochs,
        lr=settings.lr,
        draws=settings.draws,
        delta=settings.delta,
        seed=settings.seed,
        quiet=request.quiet,
    )
    (found,) = certify(options)
    density = 1.0 if level == 0 else settings.densities[level - 1]
    return {
        "method": "dense" if level == 0 else method,
        "density": density,
        "certificate": str(found.path.relative_to(request.work)),
    }


def _joint(request: StudyRequest, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    table = compare([request.work / row["certificate"] for row in found])
    return [
        {
            **row,
            "n": entry.n,
            "risk": entry.errors / entry.trials,
            "kl": entry.kl_upper,
            "mask": entry.kl_mask,
            "bound": entry.bound,
            "alone": entry.own_bound,
        }
        for row, entry in zip(found, table.rows, strict=True)
    ]


def findings(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return where sparsity lowers the certified bound; never that the true risk is lower."""
    dense = float(rows[0]["bound"])
    said = []
    for method in FREE:
        chosen = [row for row in rows if row["method"] == method]
        below = [row["density"] for row in chosen if float(row["bound"]) < dense]
        best = min(chosen, key=lambda row: float(row["bound"]))
        where = f"at densities {', '.join(map(str, below))}" if below else "at no density shown"
        said.append(
            f"{method}: the certified bound lies below that of the dense network "
            f"({upper_digits(rows[0]['bound'])}) {where}; the lowest is "
            f"{upper_digits(best['bound'])} at density {best['density']}."
        )
    return said


def _table(rows: Sequence[dict[str, Any]], settings: Settings) -> Table:
    return Table(
        title=f"{len(rows)} rows, certified jointly at delta = {settings.delta}",
        columns=("mask", "density", "n", "Gibbs risk", "kl nats", "mask nats", "bound", "alone"),
        rows=tuple(
            (
                row["method"],
                row["density"],
                row["n"],
                row["risk"],
                round(float(row["kl"]), 1),
                float(row["mask"]),
                upper_digits(row["bound"]),
                upper_digits(row["alone"]),
            )
            for row in rows
        ),
    )


def _figure(rows: Sequence[dict[str, Any]]) -> "Figure":
    figure, (axes,) = panels("bound of data-free masks, prior at init")
    for place, method in enumerate(FREE):
        chosen = [row for row in rows if row["method"] in ("dense", method)]
        density = [row["density"] for row in chosen]
        axes.plot(
            density,
            [float(row["bound"]) for row in chosen],
            marker="o",
            color=COLOURS[place],
            label=f"{method}, bound",
        )
        axes.plot(
            density,
            [row["risk"] for row in chosen],
            linestyle=":",
            color=COLOURS[place],
            label=f"{method}, counted risk",
        )
    axes.set_xscale("log")
    axes.set_xlabel("density")
    axes.set_ylabel("all rows together")
    axes.legend(fontsize=7)
    return figure
