"""Strict reading: regular files only, read whole from one descriptor, JSON without surprises."""

import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

from pacbayes.errors import InputError

JSON_LIMIT = 16 * 2**20
JSON_DEPTH = 32


@contextmanager
def open_regular(path: Path | str) -> Iterator[BufferedReader]:
    """Open a regular file for reading; symbolic links are followed.

    Pipes, devices and folders are refused without waiting for them, and a file that grew, shrank
    or was rewritten while it was open is refused when it is closed.

    Raises:
        InputError: the file is missing, unreadable, not regular, or changed while it was read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe that nobody writes to hangs forever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: can't be read: {_reason(error)}") from error
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        os.close(descriptor)
        raise InputError(f"{path}: is not a regular file")
    with open(descriptor, "rb") as file:
        try:
            yield file
        except OSError as error:
            raise InputError(f"{path}: can't be read: {_reason(error)}") from error
        after = os.fstat(descriptor)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InputError(f"{path}: changed while it was read; try again")


def read_bytes(path: Path | str, *, limit: int | None = None) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: file to read.
        limit: largest size in bytes that is accepted; ``None`` accepts any.

    Raises:
        InputError: as :func:`open_regular`, or the file is larger than ``limit``.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if limit is not None and size > limit:
            raise InputError(f"{path}: has {size} bytes, at most {limit} are accepted")
        return file.read()


def sha256_file(path: Path | str) -> str:
    """Return the SHA-256 of the bytes of a regular file, in lower-case hex.

    Raises:
        InputError: as :func:`open_regular`.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path | str) -> dict[str, Any]:
    """Return the object in a JSON file, read strictly.

    Refused besides what JSON forbids: duplicate keys, NaN and infinities (also written as
    ``1e400``), a byte order mark, lone surrogates, anything but an object at the top, nesting
    deeper than 32, more than 16 MiB.

    Raises:
        InputError: one line naming the file and what is wrong.
    """
    data = read_bytes(path, limit=JSON_LIMIT)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        _require_tame(value)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not strict JSON: {ascii(str(error))[1:-1]}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: must hold a JSON object, got {type(value).__name__}")
    return value


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"duplicate key {repeated}")
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} overflows")
    return number


def _require_tame(value: Any) -> None:
    level, depth = [value], 0
    while level:
        if depth > JSON_DEPTH:
            raise ValueError(f"nested deeper than {JSON_DEPTH}")
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                item.encode("utf-8")  # a lone surrogate raises
            elif isinstance(item, dict):
                below.extend(item.keys())
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level, depth = below, depth + 1
