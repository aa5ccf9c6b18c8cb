"""Pickle files from strangers: one line, never their code, never an endless loop."""

import io
import pickle
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pacbayes.checkpoints import inspect, read_ticket
from pacbayes.errors import InputError
from tests.checkpoints import hostile

STATE = {"fc.weight": torch.arange(6.0).reshape(2, 3) + 1, "fc.bias": torch.ones(2)}


def refused(path: Path, data: bytes | None = None) -> str:
    """Return the message of the one error type, raised by both readers."""
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError) as looking:
        inspect(path)
    with pytest.raises(InputError) as caught:
        read_ticket(path)
    message = str(caught.value)
    assert len(message.splitlines()) == len(str(looking.value).splitlines()) == 1
    assert message.isprintable()
    assert len(message) < 1000
    return message


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_checkpoint_is_never_run(tmp_path: Path, legacy: bool) -> None:
    canary = tmp_path / "canary"
    buffer = io.BytesIO()
    value = {"w": torch.ones(2, 2), "x": hostile.Runs(canary)}
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    refused(tmp_path / "evil.pt", buffer.getvalue())
    assert not canary.exists()
    # The canary would have sung: the same bytes do run without restriction.
    buffer.seek(0)
    torch.load(buffer, weights_only=False)
    assert canary.exists()


def test_code_in_a_bare_pickle_is_never_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    message = refused(tmp_path / "evil.pt", pickle.dumps({"w": hostile.Runs(canary)}))
    assert "bare pickle" in message
    assert not canary.exists()


def test_environment_does_not_loosen_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    refused(tmp_path / "evil.pt", hostile.saved({"w": hostile.Runs(canary)}))
    assert not canary.exists()


def test_pickled_module_names_its_classes_and_a_remedy(tmp_path: Path) -> None:
    message = refused(tmp_path / "m.pt", hostile.saved(torch.nn.Linear(2, 2)))
    assert "torch.nn.modules.linear.Linear" in message
    assert "state_dict" in message


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "m.pt")
    assert "TorchScript" in refused(tmp_path / "m.pt")


def test_old_torch_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(STATE, tmp_path / "a.pt")
    assert read_ticket(tmp_path / "a.pt").trained.keys() == STATE.keys()
    for version in ["2.9.1+cpu", "1.13.0", "unknown"]:
        monkeypatch.setattr(torch, "__version__", version)
        assert "torch>=2.10" in refused(tmp_path / "a.pt")


def test_namespace_is_the_one_class_that_may_lie_beside_the_weights(tmp_path: Path) -> None:
    torch.save({"model": STATE, "args": Namespace(lr=0.1)}, tmp_path / "a.pt")
    assert set(read_ticket(tmp_path / "a.pt").trained) == set(STATE)
    torch.save({"model": STATE, "args": Path("x")}, tmp_path / "b.pt")
    refused(tmp_path / "b.pt")


@pytest.mark.parametrize("what", ["pt", "safetensors"])
def test_truncated_anywhere(tmp_path: Path, what: str) -> None:
    whole = tmp_path / f"whole.{what}"
    torch.save(STATE, whole) if what == "pt" else save_file(STATE, whole)
    data = whole.read_bytes()
    for size in [*range(0, len(data), max(1, len(data) // 60)), len(data) - 1]:
        refused(tmp_path / f"cut.{what}", data[:size])


@pytest.mark.parametrize("what", ["pt", "safetensors"])
@pytest.mark.parametrize("where", ["before", "after"])
def test_garbage_around_the_container(tmp_path: Path, what: str, where: str) -> None:
    whole = tmp_path / f"whole.{what}"
    torch.save(STATE, whole) if what == "pt" else save_file(STATE, whole)
    data = whole.read_bytes()
    for extra in [b"\0", b"PK", b"x" * 1000]:
        padded = extra + data if where == "before" else data + extra
        refused(tmp_path / f"padded.{what}", padded)


def test_one_flipped_bit_in_the_weights(tmp_path: Path) -> None:
    data = bytearray(hostile.saved(STATE))
    at = bytes(data).index(STATE["fc.weight"].numpy().tobytes())
    data[at + 2] ^= 1
    torch.load(io.BytesIO(bytes(data)), weights_only=True)  # the library does not see it
    assert "checksum" in refused(tmp_path / "a.pt", bytes(data))


def test_compressed_bomb(tmp_path: Path) -> None:
    parts = hostile.members(hostile.saved({"w": torch.zeros(2**22)}))
    bomb = hostile.zipped(list(parts.items()), compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**20
    assert "compressed" in refused(tmp_path / "bomb.pt", bomb)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["archive/data.pkl", "archive/data/0"])
def test_two_members_of_one_name(tmp_path: Path, name: str) -> None:
    parts = hostile.members(hostile.saved(STATE))
    doubled = hostile.zipped([*parts.items(), (name, parts[name])])
    assert "two members" in refused(tmp_path / "a.pt", doubled)


@pytest.mark.parametrize(
    "name", ["archive/../data/9", "/etc/passwd", "other/data/1", "archive/a\nb", "data.pkl"]
)
def test_odd_member_names(tmp_path: Path, name: str) -> None:
    parts = hostile.members(hostile.saved(STATE))
    refused(tmp_path / "a.pt", hostile.zipped([*parts.items(), (name, b"x")]))


def test_big_endian(tmp_path: Path) -> None:
    parts = hostile.members(hostile.saved(STATE)) | {"archive/byteorder": b"big"}
    assert "little-endian" in refused(tmp_path / "a.pt", hostile.zipped(list(parts.items())))


def test_declared_sizes_beyond_the_file(tmp_path: Path) -> None:
    data = bytearray(hostile.saved(STATE))
    directory = bytes(data).index(b"PK\1\2")
    data[directory + 20 : directory + 28] = b"\xfe\xff\xff\x7f" * 2
    assert "more bytes than the file" in refused(tmp_path / "a.pt", bytes(data))


PICKLES = {
    "tuple bomb as a key": hostile.nested_tuple(40),
    "billion laughs": hostile.billion_laughs(40),
    "deep list": hostile.nested_list(200_000),
    "contains itself": hostile.itself(),
    "laughs called": hostile.printed_by_torch(opcodes=b")R"),
    "laughs made new": hostile.printed_by_torch(opcodes=b")\x81"),
    "laughs stored": hostile.printed_by_torch(opcodes=b"Q"),
    "nothing": b"",
    "no stop": b"\x80\x02}",
    "stack underflow": b"\x80\x02s.",
    "no memo": b"\x80\x02h\x07.",
    "unknown opcode": b"\x80\x02\xff.",
    "huge bytearray": b"\x80\x02cbuiltins\nbytearray\n\x8a\x06"
    + (2**46).to_bytes(6, "little") + b"\x85R.",
    "a text": pickle.dumps("w", protocol=2),
    "forged storage": b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n"
    b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    b"\x8a\x06\x00\x00\x00\x00\x00\x01tQK\x00K\x02\x85K\x01\x85\x89}tRs.",
}  # fmt: skip


@pytest.mark.parametrize("name", PICKLES)
def test_pickles_made_by_hand(tmp_path: Path, name: str) -> None:
    refused(tmp_path / "a.pt", hostile.with_pickle(PICKLES[name]))


def test_bombs_are_refused_before_torch_sees_them(tmp_path: Path) -> None:
    for name in ("tuple bomb as a key", "billion laughs", "laughs called", "contains itself"):
        assert "nested beyond" in refused(tmp_path / "a.pt", hostile.with_pickle(PICKLES[name]))


def test_shared_settings_are_no_bomb(tmp_path: Path) -> None:
    betas, text = (0.9, 0.999), "x" * 1000
    groups = [{"betas": betas, "text": text, "params": [k]} for k in range(50)]
    value = {"model": STATE, "optimizer": {"param_groups": groups, "again": [groups, groups]}}
    assert set(read_ticket(write(tmp_path / "a.pt", value)).trained) == set(STATE)


def write(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


def test_tuples_of_ordinary_depth_are_read(tmp_path: Path) -> None:
    # The negative control of the bomb: 2^10 leaves as a key do no harm, though no checkpoint.
    message = refused(tmp_path / "a.pt", hostile.with_pickle(hostile.nested_tuple(10)))
    assert "nested" not in message


ODD: dict[str, Callable[[], Any]] = {
    "stride zero": lambda: torch.ones(1).expand(10**6, 10**6),
    "overlapping": lambda: torch.arange(5.0).as_strided((4, 2), (1, 1)),
    "scattered": lambda: torch.arange(10.0)[::2],
    "sparse": lambda: torch.eye(3).to_sparse(),
    "sparse rows": lambda: torch.eye(3).to_sparse_csr(),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    "meta": lambda: torch.ones(3, device="meta"),
    "complex": lambda: torch.ones(3, dtype=torch.complex64),
    "conjugate": lambda: torch.ones(3, dtype=torch.complex64).conj(),
    "negative": lambda: torch.ones(3, dtype=torch.complex64).conj().imag,
    "float8": lambda: torch.ones(3).to(torch.float8_e4m3fn),
    "empty": lambda: torch.ones(0, 3),
    "a number": lambda: 3.0,
    "a list": lambda: [torch.ones(3)],
    "a dict": lambda: {"w": torch.ones(3)},
    "nothing": lambda: None,
    "NaN": lambda: torch.tensor([1.0, float("nan")]),
    "infinite": lambda: torch.tensor([float("-inf")]),
    "infinite in float32": lambda: torch.tensor([1e300], dtype=torch.float64),
    "integer": lambda: torch.tensor([1, 2]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ODD)
def test_odd_tensors(tmp_path: Path, name: str) -> None:
    odd = ODD[name]()
    torch.save({"fc.weight": torch.ones(2, 2), "fc.odd": odd}, tmp_path / "a.pt")
    shapes = {"fc.weight": (2, 2), "fc.odd": tuple(getattr(odd, "shape", ()))}
    with pytest.raises(InputError, match=r"fc\.odd") as caught:
        read_ticket(tmp_path / "a.pt", parameter_shapes=shapes)
    assert len(str(caught.value).splitlines()) == 1


ODD_KEYS = [1, ("a", "b"), b"w", None, 1.5, "", "a b", "a\n\x1b[31m", "é", "a/b", "x" * 201]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys(tmp_path: Path, key: object) -> None:
    refused(tmp_path / "a.pt", hostile.saved({"w": torch.ones(2), key: torch.ones(2)}))


@pytest.mark.parametrize("value", [[torch.ones(2)], torch.ones(2), (1, 2), 3, None, {}, {"w": {}}])
def test_odd_tops(tmp_path: Path, value: object) -> None:
    refused(tmp_path / "a.pt", hostile.saved(value))


def test_subnormal_weights_are_weights(tmp_path: Path) -> None:
    weights = {"w": torch.full((2, 2), 1e-45)}
    torch.save(weights, tmp_path / "a.pt")
    assert torch.equal(read_ticket(tmp_path / "a.pt").trained["w"], weights["w"])
