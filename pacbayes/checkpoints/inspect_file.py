"""Looking into any file or folder that the project knows."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pacbayes.checkpoints.contents import Contents, contents_of, read_contents
from pacbayes.checkpoints.foreign import canonical, is_running, read_foreign
from pacbayes.checkpoints.hugging_face import is_index, weights_of
from pacbayes.checkpoints.inspection import Inspection, TensorFacts
from pacbayes.checkpoints.json_text import parse_json
from pacbayes.checkpoints.large_file import inspect_large, is_large
from pacbayes.checkpoints.level import Level
from pacbayes.checkpoints.named import FLOATS
from pacbayes.checkpoints.opening import Opened, is_folder, open_file, printable
from pacbayes.checkpoints.refused import folder_refusal
from pacbayes.checkpoints.run_folder import levels_in
from pacbayes.checkpoints.ticket_folder import is_ticket_folder, read_ticket_folder
from pacbayes.errors import InputError

_KINDS = ("certificate", "posterior", "ticket", "find")
_POSTERIOR_ROLES = {"mean": "mean", "scale": "scale", "inclusion": "mask", "buffers": "buffer"}


def inspect(path: Path | str, *, key: str | None = None) -> Inspection:
    """Return what is in a checkpoint, ticket folder, posterior or certificate.

    Nothing in the file is executed and no claim in it is checked. NaN and infinite entries are
    reported in ``problems``, not raised.

    Args:
        path: file or folder.
        key: entry of a wrapped checkpoint to look at.

    Raises:
        InputError: the path cannot be read safely.
    """
    path = Path(path)
    if is_folder(path):
        return _folder(path, key)
    if is_index(path):
        return _checkpoint(read_contents(path, key=key))
    if is_large(path):
        return inspect_large(path, key=key)
    opened = open_file(path)
    if opened.data[:1] == b"{" or opened.source.endswith(".json"):
        return _document(opened)
    contents = contents_of(opened, key=key)
    if contents.metadata.get("schema", "").startswith("pacbayes/posterior/"):
        return _posterior(contents)
    return _checkpoint(contents)


def _folder(folder: Path, key: str | None) -> Inspection:
    if is_ticket_folder(folder):
        return _ticket(folder)
    levels = levels_in(folder)
    if levels:
        return _level(levels[0]) if len(levels) == 1 else _run(folder, levels)
    if weights_of(folder) is None:
        raise InputError(folder_refusal(folder))
    return _checkpoint(read_contents(folder, key=key))


def _run(folder: Path, levels: list[Level]) -> Inspection:
    """Return all levels and replicates of a run, with the density that each mask file has."""
    facts = {}
    state = hashlib.sha256(b"pacbayes/run/1\n")
    for level in levels:
        where = printable(level.folder.relative_to(folder))
        masks = {} if level.mask is None else read_foreign(level.mask).folded.tensors
        kept = sum(int(torch.count_nonzero(tensor)) for tensor in masks.values())
        total = sum(tensor.numel() for tensor in masks.values())
        density = f"density {kept / total:.4f}" if total else "no mask"
        facts[where] = f"{density}, {'init' if level.init else 'no init'}, {level.trained.name}"
        state.update(f"{where} {open_file(level.trained).sha256}\n".encode())
    replicates = {level.replicate for level in levels}
    return Inspection(
        source=printable(folder),
        kind="run",
        format=f"{levels[0].tool} run",
        sha256=state.hexdigest(),
        notes=(
            f"{len(replicates)} replicates, {len(levels)} levels; name one to certify it",
            "initial weights come from step 0 of level 0: later ones are already masked",
        ),
        facts=facts,
    )


def _level(level: Level) -> Inspection:
    trained = read_foreign(level.trained)
    groups = {
        "parameter": trained.folded.tensors,
        "mask": {} if level.mask is None else read_foreign(level.mask).folded.tensors,
        "init": {} if level.init is None else read_foreign(level.init).folded.tensors,
    }
    tensors = [
        TensorFacts.of(name, tensor, role=_role(name, tensor) if role == "parameter" else role)
        for role, tensors in groups.items()
        for name, tensor in tensors.items()
        if role != "init" or not is_running(name)
    ]
    gone = [] if level.init is not None else [str(level.notes.get("init", "initial weights"))]
    return Inspection(
        source=printable(level.folder),
        kind="checkpoint",
        format=f"{level.tool} run",
        sha256=trained.contents.sha256,
        tensors=tuple(tensors),
        missing=tuple(gone),
        notes=("provenance is unknown",),
        facts={"level": level.number, "trained": level.trained.name},
    )


def _ticket(folder: Path) -> Inspection:
    ticket = read_ticket_folder(folder)
    groups = {
        "parameter": ticket.trained,
        "init": ticket.init or {},
        "mask": ticket.mask,
        "buffer": ticket.buffers,
    }
    known = {name: getattr(ticket.provenance, name) for name in ("init", "mask", "trained")}
    return Inspection(
        source=printable(folder),
        kind="ticket",
        format="ticket folder",
        sha256=ticket.digest,
        tensors=tuple(
            TensorFacts.of(name, tensor, role=role)
            for role, tensors in groups.items()
            for name, tensor in tensors.items()
        ),
        missing=() if ticket.init is not None else ("initial weights",),
        notes=tuple(
            f"{name}: unknown provenance" if seen is None else f"{name}: saw {len(seen)} examples"
            for name, seen in known.items()
        ),
        facts={
            "level": ticket.level,
            "density": f"{ticket.mask.density:.6f}",
            **({"model": ticket.model} if ticket.model else {}),
        },
    )


def _document(opened: Opened) -> Inspection:
    document = parse_json(opened.data, source=opened.source)
    schema = document.get("schema")
    parts = schema.split("/") if isinstance(schema, str) else []
    if len(parts) != 3 or parts[0] != "pacbayes" or parts[1] not in _KINDS:
        raise InputError(f"{opened.source}: schema is {ascii(schema)[:80]}, not one of pacbayes")
    return Inspection(
        source=opened.source,
        kind=parts[1],
        format=f"JSON, {printable(schema)}",
        sha256=opened.sha256,
        notes=("run pacbayes verify to check it",) if parts[1] == "certificate" else (),
        facts=_scalars(document),
    )


def _role(name: str, tensor: Tensor) -> str:
    return "buffer" if is_running(name) or tensor.dtype not in FLOATS else "parameter"


def _scalars(document: dict[str, Any]) -> dict[str, Any]:
    """Return texts, integers and truth values at the top and one level below, by dotted name."""
    found = {}
    for name, value in document.items():
        entries = value if isinstance(value, dict) else {"": value}
        for below, entry in entries.items():
            if isinstance(entry, str | int) and name != "schema":
                found[printable(f"{name}.{below}".rstrip("."))] = entry
    return found


def _posterior(contents: Contents) -> Inspection:
    tensors = []
    for name, tensor in contents.tensors.items():
        group, _, below = name.partition("/")
        role = _POSTERIOR_ROLES.get(group)
        if role is None or not below:
            raise InputError(f"{contents.source}: {name} does not belong into a posterior")
        tensors.append(TensorFacts.of(below, tensor, role=role))
    return Inspection(
        source=contents.source,
        kind="posterior",
        format="safetensors",
        sha256=contents.sha256,
        tensors=tuple(tensors),
    )


def _checkpoint(contents: Contents) -> Inspection:
    found = canonical(contents)
    tensors = found.folded.tensors
    roles = {name: _role(name, tensor) for name, tensor in tensors.items()}
    masks = found.folded.masks
    facts = [TensorFacts.of(name, tensor, role=roles[name]) for name, tensor in tensors.items()]
    facts += [TensorFacts.of(name, tensor, role="mask") for name, tensor in masks.items()]
    notes = [*contents.notes, *found.remarks, "provenance is unknown"]
    notes += [f"{name} is tied to {stays}" for name, stays in found.aliases.items()]
    if any(is_running(name) for name in tensors):
        notes.append(
            "has running statistics of BatchNorm: certify --batchnorm prior-split, fold or charge"
        )
    zeros = [t.name for t in facts if t.role == "parameter" and len(t.shape) > 1 and t.density != 1]
    missing = ["initial weights (--init)"]
    if zeros and not masks:
        missing.append(f"mask (--mask or --mask-from-zeros): {len(zeros)} arrays have exact zeros")
    return Inspection(
        source=contents.source,
        kind="checkpoint",
        format=found.format,
        sha256=contents.sha256,
        wrapper=contents.wrapper,
        prefix=found.prefix,
        tensors=tuple(facts),
        missing=tuple(missing),
        notes=tuple(notes),
    )
