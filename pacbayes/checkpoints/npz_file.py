"""NumPy archives of arrays by parameter name, as ``numpy.savez`` writes them."""

import io
import math
import re
import warnings
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from pacbayes.checkpoints.archive import stored_members
from pacbayes.checkpoints.named import MAX_TENSORS
from pacbayes.checkpoints.opening import Opened, first_line
from pacbayes.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}\.npy")
_HEADERS: dict[tuple[int, int], Any] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
_TYPES = ("f2", "f4", "f8", "b1", "u1", "i1", "i2", "i4", "i8")
_LONGEST_HEADER = 10_000


def looks_like_npz(opened: Opened) -> bool:
    """Return whether an archive is one of arrays: by its name, or by its first member."""
    first = opened.data[30 : 30 + 256]
    length = int.from_bytes(opened.data[26:28], "little")
    return opened.source.endswith(".npz") or first[:length].endswith(b".npy")


def load_npz(opened: Opened) -> dict[str, Tensor]:
    """Return the arrays of a ``.npz`` file by name; nothing is unpickled or unpacked.

    Raises:
        InputError: compressed members, Python objects, byte orders and types that are not read, or
            anything else that ``numpy.savez`` would not have written.
    """
    members = stored_members(opened, name=_NAME, what="an archive of numpy.savez")
    if len(members) > MAX_TENSORS:
        raise InputError(f"{opened.source} has {len(members)} arrays; at most {MAX_TENSORS}")
    return {
        name.removesuffix(".npy"): _array(data, name=name, source=opened.source)
        for name, data in members.items()
    }


def _array(data: memoryview, *, name: str, source: str) -> Tensor:
    # The header is short; the entries are never copied through the stream.
    stream = io.BytesIO(bytes(data[: _LONGEST_HEADER + 12]))
    try:
        read_header = _HEADERS[npy.read_magic(stream)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd header is refused or read, never discussed
            shape, fortran, dtype = read_header(stream, max_header_size=_LONGEST_HEADER)
    except Exception as error:  # NumPy evaluates the header, and says so in many ways
        raise InputError(f"{source}: {name} has a malformed header: {first_line(error)}") from error
    if dtype.hasobject or dtype.str[1:] not in _TYPES or dtype.str[0] == ">":
        raise InputError(
            f"{source}: {name} has dtype {ascii(dtype.str)[:40]}; save little-endian numbers"
        )
    begin = stream.tell()
    if min(shape, default=1) < 1 or len(shape) > 32:
        raise InputError(f"{source}: {name} must have a shape of positive integers")
    if math.prod(shape) * dtype.itemsize != len(data) - begin:
        raise InputError(f"{source}: the shape of {name} does not fit its bytes")
    flat = np.frombuffer(data, dtype=dtype, offset=begin)
    if dtype.kind == "b" and bool((flat.view(np.uint8) > 1).any()):
        raise InputError(f"{source}: {name} has truth values other than 0 and 1")
    return torch.from_numpy(flat.reshape(shape, order="F" if fortran else "C").copy(order="C"))
