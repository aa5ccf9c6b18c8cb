"""Our own ticket folders: four tensor files and ``ticket.json``, which names their digests."""

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from pacbayes.checkpoints.json_text import parse_json
from pacbayes.checkpoints.named import require_flat
from pacbayes.checkpoints.opening import open_file, printable
from pacbayes.checkpoints.safetensors_file import load_safetensors
from pacbayes.errors import InputError, UsageError
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket

RECORD = "ticket.json"
SCHEMA = "pacbayes/ticket/1"
_PARTS = ("init", "mask", "trained", "buffers")
_REQUIRED = ("mask.safetensors", "trained.safetensors")
_FIELDS = {"schema", "files", "digest", "level", "dense", "model", "notes", "provenance"}


def is_ticket_folder(path: Path) -> bool:
    """Return whether a folder holds a finished ticket of ours."""
    return os.path.isfile(path / RECORD)


def read_ticket_folder(folder: Path) -> Ticket:
    """Return the ticket in a folder, having compared every file with its recorded digest.

    Raises:
        InputError: a file is missing, malformed or changed, or the record does not fit the files.
    """
    source = printable(folder / RECORD)
    record = parse_json(open_file(folder / RECORD).data, source=source)
    _require_record(record, source)
    parts = {part: _part(folder, part, record["files"]) for part in _PARTS}
    try:
        ticket = Ticket(
            init=parts["init"],
            mask=Mask(parts["mask"] or {}),
            trained=parts["trained"] or {},
            buffers=parts["buffers"] or {},
            provenance=_provenance(record["provenance"], source),
            model=record["model"],
            level=record["level"],
            dense=record["dense"],
            notes=record["notes"],
        )
    except (InputError, UsageError) as error:
        raise InputError(f"{printable(folder)}: {error}") from error
    if ticket.digest != record["digest"]:
        raise InputError(f"{source}: digest does not fit the tensors")
    return ticket


def _require_record(record: dict[str, Any], source: str) -> None:
    if record.get("schema") != SCHEMA:
        found = ascii(record.get("schema"))[:80]
        raise InputError(f"{source}: schema is {found}, expected {SCHEMA!r}")
    if set(record) != _FIELDS:
        odd = ", ".join(ascii(key)[1:81] for key in sorted(set(record) ^ _FIELDS))
        raise InputError(f"{source}: fields missing or unknown: {odd}")
    files, texts = record["files"], (record["dense"], record["model"])
    if not isinstance(files, dict) or not all(isinstance(v, str) for v in files.values()):
        raise InputError(f"{source}: files must map names to SHA-256 digests")
    unknown = set(files) - {f"{part}.safetensors" for part in _PARTS}
    if unknown or not set(_REQUIRED) <= set(files):
        raise InputError(f"{source}: files must name {' and '.join(_REQUIRED)}")
    if type(record["level"]) is not int or record["level"] < 0:
        raise InputError(f"{source}: level must be a count of pruning rounds")
    if not all(text is None or isinstance(text, str) for text in texts):
        raise InputError(f"{source}: dense and model must be texts or null")
    if not isinstance(record["notes"], dict) or not isinstance(record["provenance"], dict):
        raise InputError(f"{source}: notes and provenance must be objects")


def _part(folder: Path, part: str, files: dict[str, str]) -> dict[str, Tensor] | None:
    name = f"{part}.safetensors"
    if name not in files:
        return None
    opened = open_file(folder / name)
    if opened.sha256 != files[name]:
        raise InputError(f"{opened.source} has changed since {RECORD} was written")
    tensors, _ = load_safetensors(opened)
    return require_flat(tensors, source=opened.source)


def _provenance(value: dict[str, Any], source: str) -> Provenance:
    unknown = set(value) - {"data", *_PARTS}
    if unknown or not isinstance(value.get("data"), str | None):
        raise InputError(f"{source}: provenance is malformed")
    seen = {
        part: None if value.get(part) is None else IndexSet.from_json(value[part])
        for part in _PARTS
    }
    return Provenance(data=value.get("data"), **seen)
