"""Safetensors files: a strict reading of the header first, then the library.

The library takes the last of two tensors of one name, unknown fields and zero-size tensors; a
document that stands for one network only must not have any of them.
"""

import math
import struct
from typing import Any

import safetensors.torch
from torch import Tensor

from pacbayes.checkpoints.json_text import parse_json
from pacbayes.checkpoints.named import MAX_TENSORS, require_name
from pacbayes.checkpoints.opening import Opened, first_line
from pacbayes.errors import InputError

MAX_HEADER = 16 * 2**20
_ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
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
        InputError: a name twice, an unknown field or type, a shape that does not fit its bytes,
            overlapping ranges, holes, bytes that belong to no tensor, too many tensors.
    """
    source, data = opened.source, opened.data
    length = _header_length(data)
    if len(data) < 10 or not 2 <= length <= min(MAX_HEADER, len(data) - 8):
        raise InputError(f"{source} is not valid safetensors: its header length does not fit")
    if data[8:9] != b"{":
        raise InputError(f"{source} is not valid safetensors: its header is not a JSON object")
    header = parse_json(data[8 : 8 + length], source=f"the header of {source}")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise InputError(f"{source} is not valid safetensors: its metadata are not texts")
    if len(header) > MAX_TENSORS:
        raise InputError(f"{source} has {len(header)} tensors; at most {MAX_TENSORS} are read")
    ranges = sorted(_range(name, entry, source) for name, entry in header.items())
    position = 0
    for begin, end in ranges:
        if begin != position:
            raise InputError(f"{source} is not valid safetensors: tensors overlap or leave a hole")
        position = end
    if position != len(data) - 8 - length:
        raise InputError(f"{source} is not valid safetensors: truncated, or bytes after the end")
    return metadata


def _header_length(data: bytes) -> int:
    return int(struct.unpack_from("<Q", data)[0]) if len(data) >= 8 else 0


def _range(name: str, entry: Any, source: str) -> tuple[int, int]:
    require_name(name, source=source)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise InputError(f"{source}: {name} must have dtype, shape and data_offsets, nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _ITEM_BYTES:
        raise InputError(f"{source}: {name} has dtype {ascii(dtype)[:40]}, which is not supported")
    if not _is_counts(shape) or len(shape) > _MAX_AXES or 0 in shape:
        raise InputError(f"{source}: {name} must have a shape of positive integers")
    if not _is_counts(offsets) or len(offsets) != 2:
        raise InputError(f"{source}: {name} must have two data_offsets")
    begin, end = offsets
    if math.prod(shape) * _ITEM_BYTES[dtype] != end - begin:
        raise InputError(f"{source}: the shape of {name} does not fit its bytes")
    return begin, end


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(k) is int and 0 <= k < 2**63 for k in value)
