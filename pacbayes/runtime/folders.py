"""Ticket folders: safetensors files, and a record of them that is written last."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacbayes.errors import WriteError
from pacbayes.runtime.files import require_writable, sha256_file, write_json, write_tensors

if TYPE_CHECKING:
    from pacbayes.tickets import Provenance, Ticket

RECORD = "ticket.json"
SCHEMA = "pacbayes/ticket/1"
INGREDIENTS = ("init", "mask", "trained", "buffers")


def ticket_exists(folder: Path | str) -> bool:
    """Return whether a whole ticket was written to the folder."""
    return (Path(folder) / RECORD).is_file()


def write_ticket(folder: Path | str, ticket: "Ticket") -> None:
    """Write a ticket to a folder of its own, which is made if needed.

    Leaves ``init``, ``mask``, ``trained`` and ``buffers`` ``.safetensors`` (init and buffers only
    where the ticket has them) and ``ticket.json``, which names their SHA-256. The record of an
    earlier ticket is removed first and the new one written last, so a folder with a record is
    whole.

    Raises:
        WriteError: a file can't be written.
    """
    folder = Path(folder)
    require_writable(folder)
    _remove(folder / RECORD)
    parts = {
        "init": ticket.init,
        "mask": dict(ticket.mask),
        "trained": ticket.trained,
        "buffers": ticket.buffers or None,
    }
    digests = {}
    for name, tensors in parts.items():
        path = folder / f"{name}.safetensors"
        if tensors is None:
            _remove(path)
        else:
            write_tensors(path, tensors, {"schema": f"{SCHEMA}/{name}"})
            digests[path.name] = sha256_file(path)
    record = {
        "schema": SCHEMA,
        "digest": ticket.digest,
        "files": digests,
        "level": ticket.level,
        "dense": ticket.dense,
        "model": ticket.model,
        "notes": ticket.notes,
        "provenance": _provenance(ticket.provenance),
    }
    write_json(folder / RECORD, record)


def _provenance(provenance: "Provenance") -> dict[str, Any]:
    seen = {name: getattr(provenance, name) for name in INGREDIENTS}
    return {
        "data": provenance.data,
        **{name: None if known is None else known.to_json() for name, known in seen.items()},
    }


def _remove(path: Path) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WriteError(f"{path}: can't be removed: {error.strerror or error}") from error
