"""Safetensors headers, archives of torch and NumPy, and masks: read or refused, nothing else."""

import functools
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save as save_safetensors

from pacbayes.checkpoints import read_ticket
from pacbayes.checkpoints.contents import Contents, contents_of
from pacbayes.checkpoints.opening import Opened
from pacbayes.errors import InputError, UsageError
from pacbayes.tickets import Ticket
from tests.checkpoints.hostile import members, safetensors, saved, with_pickle, zipped
from tests.fuzz.cases import EDGES, answer, damaged, edits, fuzz

Edits = list[tuple[str, int, int]]
STATE = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(2)}
ARCHIVE, TENSORS = saved(STATE), save_safetensors(STATE)


def read(name: str, data: bytes) -> Contents | Exception:
    opened = Opened(source=name, data=data, sha256="0" * 64)
    found: Contents | Exception = answer(lambda: contents_of(opened), refusals=(InputError,))
    if isinstance(found, Contents):
        # Whatever is read lies in the file: no tensor is larger than it.
        assert all(t.numel() * t.element_size() <= len(data) for t in found.tensors.values())
    return found


# --- safetensors
names = st.sampled_from(["a", "b", "fc.weight", "", "\x00", "../x", "\u00e9", "__metadata__"])
numbers = st.sampled_from([*EDGES, -1, 1.5, True, "4", None, 3, 4, 12, 24])
entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F64", "BF16", "BOOL", "I64", "F8_E4M3", "", 3]),
        "shape": st.lists(numbers, max_size=3),
        "data_offsets": st.lists(numbers, min_size=1, max_size=3),
    }
)
headers = st.lists(st.tuples(names, st.one_of(entries, numbers)), max_size=3)


@fuzz
@given(headers, st.integers(0, 32), edits, st.booleans())
def test_safetensors(
    header: list[tuple[str, Any]], size: int, changes: Edits, honest: bool
) -> None:
    text = "{" + ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in header) + "}"
    data = TENSORS if honest else safetensors(text, bytes(size))
    read("a.safetensors", damaged(data, changes))


# --- archives
@functools.cache
def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: tensor.numpy() for name, tensor in STATE.items()})
    return buffer.getvalue()


@fuzz
@given(st.sampled_from(["archive", "pickle", "members", "npz", "npy"]), edits, st.booleans())
def test_archives(kind: str, changes: Edits, twice: bool) -> None:
    inside = members(ARCHIVE)
    pickled = next(data for name, data in inside.items() if name.endswith("data.pkl"))
    if kind == "archive":
        read("a.pt", damaged(ARCHIVE, changes))
    elif kind == "pickle":
        # The checksum fits, so that the damaged pickle itself is read.
        replaced = [(n, damaged(d, changes) if d == pickled else d) for n, d in inside.items()]
        read("a.pt", zipped(replaced))
    elif kind == "members":
        read("a.pt", with_pickle(damaged(pickled, changes)) * (1 + twice))
    elif kind == "npz":
        read("a.npz", damaged(arrays(), changes))
    else:
        within = members(arrays())
        read("a.npz", zipped([(n, damaged(d, changes)) for n, d in within.items()]))


# --- masks
@functools.cache
def folder() -> Path:
    path = Path(tempfile.mkdtemp(prefix="pacbayes-fuzz-"))
    masked = {"fc.weight": STATE["fc.weight"] * (torch.arange(6).reshape(2, 3) % 2), **{}}
    torch.save({**STATE, **masked}, path / "model.pt")
    return path


dtypes = st.sampled_from([torch.bool, torch.uint8, torch.int32, torch.float32, torch.float64])
shapes = st.sampled_from([(2, 3), (3, 2), (6,), (), (1, 1), (2,)])
entry = st.sampled_from([0, 1, 0, 1, 2, 255])


@fuzz
@given(
    st.sampled_from(["fc.weight", "fc.bias", "module.fc.weight", "x", "fc.weight_mask"]),
    dtypes,
    shapes,
    st.lists(entry, min_size=6, max_size=6),
    st.sampled_from(["none", "file", "late"]),
    edits,
)
def test_masks(  # noqa: PLR0917 - parameters of the property
    name: str,
    dtype: torch.dtype,
    shape: tuple[int, ...],
    values: list[int],
    where: str,
    changes: Edits,
) -> None:
    size = int(np.prod(shape))
    mask = torch.tensor(values[:size]).to(dtype).reshape(shape)
    data = saved({name: mask, "fc.weight": mask} if where == "late" else {name: mask})
    path = folder() / "mask.pt"
    path.write_bytes(damaged(data, changes) if where == "file" else data)
    found = answer(
        lambda: read_ticket(folder() / "model.pt", mask=path), refusals=(InputError, UsageError)
    )
    if isinstance(found, Ticket):
        assert not bool((found.trained["fc.weight"][~found.mask["fc.weight"]] != 0).any())


def test_the_honest_files_are_read() -> None:
    for name, data in (("a.pt", ARCHIVE), ("a.safetensors", TENSORS), ("a.npz", arrays())):
        found = read(name, data)
        assert isinstance(found, Contents)
        assert set(found.tensors) == set(STATE)
