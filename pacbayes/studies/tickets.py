"""Every way of finding a ticket, certified in one joint table: what each mask costs and is worth.

No paper's claim is judged here: the table answers which tickets can be certified, and how well, at
equal sparsity and from the same examples.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pacbayes.certificate import compare
from pacbayes.certificate.table import upper_digits
from pacbayes.errors import PacBayesError
from pacbayes.pipeline import CertifyRequest, FindRequest, certify, find
from pacbayes.pruning import FindPlan, TrainPlan
from pacbayes.pruning.plan import AFTER_TRAINING, METHODS, Method
from pacbayes.pruning.scores import SCORES, ScoreName
from pacbayes.runtime.reading import read_json
from pacbayes.studies.figure import COLOURS, panels
from pacbayes.studies.report import Cell, Report, Table
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.steps import steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ABOUT: Final = "No paper: the methods and scores of this package, side by side."


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides the study.

    Attributes:
        model: the network.
        data: the data.
        densities: of the tickets, falling.
        epochs: of training at every level.
        draws: weight draws per example.
        delta: failure probability of all rows together.
        seed: of everything.
    """

    model: str = "lenet300"
    data: str = "mnist"
    densities: tuple[float, ...] = (0.2, 0.1, 0.05)
    epochs: int = 2
    draws: int = 2
    delta: str = "0.05"
    seed: int = 1


SETTINGS: Final = {
    "quick": Settings(model="mlp:64-100-10", data="digits", epochs=4, draws=20),
    "long": Settings(),
    "full": Settings(epochs=4, draws=10),
}

WAYS: Final[tuple[tuple[Method, ScoreName], ...]] = (
    *((method, "magnitude") for method in METHODS),
    *(("iterative", score) for score in SCORES if score != "magnitude"),
)
"""Every method with its default score, and the iterative one with every other."""


def study(request: StudyRequest, settings: Settings | None = None) -> "tuple[Report, Figure]":
    """Return the report and the figure of the study.

    Args:
        request: where, and at which size.
        settings: instead of those of the size, for tests.
    """
    settings = settings or SETTINGS[request.size]
    with steps(request, settings, study="tickets", total=len(WAYS)) as todo:
        found: list[dict[str, Any]] = []
        for way in WAYS:
            found += todo.run("_".join(way), partial(_of_way, request, settings, *way))
    rows = joint(found, request.work)
    report = Report(
        study="tickets",
        paper=ABOUT,
        size=request.size,
        claims=(),
        measurements=(),
        settings=asdict(settings),
        tables=(_table(rows, settings),),
        remarks=REMARKS,
        seconds=todo.seconds,
        processor=todo.processor,
        tickets=tuple(rows),
    )
    return report, _figure(rows)


REMARKS: Final = (
    "Every mask and every prior was made from the prior part (half of the training examples) or "
    "from no data, so masks cost nothing; the price column says what the same positions would "
    "cost had they been chosen on the certified examples.",
    "delta is shared: each certified row is re-evaluated from its own evidence at delta over the "
    "number of certified rows, so all of them hold together.",
    "The test error is that of the trained ticket itself on the test examples, an estimate; the "
    "bound speaks of the randomised classifier around it.",
    "Training is short and the same for all methods, so figures say how methods compare under "
    "equal, small means, not how good each can become.",
)


def _of_way(
    request: StudyRequest, settings: Settings, method: Method, score: ScoreName
) -> list[dict[str, Any]]:
    """Find the tickets of one method and certify each; a refusal is a row with its reason."""
    run = request.work / f"{method}_{score}"
    plan = FindPlan(
        train=TrainPlan(epochs=settings.epochs, lr=0.1, batch_size=64, weight_decay=5e-4),
        levels=len(settings.densities),
        densities=settings.densities,
        method=method,
        score=score,
    )
    folders = find(
        FindRequest(
            model=settings.model,
            data=settings.data,
            data_root=request.data_root,
            out=run,
            plan=plan,
            seed=settings.seed,
            quiet=True,
        )
    )
    levels = read_json(run / "find.json")["levels"]
    return [
        {
            "method": method,
            "score": score,
            "sparsity": 1 - level["kept"] / level["prunable"],
            "collapsed": " ".join(level["collapsed"]),
            "test": level["test"],
            **_certified(request, settings, folder),
        }
        for folder, level in zip(folders[1:], levels[1:], strict=True)
    ]


def _certified(request: StudyRequest, settings: Settings, ticket: Path) -> dict[str, Any]:
    """Certify a ticket around the prior that was found on the prior part, without moving it."""
    out = ticket.parent / f"certified_{ticket.name}"
    options = CertifyRequest(
        path=ticket,
        model=settings.model,
        data=settings.data,
        data_root=request.data_root,
        out=out,
        prior="split",
        epochs=0,
        draws=settings.draws,
        delta=settings.delta,
        seed=settings.seed,
        quiet=True,
    )
    try:
        (found,) = certify(options)
    except PacBayesError as error:
        return {"certificate": None, "refused": str(error).splitlines()[0]}
    return {"certificate": str(found.path.relative_to(request.work)), "refused": None}


def joint(found: Sequence[dict[str, Any]], work: Path) -> list[dict[str, Any]]:
    """Return the rows with their bounds at delta over the number of certified rows."""
    certified = [row for row in found if row["certificate"] is not None]
    table = compare([work / row["certificate"] for row in certified]) if certified else None
    bounds = iter(table.rows if table else ())
    rows = []
    for row in found:
        if row["certificate"] is None:
            rows.append({**row, "bound": None, "paid": None, "price": None, "risk": None})
            continue
        entry = next(bounds)
        rows.append(
            {
                **row,
                "bound": entry.bound,
                "paid": entry.kl_mask,
                "price": entry.mask_price,
                "risk": entry.errors / entry.trials,
            }
        )
    return rows


def _table(rows: Sequence[dict[str, Any]], settings: Settings) -> Table:
    columns = (
        "method",
        "score",
        "sparsity",
        "test error",
        "mask nats paid",
        "price of the mask",
        "Gibbs risk",
        "Gibbs bound",
        "remark",
    )
    count = sum(row["certificate"] is not None for row in rows)
    title = f"{len(rows)} tickets, {count} certified jointly at delta = {settings.delta}"
    return Table(title=title, columns=columns, rows=tuple(_cells(row) for row in rows))


def _cells(row: dict[str, Any]) -> tuple[Cell, ...]:
    test = row["test"]
    bound = row["bound"]
    remark = row["refused"] or (
        f"nothing is left of {row['collapsed']}" if row["collapsed"] else ""
    )
    return (
        row["method"],
        row["score"] if row["method"] in AFTER_TRAINING else None,
        round(row["sparsity"], 4),
        None if test is None else round(test["errors"] / test["n"], 4),
        None if bound is None else float(row["paid"]),
        None if row["price"] is None else round(float(row["price"])),
        row["risk"],
        None if bound is None else upper_digits(bound),
        remark,
    )


def _figure(rows: Sequence[dict[str, Any]]) -> "Figure":
    figure, (axes,) = panels("certified bound of each ticket")
    names = sorted({(row["method"], row["score"]) for row in rows})
    for place, name in enumerate(names):
        chosen = [r for r in rows if (r["method"], r["score"]) == name and r["bound"] is not None]
        axes.plot(
            [row["sparsity"] for row in chosen],
            [float(row["bound"]) for row in chosen],
            marker="osv^"[place // len(COLOURS)],
            color=COLOURS[place % len(COLOURS)],
            label=" ".join(name) if name[0] in AFTER_TRAINING else name[0],
            linewidth=1,
        )
    axes.set_xlabel("sparsity")
    axes.set_ylabel("bound, all together")
    axes.set_yscale("log")
    axes.legend(fontsize=5, ncols=2)
    return figure
