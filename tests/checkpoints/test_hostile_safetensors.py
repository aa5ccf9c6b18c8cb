"""Safetensors files whose header stands for more than one network, or for none."""

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch as library
import torch

from pacbayes.checkpoints import inspect, read_ticket
from pacbayes.errors import InputError
from tests.checkpoints.hostile import entry, safetensors

GOOD = {"a": entry([2], 0, 8), "b": entry([2, 1], 8, 16)}
DATA = b"\0" * 16
NUL, TWIN = '"a\\u0000"', '"caf\\u00e9"'


def changed(**fields: Any) -> bytes:
    return safetensors({**GOOD, "b": {**GOOD["b"], **fields}}, DATA)


def doubled(*, shape: list[int]) -> bytes:
    header = f'{{"a": {json.dumps(entry([4], 0, 16))}, "a": {json.dumps(entry(shape, 0, 16))}}}'
    return safetensors(header, DATA)


HOSTILE = {
    "nothing": b"",
    "length zero": (0).to_bytes(8, "little") + b"{}",
    "length beyond the file": (1000).to_bytes(8, "little") + b"{}      ",
    "length 2^63-1": (2**63 - 1).to_bytes(8, "little") + b"{}      ",
    "length 2^64-1": (2**64 - 1).to_bytes(8, "little") + b"{}      ",
    "not JSON": safetensors("{nothing}", DATA),
    "bad UTF-8": safetensors(b'{"\xff": 1}'),
    "list": safetensors("[1, 2, 3]"),
    "leading blank": safetensors(" " + json.dumps(GOOD), DATA),
    "deep brackets": safetensors('{"a":' + "[" * 100_000),
    "duplicate name": doubled(shape=[4]),
    "duplicate name, other shape": doubled(shape=[2, 2]),
    "duplicate name, escaped": safetensors(json.dumps(GOOD).replace('"b"', '"\\u0061"'), DATA),
    "duplicate metadata": safetensors('{"__metadata__": {"x": "1", "x": "2"}}'),
    "metadata not text": safetensors('{"__metadata__": {"x": 1}}'),
    "metadata a list": safetensors('{"__metadata__": []}'),
    "unknown field": changed(extra=1),
    "missing field": safetensors({"a": {"dtype": "F32", "shape": [2]}}, DATA),
    "entry a list": safetensors({"a": [1]}, DATA),
    "overlap": changed(data_offsets=[4, 12]),
    "equal ranges": changed(data_offsets=[0, 8]),
    "hole": safetensors({"a": entry([2], 0, 8), "b": entry([2], 12, 20)}, b"\0" * 20),
    "trailing bytes": safetensors(GOOD, DATA + b"\0"),
    "truncated": safetensors(GOOD, DATA[:-1]),
    "shape does not fit": changed(shape=[3]),
    "overflow": changed(shape=[4194305, 4194305, 211106198978564]),
    "negative axis": changed(shape=[-2, -1]),
    "fractional axis": changed(shape=[2.0]),
    "true axis": changed(shape=[2, True]),
    "huge number": safetensors('{"a": {"dtype": "F32", "shape": [' + "9" * 5000 + "]}}", DATA),
    "zero-size": safetensors({**GOOD, "c": entry([0], 8, 8)}, DATA),
    "zero-size and huge": safetensors({**GOOD, "c": entry([0, 2**63], 16, 16)}, DATA),
    "no axis but no bytes": safetensors({**GOOD, "c": entry([], 16, 16)}, DATA),
    "too many axes": changed(shape=[1] * 60 + [2]),
    "reversed offsets": changed(data_offsets=[16, 8]),
    "three offsets": changed(data_offsets=[8, 12, 16]),
    "unknown dtype": changed(dtype="F4"),
    "dtype a number": changed(dtype=3),
    "float8": changed(dtype="F8_E4M3", shape=[8]),
    "NaN": safetensors('{"a": NaN}'),
    "infinite": safetensors('{"a": {"dtype": "F32", "shape": [1e400]}}'),
    "empty name": safetensors({"": entry([4], 0, 16)}, DATA),
    "newline in name": safetensors({"a\nb": entry([4], 0, 16)}, DATA),
    "path as name": safetensors({"../../x": entry([4], 0, 16)}, DATA),
    "NUL in name": safetensors(f"{{{NUL}: {json.dumps(entry([4], 0, 16))}}}", DATA),
    "not ASCII": safetensors(f"{{{TWIN}: {json.dumps(entry([4], 0, 16))}}}", DATA),
    "lone surrogate": safetensors('{"\\ud800": 1}', DATA),
    "no tensors": safetensors({}),
    "too many tensors": safetensors({f"t{k}": entry([0], 0, 0) for k in range(100_001)}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(HOSTILE[name])
    for read in (read_ticket, inspect):
        with pytest.raises(InputError) as caught:
            read(path)
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) < 1000


def test_the_good_header_is_good(tmp_path: Path) -> None:
    # The negative control of everything above: the file that they are variations of is read.
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors(GOOD, DATA))
    assert {k: tuple(t.shape) for k, t in read_ticket(path).trained.items()} == {
        "a": (2,),
        "b": (2, 1),
    }


@pytest.mark.parametrize(
    "name", ["duplicate name", "duplicate name, other shape", "unknown field", "path as name"]
)
def test_some_would_have_passed_the_library(name: str) -> None:
    assert len(library.load(HOSTILE[name])) > 0


def test_every_flipped_byte_of_the_header_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    library.save_file({"a": torch.ones(2), "b": torch.ones(2, 1)}, path)
    data = path.read_bytes()
    for at in range(len(data) - 16):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        try:
            ticket = read_ticket(path)
        except InputError:
            continue
        sizes = sum(t.numel() for t in {**ticket.trained, **ticket.buffers}.values())
        assert sizes <= 8
