"""Recipes for the tightest certificates: one per record, each from nothing to its JSON.

All hold at delta = 0.05 in all, every choice paid: scales by their grid, the network, mask and step
sizes that were compared on the way by ``ln 1000`` (``--priors-tried 1000``; about a hundred were).
A recipe is the commands ``find`` and ``certify`` with their options, so each can be typed as well.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pacbayes.data import load_data
from pacbayes.errors import UsageError
from pacbayes.models import build_model
from pacbayes.pipeline import Certified, CertifyRequest, FindRequest, certify, find
from pacbayes.pipeline.find import level_folder, split_for
from pacbayes.pruning import FindPlan, TrainPlan
from pacbayes.runtime.folders import ticket_exists, write_ticket
from pacbayes.runtime.seeds import Seeds
from pacbayes.studies.augmented import AugmentedPlan, sparse_ticket

TRIED: Final = 1000
CIFAR10: Final = "cifar10-jpeg"
"""Folder below the data root, with ``train`` and ``test`` and one folder per class in each."""
COLOURED: Final = {
    "channels": "3",
    "side": "32",
    "orientations": "4",
    "blur": "2.5",
    "decay": "3",
    "straighten": "false",
    "colours": "true",
}
ORIENTED: Final = "pacbayes.models.oriented:network"
CONVOLUTIONS: Final = "pacbayes.models.convnet:network"
WIDER: Final = {"widths": "48-96-192", "hidden": "192"}
COLOURS: Final = "pacbayes.models.colours:network"
COMPARED: Final = (
    "about 100 networks, masks and step sizes were compared on these examples, one after another; "
    "paid for as 1000 priors"
)
COMPARED_ON_SPLIT: Final = (
    "about ten networks and schedules were compared on the prior part and on these examples; "
    "paid for as 1000 priors"
)
COMPARED_ON_PRIOR_PART: Final = (
    "networks and schedules were compared on the prior part, some earlier ones on these examples; "
    "paid for as 1000 priors"
)


EARLIER: Final = (
    "other certificates on these examples hold at a delta of their own each; those that were "
    "compared for this one are among the 1000"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRequest:
    """Options of a run of recipes.

    Attributes:
        out: folder for tickets, finished stages and certificates, one folder per record.
        data_root: folder of the data.
        quick: few epochs and draws, the same conditions; the numbers are looser.
        quiet: no progress on stderr.
    """

    out: Path
    data_root: Path | None = None
    quick: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One record.

    Attributes:
        line: what it shows.
        files: names of its certificates, by the name that the pipeline gives them.
        make: does the work; resumable.
    """

    line: str
    files: dict[str, str]
    make: Callable[[RecordRequest, Path], list[Certified]]


def run_records(request: RecordRequest, *, only: tuple[str, ...] = ()) -> list[Path]:
    """Return the certificates of all records, or of some; finished stages are not done again.

    Raises:
        UsageError: there is no record of that name.
    """
    unknown = [name for name in only if name not in RECORDS]
    if unknown:
        raise UsageError(f"there is no record {unknown[0]!r}; there are {', '.join(RECORDS)}")
    found = []
    for name in only or RECORDS:
        recipe, folder = RECORDS[name], request.out / name
        made = {item.path.name: item.path for item in recipe.make(request, folder)}
        for source, target in recipe.files.items():
            found.append(request.out / f"{target}.json")
            shutil.copyfile(made[source], found[-1])
    return found


def _certify(
    request: RecordRequest, *, compared: str = COMPARED, **options: Any
) -> list[Certified]:
    defaults: dict[str, Any] = {
        "data": "mnist",
        "data_root": request.data_root,
        "quiet": request.quiet,
        "priors_tried": TRIED,
        "declare": {"V11": compared, "V16": EARLIER},
    }
    wanted = CertifyRequest(**(defaults | options))
    if request.quick:
        epochs = 2 if wanted.epochs is None else min(wanted.epochs, 2)
        wanted = replace(wanted, epochs=epochs, draws=None if wanted.draws is None else 1)
    return certify(wanted)


def _find(
    request: RecordRequest,
    out: Path,
    plan: FindPlan,
    args: dict[str, str],
    *,
    data: str = "mnist",
) -> None:
    find(
        FindRequest(
            model=ORIENTED,
            model_args=args,
            data=data,
            data_root=request.data_root,
            out=out,
            plan=plan,
            split=0,
            quiet=request.quiet,
        )
    )


def _at_init(request: RecordRequest, folder: Path) -> list[Certified]:
    """A mask by initial magnitude, 15 % kept, and the dense twin; nothing is set aside."""
    plan = FindPlan(
        train=TrainPlan(epochs=0, lr=0.1, weight_decay=5e-4),
        levels=1,
        densities=(0.15,),
        method="magnitude-init",
    )
    _find(request, folder / "tickets", plan, {})
    return _certify(
        request,
        path=level_folder(folder / "tickets", 1),
        out=folder / "certify",
        model=ORIENTED,
        prior="init",
        dense=True,
        objective="catoni",
        epochs=25,
        lr=2e-3,
        draws=40,
        name="records/mnist-init",
    )


def _cifar10_data(request: RecordRequest) -> str:
    if request.data_root is None:
        raise UsageError(f"the records of CIFAR-10 need --data-root with a folder {CIFAR10}")
    return f"imagefolder:{request.data_root / CIFAR10}"


def _cifar10(request: RecordRequest, folder: Path) -> list[Certified]:
    """A mask by initial magnitude, 8 % kept, on the 50,000 JPEG files; nothing is set aside."""
    data = _cifar10_data(request)
    plan = FindPlan(
        train=TrainPlan(epochs=0, lr=0.1, weight_decay=5e-4),
        levels=1,
        densities=(0.08,),
        method="magnitude-init",
    )
    _find(request, folder / "tickets", plan, COLOURED, data=data)
    return _certify(
        request,
        data=data,
        path=level_folder(folder / "tickets", 1),
        out=folder / "certify",
        model=ORIENTED,
        model_args=COLOURED,
        prior="init",
        objective="catoni",
        epochs=20,
        lr=4e-3,
        draws=20,
        name="records/cifar10-init",
    )


def _pruned_on_everything(request: RecordRequest, folder: Path) -> Path:
    """Tickets by iterative magnitude pruning on all examples: 50, 25 and 10 % kept."""
    plan = FindPlan(
        train=TrainPlan(epochs=1, lr=2e-3, optimizer="adam"),
        levels=3,
        densities=(0.5, 0.25, 0.1),
    )
    _find(request, folder / "tickets", plan, {"step": "4"})
    return folder / "tickets"


def _hard_mask(request: RecordRequest, folder: Path) -> list[Certified]:
    tickets = _pruned_on_everything(request, folder)
    return _certify(
        request,
        path=level_folder(tickets, 3),
        out=folder / "certify",
        model=ORIENTED,
        model_args={"step": "4"},
        prior="init",
        all_data=True,
        objective="catoni",
        epochs=20,
        lr=2e-3,
        draws=20,
        name="records/mnist-hard-mask",
    )


def _code(request: RecordRequest, folder: Path) -> list[Certified]:
    tickets = _pruned_on_everything(request, folder)
    return _certify(
        request,
        path=level_folder(tickets, 2),
        out=folder / "certify",
        model=ORIENTED,
        model_args={"step": "4"},
        bound="occam",
        code_levels=1,
        epochs=8,
        lr=2e-3,
        name="records/mnist-code",
    )


def _augmented(
    request: RecordRequest,
    folder: Path,
    *,
    data: str = "mnist",
    model: str = CONVOLUTIONS,
    args: dict[str, str] | None = None,
    prior_part: float,
    plan: AugmentedPlan,
) -> Path:
    """Return the folder of a ticket trained and pruned on a prior part, found if need be."""
    place = level_folder(folder / "tickets", 1)
    if ticket_exists(place):
        return place
    read = load_data(data, root=request.data_root, quiet=request.quiet)
    if request.quick:
        plan = replace(plan, epochs=2, tuning=min(plan.tuning, 1))
    (folder / "tickets").mkdir(parents=True, exist_ok=True)
    ticket = sparse_ticket(
        build_model(model, in_shape=read.shape, classes=read.classes, args=args, seed=1),
        read,
        split_for(read, prior_part, Seeds(1)),
        plan=plan,
        seeds=Seeds(1),
        journal=folder / "tickets" / "training.safetensors",
        quiet=request.quiet,
    )
    write_ticket(place, ticket)
    return place


def _split_ticket(request: RecordRequest, folder: Path) -> Path:
    """A convolutional network trained and pruned to 5 % on 36,000 of the 60,000 examples."""
    plan = AugmentedPlan(epochs=24, tuning=8, bfloat16=True)
    return _augmented(request, folder, args=WIDER, prior_part=0.6, plan=plan)


def _split(request: RecordRequest, folder: Path) -> list[Certified]:
    return _certify(
        request,
        path=_split_ticket(request, folder),
        out=folder / "certify",
        model=CONVOLUTIONS,
        model_args=WIDER,
        prior="split",
        epochs=0,
        draws=12,
        compared=COMPARED_ON_SPLIT,
        name="records/mnist-split",
    )


def _split_one(request: RecordRequest, folder: Path) -> list[Certified]:
    return _certify(
        request,
        path=_split_ticket(request, folder.parent / "mnist-split"),
        out=folder / "certify",
        model=CONVOLUTIONS,
        model_args=WIDER,
        prior="split",
        bound="disintegrated",
        epochs=0,
        compared=COMPARED_ON_SPLIT,
        name="records/mnist-split-one",
    )


def _cifar10_split(request: RecordRequest, folder: Path) -> list[Certified]:
    """A network trained and pruned to 10 % on 40,000 of the 50,000 JPEG files."""
    data = _cifar10_data(request)
    plan = AugmentedPlan(
        density=0.0999,
        epochs=28,
        tuning=0,
        lr=0.25,
        batch_size=256,
        smoothing=0.2,
        weight_decay=1e-3,
        averaging=0.98,
        distortion="shifted",
        bfloat16=True,
    )
    ticket = _augmented(request, folder, data=data, model=COLOURS, prior_part=0.8, plan=plan)
    return _certify(
        request,
        data=data,
        path=ticket,
        out=folder / "certify",
        model=COLOURS,
        prior="split",
        prior_scale=0.002,
        epochs=0,
        draws=2,
        compared=COMPARED_ON_PRIOR_PART,
        name="records/cifar10-split",
    )


ONE: Final = "certificate.json"
RECORDS: Final[dict[str, Recipe]] = {
    "mnist-init": Recipe(
        line="MNIST, nothing set aside, prior at init: 85 % sparse and its dense twin",
        files={ONE: "mnist-init-sparse", "dense.certificate.json": "mnist-init-dense"},
        make=_at_init,
    ),
    "mnist-hard-mask": Recipe(
        line="MNIST, a mask found on all examples and fully paid, 90 % removed",
        files={ONE: "mnist-hard-mask"},
        make=_hard_mask,
    ),
    "mnist-code": Recipe(
        line="MNIST, one network, written down in a few hundred bytes",
        files={ONE: "mnist-code"},
        make=_code,
    ),
    "cifar10-init": Recipe(
        line="CIFAR-10 as JPEG, nothing set aside, prior at init: 92 % sparse",
        files={ONE: "cifar10-init"},
        make=_cifar10,
    ),
    "cifar10-split": Recipe(
        line="CIFAR-10 as JPEG, prior from 40,000 examples, 90 % sparse",
        files={ONE: "cifar10-split"},
        make=_cifar10_split,
    ),
    "mnist-split": Recipe(
        line="MNIST, prior from 36,000 examples, 95 % sparse, the randomised classifier",
        files={ONE: "mnist-split"},
        make=_split,
    ),
    "mnist-split-one": Recipe(
        line="MNIST, the same, one network drawn once",
        files={ONE: "mnist-split-one"},
        make=_split_one,
    ),
}
