"""Opening a foreign file: regular files only, read once, hashed from the bytes that are used."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pacbayes.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The bytes of one file, with the digest of exactly these bytes.

    Attributes:
        source: the path in printable form, for messages.
        data: everything in the file.
        sha256: hexadecimal SHA-256 of ``data``.
    """

    source: str
    data: bytes
    sha256: str


def printable(text: object) -> str:
    """Return the text for a one-line message: escaped where a terminal could be misled by it."""
    plain = str(text)
    return plain if plain.isascii() and plain.isprintable() else ascii(plain)


def first_line(error: BaseException, *, limit: int = 160) -> str:
    """Return the first line of a library's message, printable and cut to ``limit`` characters."""
    lines = str(error).strip().splitlines()
    return printable(lines[0][:limit]) if lines else type(error).__name__


def open_file(path: Path) -> Opened:
    """Return the contents of a regular file; a FIFO, a device or a folder is refused at once.

    The descriptor is opened once and read once, so the digest and everything that is parsed later
    belong to the same bytes even if somebody replaces the file meanwhile.

    Raises:
        InputError: the path is missing, unreadable, no regular file, or changed while being read.
    """
    source = printable(path)
    try:
        # Without O_NONBLOCK, opening a FIFO waits for a writer that may never come.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise InputError(f"{source} cannot be read: {_reason(error)}") from error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise InputError(f"{source} is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(before.st_size + 1)
        after = os.fstat(descriptor)
    except (OSError, MemoryError, OverflowError) as error:
        raise InputError(f"{source} cannot be read: {_reason(error)}") from error
    finally:
        os.close(descriptor)
    if len(data) != before.st_size or before.st_mtime_ns != after.st_mtime_ns:
        raise InputError(f"{source} changed while it was read; try again when nobody writes to it")
    return Opened(source=source, data=data, sha256=hashlib.sha256(data).hexdigest())


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder; False for a path that no file can have."""
    return os.path.isdir(path)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "not enough memory" if isinstance(error, MemoryError) else first_line(error)
