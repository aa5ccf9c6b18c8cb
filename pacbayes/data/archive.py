"""NumPy archives, opened without pickle and without trusting what they declare."""

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy

from pacbayes.errors import InputError
from pacbayes.runtime.reading import open_regular

MAX_RATIO: Final = 200
SLACK: Final = 2**20
HEADERS: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(path: Path | str) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of an ``.npz`` file by name.

    Nothing is unpickled, and declared sizes are compared before anything is allocated.

    Raises:
        InputError: the file is missing, not regular, damaged, holds objects, declares other sizes
            than it has, or is compressed more than 200-fold.
    """
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _require_modest(members)
                return {
                    info.filename.removesuffix(".npy"): _array(archive, info) for info in members
                }
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except (
            ValueError,
            KeyError,
            EOFError,
            SyntaxError,
            RuntimeError,  # an encrypted member, or (as NotImplementedError) an unknown method
            OSError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            text = " ".join(str(error).split())
            raise InputError(f"{path}: is not a usable .npz file: {text}") from error


def _require_modest(members: list[zipfile.ZipInfo]) -> None:
    names = [info.filename for info in members]
    if len(set(names)) != len(names):
        raise InputError("holds two members of the same name")
    unpacked = sum(info.file_size for info in members)
    packed = sum(info.compress_size for info in members)
    if unpacked > MAX_RATIO * packed + SLACK:
        raise InputError(f"{packed} bytes unpack to {unpacked}; store it without compression")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    if not info.filename.endswith(".npy"):
        raise InputError(f"{info.filename} is not an array")
    with archive.open(info) as stream:
        _require_declared_size(stream, info)
    with archive.open(info) as stream:
        array: np.ndarray[Any, Any] = npy.read_array(stream, allow_pickle=False)
    return array


def _require_declared_size(stream: IO[bytes], info: zipfile.ZipInfo) -> None:
    read_header = HEADERS.get(npy.read_magic(stream))
    if read_header is None:
        raise InputError(f"{info.filename} has an unknown format version")
    try:
        shape, _, dtype = read_header(stream)
    except Exception as error:  # NumPy evaluates the header, and says so in many ways
        text = " ".join(str(error).split())[:200]
        raise InputError(f"{info.filename} has a malformed header: {text}") from error
    if dtype.hasobject:
        raise InputError(f"{info.filename} holds Python objects, which are never loaded")
    declared = stream.tell() + math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or declared != info.file_size:
        raise InputError(f"{info.filename} declares {declared} bytes and has {info.file_size}")
