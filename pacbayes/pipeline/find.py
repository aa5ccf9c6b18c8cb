"""Finding tickets into a folder, level by level, resumable."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from math import ceil, log
from pathlib import Path
from typing import Any

from torch import nn

from pacbayes.checkpoints import read_ticket
from pacbayes.data import Data, Split, load_data, split_by_fraction
from pacbayes.data.label_noise import LabelNoise, with_label_noise
from pacbayes.errors import UsageError
from pacbayes.models import build_model, weights
from pacbayes.pipeline.controls import finished_controls, train_controls
from pacbayes.pipeline.summary import summary
from pacbayes.pruning import CONTROLS, ControlName, FindPlan, collapsed, find_tickets
from pacbayes.runtime.files import require_writable, write_json
from pacbayes.runtime.folders import ticket_exists, write_ticket
from pacbayes.runtime.progress import progress
from pacbayes.runtime.reading import read_json
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Ticket, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRequest:
    """Options of one search for tickets.

    Attributes:
        model: text that builds the network.
        data: text that names the data.
        out: folder that receives ``level_00`` and so on, and ``find.json``.
        plan: how to find.
        model_args: arguments of the network.
        data_root: folder of the data.
        download: fetch missing files of the data.
        normalize: ``none`` or ``MEAN,STD``.
        split: share of the training examples in the prior part; 0 trains on all of them.
        seed: randomness of the split, the initial weights, training and label noise.
        label_noise: share of the training examples whose labels are drawn at random, as written.
        control: also train this control of every level after 0.
        force: replace what another request left in ``out``.
        quiet: no progress.
    """

    model: str
    data: str
    out: Path
    plan: FindPlan
    model_args: dict[str, str] = field(default_factory=dict)
    data_root: Path | None = None
    download: bool = False
    normalize: str = "none"
    split: float = 0.5
    seed: int = 1
    label_noise: str | None = None
    control: ControlName | None = None
    force: bool = False
    quiet: bool = False

    @property
    def noise(self) -> LabelNoise | None:
        """The recipe of the label noise."""
        if self.label_noise is None:
            return None
        return LabelNoise(fraction=self.label_noise, seed=self.seed)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides the tickets of a level (not how many there are)."""
        plan = asdict(self.plan)
        del plan["levels"]
        facts: list[Any] = [
            self.model,
            self.model_args,
            self.data,
            self.normalize,
            self.split,
            self.seed,
        ]
        facts.append(None if self.noise is None else self.noise.to_json())
        text = json.dumps([*facts, plan], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def find(request: FindRequest) -> list[Path]:
    """Return the ticket folders of all levels, the dense network first.

    Levels that an earlier run of the same request finished are kept, so a killed run goes on.

    Raises:
        UsageError: the folder holds the tickets of another request.
        WriteError: the folder can't be written.
    """
    require_writable(request.out)
    data = load_data(
        request.data,
        root=request.data_root,
        normalize=request.normalize,
        download=request.download,
        quiet=request.quiet,
    )
    if request.noise is not None:
        data = with_label_noise(data, request.noise)
    seeds = Seeds(request.seed)
    model = _network(request, data, seed=request.seed)
    split = split_for(data, request.split, seeds)
    _require_same_request(request, data)
    done = _reusable(request, model, data)
    run_levels(
        request.out,
        model,
        data,
        split,
        plan=request.plan,
        seeds=seeds.child("find"),
        done=done,
        notes=_notes(request),
        quiet=request.quiet,
    )
    folders = [level_folder(request.out, level) for level in range(request.plan.levels + 1)]
    _train_controls(request, model, data, folders)
    controls = {name: finished_controls(name, request.out, folders[1:]) for name in CONTROLS}
    _record(
        request,
        data,
        levels=[summary(folder, model, data) for folder in folders],
        controls={
            name: [summary(folder, model, data) for folder in found]
            for name, found in controls.items()
            if found
        },
    )
    return folders


def _reusable(request: FindRequest, model: nn.Module, data: Data) -> list[Ticket]:
    """Return the finished levels, if they are of these data and these initial weights.

    The request names both by texts, whose meaning another version or another file may change.
    """
    done = finished_levels(request.out, levels=request.plan.levels, request=request.digest)
    if not done:
        return []
    initial = done[0].init or {}
    if done[0].provenance.data == data.digest and digest(initial) == digest(weights(model)):
        return done
    if request.force:
        return []
    raise UsageError(
        f"{request.out} holds tickets of other data or other initial weights under the same "
        "names; choose another --out or give --force"
    )


def _train_controls(
    request: FindRequest, model: nn.Module, data: Data, folders: list[Path]
) -> None:
    if request.control is None:
        return
    kin = Seeds(request.seed).child(f"control {request.control}")
    train_controls(
        request.control,
        request.out,
        folders[1:],
        model,
        data,
        fresh=_network(request, data, seed=kin.integer("fresh")),
        plan=request.plan,
        seeds=kin,
        quiet=request.quiet,
    )


def _network(request: FindRequest, data: Data, *, seed: int) -> nn.Module:
    return build_model(
        request.model,
        in_shape=data.shape,
        classes=data.classes,
        args=request.model_args,
        seed=seed,
    )


def split_for(data: Data, fraction: float, seeds: Seeds) -> Split:
    """Return the split into prior and certificate part; fraction 0 has no prior part."""
    total = len(data.train.labels)
    return Split.everything(total) if fraction == 0 else split_by_fraction(total, fraction, seeds)


def run_levels(
    out: Path,
    model: nn.Module,
    data: Data,
    split: Split,
    *,
    plan: FindPlan,
    seeds: Seeds,
    done: list[Ticket],
    notes: dict[str, Any],
    quiet: bool,
) -> Ticket:
    """Find the levels that are missing, write each as it is found, and return the last."""
    tickets = find_tickets(model, data, split, plan=plan, seeds=seeds, notes=notes, done=done)
    last = done[-1] if done else None
    with progress("find", plan.levels + 1, quiet=quiet) as bar:
        bar.advance(len(done))
        for last in tickets:
            write_ticket(level_folder(out, last.level), last)
            bar.advance(1, note=_one_line(last))
    if last is None:
        raise UsageError("there are no levels to find")
    return last


def level_folder(out: Path, level: int) -> Path:
    """Return the folder of one level."""
    return out / f"level_{level:02d}"


def _one_line(ticket: Ticket) -> str:
    gone = collapsed(ticket.mask)
    alarm = f", COLLAPSED {' '.join(gone)}" if gone else ""
    return f"level {ticket.level} density {ticket.mask.density:.4f}{alarm}"


def _notes(request: FindRequest) -> dict[str, Any]:
    return {
        "method": request.plan.method,
        "score": request.plan.score,
        "rewind": str(request.plan.rewind),
        "model": request.model,
        "normalize": request.normalize,
        "request": request.digest,
        "label_noise": None if request.noise is None else request.noise.to_json(),
    }


def _require_same_request(request: FindRequest, data: Data) -> None:
    record = request.out / "find.json"
    if record.exists() and not request.force and read_json(record)["request"] != request.digest:
        raise UsageError(
            f"{request.out} holds tickets of another request; choose another --out or give --force"
        )
    _record(request, data, levels=[], controls={})


def _record(
    request: FindRequest,
    data: Data,
    *,
    levels: list[dict[str, Any]],
    controls: dict[str, list[dict[str, Any]]],
) -> None:
    facts = {
        "schema": "pacbayes/find/1",
        "request": request.digest,
        "data_sha256": data.digest,
        "model": request.model,
        "data": request.data,
        "split": str(request.split),
        "seed": request.seed,
        "plan": {key: str(value) for key, value in asdict(request.plan).items()},
        "label_noise": None if request.noise is None else request.noise.to_json(),
        "levels": levels,
        "controls": controls,
    }
    write_json(request.out / "find.json", facts)


def finished_levels(out: Path, *, levels: int, request: str) -> list[Ticket]:
    """Return the tickets that an earlier run of the same request left, from level 0 on."""
    done: list[Ticket] = []
    for level in range(levels + 1):
        folder = level_folder(out, level)
        if not ticket_exists(folder):
            break
        ticket = read_ticket(folder)
        if ticket.notes.get("request") != request or ticket.level != level:
            break
        done.append(ticket)
    return done


def fresh_plan(plan: FindPlan, density: float) -> FindPlan:
    """Return the plan whose last level has the given density, in rounds of at most 20 %."""
    levels = 0 if density >= 1 else max(1, ceil(log(density) / log(0.8)))
    fraction = 0.2 if levels == 0 else 1 - density ** (1 / levels)
    return replace(plan, levels=levels, fraction=fraction)
