"""Builders of files that nobody sends by accident."""

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch


class Runs:
    """Runs a shell command when an unrestricted unpickler meets it."""

    def __init__(self, canary: Path) -> None:
        self.command = f"touch {canary}"

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def saved(value: object) -> bytes:
    """What torch.save writes."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    """Name and bytes of every member of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(entries: list[tuple[str, bytes]], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of the given members, in order, twice where they come twice."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as archive:
        warnings.simplefilter("ignore")  # two members of one name are meant
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
    return buffer.getvalue()


def with_pickle(pickled: bytes) -> bytes:
    """A torch archive around a pickle made by hand."""
    return zipped(
        [
            ("archive/data.pkl", pickled),
            ("archive/byteorder", b"little"),
            ("archive/version", b"3\n"),
        ]
    )


def nested_tuple(depth: int) -> bytes:
    """A dict whose key is a tuple of twice the same tuple, ``depth`` times over."""
    body = b"K\x01q\x00"
    for level in range(depth):
        body += b"h" + bytes([level]) + b"\x86q" + bytes([level + 1])
    return b"\x80\x02}" + body + b"K\x02s."


def nested_list(depth: int) -> bytes:
    return b"\x80\x02}X\x01\x00\x00\x00w" + b"]" * depth + b"a" * (depth - 1) + b"s."


def billion_laughs(depth: int) -> bytes:
    """A list of twice the same list, ``depth`` times over: 2**depth leaves."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value, value]
    return pickle.dumps({"w": value}, protocol=2)


def printed_by_torch(*, opcodes: bytes) -> bytes:
    """The billion laughs again, where torch prints them into its own error message."""
    return billion_laughs(40)[:-1] + opcodes + b"."


def itself() -> bytes:
    value: dict[str, Any] = {}
    value["w"] = value
    return pickle.dumps(value, protocol=2)


def safetensors(header: str | bytes | dict[str, Any], data: bytes = b"") -> bytes:
    """A safetensors file with any header."""
    text = json.dumps(header) if isinstance(header, dict) else header
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw + data


def entry(shape: list[Any], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
