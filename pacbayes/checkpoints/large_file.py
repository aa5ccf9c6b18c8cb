"""Looking into a file that is too large to hold twice: header and one tensor at a time.

Safetensors are read tensor by tensor, values included. The tensors of a pickle come without their
values, so their shapes and types are all that is told.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

import torch

from pacbayes.checkpoints.inspection import Inspection, TensorFacts
from pacbayes.checkpoints.named import FLOATS
from pacbayes.checkpoints.opening import Opened, open_file, printable
from pacbayes.checkpoints.pickled import load_pickled
from pacbayes.checkpoints.prefixes import strip_prefix
from pacbayes.checkpoints.safetensors_file import MAX_HEADER, Entry, read_header
from pacbayes.checkpoints.wrapped import unwrap
from pacbayes.errors import InputError

LARGE = 2**30


def is_large(path: Path) -> bool:
    """Return whether a path is a regular file of more than 1 GiB; False if it cannot be told."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > LARGE


def inspect_large(path: Path, *, key: str | None = None) -> Inspection:
    """Return what is in a large file of ``torch.save`` or safetensors.

    Raises:
        InputError: the file cannot be read safely, or changed while it was read.
    """
    with _opened(path) as file:
        start = file.read(2)
    if start == b"PK":
        return _pickle(open_file(path), key)
    if key is not None:
        raise InputError(f"{printable(path)} is no file of torch.save and has no {printable(key)}")
    return _safetensors(path)


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        with open(path, "rb") as file:
            before = os.fstat(file.fileno())
            yield file
            after = os.fstat(file.fileno())
    except OSError as error:
        raise InputError(f"{printable(path)} cannot be read: {error.strerror}") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{printable(path)} changed while it was read; try again")


def _safetensors(path: Path) -> Inspection:
    source = printable(path)
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER:
            raise InputError(f"{source} is not valid safetensors: its header length does not fit")
        file.seek(0)
        entries, metadata, begin = read_header(file.read(8 + length), size=size, source=source)
        facts = [_facts(file, entry, begin) for entry in entries]
    if metadata.get("schema", "").startswith("pacbayes/posterior/"):
        raise InputError(f"{source} is a posterior of more than {LARGE} bytes, which is not shown")
    return Inspection(
        source=source,
        kind="checkpoint",
        format="safetensors",
        sha256=sha256,
        tensors=tuple(facts),
        missing=("initial weights (--init)",),
        notes=("names are shown as they are in the file", "provenance is unknown"),
    )


def _facts(file: BufferedReader, entry: Entry, begin: int) -> TensorFacts:
    """Return the facts of one tensor; only its own bytes are held."""
    data = bytearray(entry.end - entry.begin)
    file.seek(begin + entry.begin)
    file.readinto(data)
    tensor = torch.frombuffer(data, dtype=entry.dtype).reshape(entry.shape)
    return TensorFacts.of(entry.name, tensor, role=_role(entry.dtype))


def _pickle(opened: Opened, key: str | None) -> Inspection:
    value = load_pickled(opened, values=False)
    tensors, wrapper, notes = unwrap(value, key=key, source=opened.source, values=False)
    plain, prefix = strip_prefix(tensors)
    facts = [
        TensorFacts(
            name=name,
            role=_role(tensor.dtype),
            shape=tuple(tensor.shape),
            dtype=str(tensor.dtype).removeprefix("torch."),
            density=None,
        )
        for name, tensor in plain.items()
    ]
    return Inspection(
        source=opened.source,
        kind="checkpoint",
        format="wrapped state dict" if wrapper else "state dict",
        sha256=opened.sha256,
        wrapper=wrapper,
        prefix=prefix,
        tensors=tuple(facts),
        missing=("initial weights (--init)",),
        notes=(*notes, f"more than {LARGE} bytes: no values were read", "provenance is unknown"),
    )


def _role(dtype: torch.dtype) -> str:
    return "parameter" if dtype in FLOATS else "buffer"
