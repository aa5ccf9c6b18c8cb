"""Safetensors files: a strict reading of the header first, then the library.

The library takes the last of two tensors of one name, unknown fields and zero-size tensors; a
document that stands for one network only must not have any of them.
"""

import math
import struct
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from pacbayes.checkpoints.json_text import parse_json
from pacbayes.checkpoints.named import MAX_TENSORS, require_name
from pacbayes.checkpoints.opening import Opened, first_line
from pacbayes.errors import InputError

MAX_HEADER = 16 * 2**20
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_MAX_AXES = 32


def looks_like_safetensors(data: bytes) -> bool:
    """Return whether the bytes start like a safetensors file."""
    return len(data) > 8 and data[8:9] == b"{" and _header_length(data) <= len(data) - 8


def load_safetensors(opened: Opened) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file.

    Raises:
        InputError: the header or the library finds anything wrong.
    """
    metadata = check_header(opened)
    try:
        return safetensors.torch.load(opened.data), metadata
    except Exception as error:  # the library leaks errors of torch, numpy and its own
        raise InputError(
            f"{opened.source} is not valid safetensors: {first_line(error)}"
        ) from error


def check_header(opened: Opened) -> dict[str, str]:
    """Return the metadata of a safetensors header whose every byte is accounted for.

    Raises:
        InputError: as for :func:`read_header`.
    """
    return read_header(opened.data, size=len(opened.data), source=opened.source)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One tensor in a safetensors header; ``begin`` and ``end`` count from the first data byte."""

    begin: int
    end: int
    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]


def read_header(data: bytes, *, size: int, source: str) -> tuple[list[Entry], dict[str, str], int]:
    """Return the tensors of a safetensors header by position, its metadata and where data begin.

    Args:
        data: the file, or at least its length field and header.
        size: bytes in the whole file.
        source: for messages.

    Raises:
        InputError: a name twice, an unknown field or type, a shape that does not fit its bytes,
            overlapping ranges, holes, bytes that belong to no tensor, too many tensors.
    """
    length = _header_length(data)
    if len(data) < 10 or not 2 <= length <= min(MAX_HEADER, size - 8):
        raise InputError(f"{source} is not valid safetensors: its header length does not fit")
    if data[8:9] != b"{":
        raise InputError(f"{source} is not valid safetensors: its header is not a JSON object")
    header = parse_json(data[8 : 8 + length], source=f"the header of {source}")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise InputError(f"{source} is not valid safetensors: its metadata are not texts")
    if len(header) > MAX_TENSORS:
        raise InputError(f"{source} has {len(header)} tensors; at most {MAX_TENSORS} are read")
    entries = [_entry(name, entry, source) for name, entry in header.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    position = 0
    for entry in entries:
        if entry.begin != position:
            raise InputError(f"{source} is not valid safetensors: tensors overlap or leave a hole")
        position = entry.end
    if position != size - 8 - length:
        raise InputError(f"{source} is not valid safetensors: truncated, or bytes after the end")
    return entries, metadata, 8 + length


def _header_length(data: bytes) -> int:
    return int(struct.unpack_from("<Q", data)[0]) if len(data) >= 8 else 0


def _entry(name: str, entry: Any, source: str) -> Entry:
    require_name(name, source=source)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise InputError(f"{source}: {name} must have dtype, shape and data_offsets, nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _TYPES:
        raise InputError(f"{source}: {name} has dtype {ascii(dtype)[:40]}, which is not supported")
    if not _is_counts(shape) or len(shape) > _MAX_AXES or 0 in shape:
        raise InputError(f"{source}: {name} must have a shape of positive integers")
    if not _is_counts(offsets) or len(offsets) != 2:
        raise InputError(f"{source}: {name} must have two data_offsets")
    begin, end = offsets
    if math.prod(shape) * _TYPES[dtype].itemsize != end - begin:
        raise InputError(f"{source}: the shape of {name} does not fit its bytes")
    return Entry(begin=begin, end=end, name=name, dtype=_TYPES[dtype], shape=tuple(shape))


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(k) is int and 0 <= k < 2**63 for k in value)
