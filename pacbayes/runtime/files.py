"""Files written whole or not at all.

Every file is written to a temporary neighbour, flushed to the disk, moved over its name, and the
folder is flushed too: a reader sees the old file or the new one, whenever the process dies.
"""

import json
import os
import secrets
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacbayes.errors import UsageError, WriteError
from pacbayes.runtime.processes import is_first
from pacbayes.runtime.reading import open_regular, read_bytes, read_json, sha256_file

if TYPE_CHECKING:
    from torch import Tensor

if sys.platform != "win32":
    import fcntl

__all__ = [
    "TEMP_SUFFIX",
    "open_regular",
    "read_bytes",
    "read_json",
    "require_writable",
    "sha256_file",
    "to_json",
    "write_bytes",
    "write_json",
    "write_tensors",
    "write_text",
]

TEMP_SUFFIX = ".pacbayes-tmp"


def write_bytes(path: Path | str, data: bytes, *, every_process: bool = False) -> None:
    """Write a file atomically and durably, replacing what was there.

    What a killed writer of the same output left behind is removed first. Of several writers at
    once, one wins whole. Where several processes do one job, the first alone writes.

    Args:
        path: file to write.
        data: its contents.
        every_process: the file belongs to this process alone, so write it in any case.

    Raises:
        WriteError: the file can't be written (disk full, read-only, no such folder), or its name
            belongs to a symbolic link or to something that is not a regular file. The old file is
            intact and no temporary file remains.
    """
    if not every_process and not is_first():
        return
    path = Path(path)
    try:
        _require_replaceable(path)
        _remove_leftovers(path)
        _replace(path, data)
    except OSError as error:
        raise WriteError(f"{path}: can't be written: {error.strerror or error}") from error


def write_text(path: Path | str, text: str) -> None:
    """Write text in UTF-8, as :func:`write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def to_json(value: Any) -> str:
    r"""Return canonical JSON: sorted keys, two-space indent, final newline.

    Raises:
        UsageError: the value holds NaN, an infinity or something that JSON has no form for.

    Example:
        >>> to_json({"b": 1, "a": []})
        '{\n  "a": [],\n  "b": 1\n}\n'
    """
    try:
        return json.dumps(value, sort_keys=True, indent=2, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise UsageError(f"value has no form in JSON: {error}") from error


def write_json(path: Path | str, value: Any, *, every_process: bool = False) -> None:
    """Write canonical JSON (:func:`to_json`), as :func:`write_bytes` does."""
    write_bytes(path, to_json(value).encode("utf-8"), every_process=every_process)


def write_tensors(
    path: Path | str, tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named tensors in the safetensors format, as :func:`write_bytes` does.

    The bytes depend on names and contents only, not on the order of the names, on strides or on
    memory that tensors share.

    Args:
        path: file to write.
        tensors: by name, on any device.
        metadata: texts for the header.
    """
    import torch
    from safetensors.torch import save

    plain = {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    write_bytes(path, _in_order(save(plain, metadata=dict(metadata or {}) or None)))


def _in_order(data: bytes) -> bytes:
    """Return a safetensors file with sorted keys; the library's order of metadata is random."""
    end = 8 + int.from_bytes(data[:8], "little")
    text = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + data[end:]


def require_writable(folder: Path | str) -> None:
    """Make a folder, with its parents, and prove that a file can be written there.

    For use before expensive work.

    Raises:
        WriteError: the folder can't be made or can't be written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / "probe"
        temp, descriptor = _open_temp(probe)
        try:
            os.write(descriptor, b"probe")
        finally:
            os.close(descriptor)
            temp.unlink(missing_ok=True)
        _remove_leftovers(probe)
    except OSError as error:
        raise WriteError(f"{folder}: can't be written to: {error.strerror or error}") from error


def _require_replaceable(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise WriteError(f"{path}: is a symbolic link; remove it or name the file it points to")
    if not stat.S_ISREG(mode):
        raise WriteError(f"{path}: exists and is not a regular file")


def _replace(path: Path, data: bytes) -> None:
    temp, descriptor = _open_temp(path)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if sys.platform != "win32":  # elsewhere the lock is held until the name has changed
                os.replace(temp, path)
        if sys.platform == "win32":  # where an open file can't be renamed
            os.replace(temp, path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _open_temp(path: Path) -> tuple[Path, int]:
    """Return a fresh temporary neighbour, locked so that nobody takes it for a leftover."""
    while True:
        temp = path.with_name(f".{path.name}.{secrets.token_hex(8)}{TEMP_SUFFIX}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(temp, flags, 0o666)
        _lock(descriptor, wait=True)
        if os.fstat(descriptor).st_nlink:
            return temp, descriptor
        os.close(descriptor)  # another writer cleaned it up before the lock was ours


def _remove_leftovers(path: Path) -> None:
    start = f".{path.name}."
    for entry in os.scandir(path.parent):
        token = entry.name.removeprefix(start).removesuffix(TEMP_SUFFIX)
        if entry.name == f"{start}{token}{TEMP_SUFFIX}" and "." not in token:
            _remove_if_abandoned(path.with_name(entry.name))


def _remove_if_abandoned(temp: Path) -> None:
    try:
        descriptor = os.open(temp, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return  # finished, or not ours
    try:
        if _lock(descriptor, wait=False):
            temp.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Return whether the lock was taken; the system drops it when its process dies."""
    if sys.platform == "win32":
        return True  # an open file can't be removed there
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False  # held by a living writer, or a file system without locks: leave it
    return True


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
