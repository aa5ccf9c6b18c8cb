"""Archives of arrays: what is accepted, and hostile ones."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pacbayes.data import load_data
from pacbayes.data.archive import read_npz
from pacbayes.errors import InputError

X = np.arange(24, dtype=np.uint8).reshape(6, 4)
Y = np.array([0, 1, 2, 0, 1, 2])


def save(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(path: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def test_bytes_are_divided_and_floats_taken_as_they_are(tmp_path: Path) -> None:
    pixels = load_data(f"npz:{save(tmp_path / 'a.npz', x=X, y=Y)}")
    assert torch.equal(pixels.train.inputs, torch.from_numpy(X).float() / 255)
    assert (pixels.test, pixels.classes, pixels.transform.text) == (None, 3, "pixels/255")
    assert not pixels.builtin
    floats = load_data(f"npz:{save(tmp_path / 'b.npz', x=X.astype(np.float64) * 1.5, y=Y)}")
    assert torch.equal(floats.train.inputs, torch.from_numpy(X * 1.5).float())
    assert floats.transform.text == "as given"
    assert floats.digest != pixels.digest


def test_train_and_test(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2, None])
    data = load_data(f"npz:{path}")
    assert data.test is not None
    assert torch.equal(data.test.inputs, data.train.inputs[:2])
    assert (data.test.items == data.train.items[:2]).all()
    assert load_data(f"npz:{save(tmp_path / 'b.npz', x_train=X, y_train=Y)}").test is None
    np.savez_compressed(tmp_path / "c.npz", x=X, y=Y)
    assert load_data(f"npz:{tmp_path / 'c.npz'}").digest == data.digest


@pytest.mark.parametrize(
    ("shape", "found"),
    [((6, 4), (4,)), ((6, 2, 2), (1, 2, 2)), ((6, 1, 2, 2), (1, 2, 2)), ((6, 3, 5, 4), (3, 5, 4))],
)
def test_shapes(tmp_path: Path, shape: tuple[int, ...], found: tuple[int, ...]) -> None:
    path = save(tmp_path / "a.npz", x=np.zeros(shape, dtype=np.float32), y=Y)
    assert load_data(f"npz:{path}").shape == found


def test_declared_constants(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x=np.ones((6, 3, 2, 2), dtype=np.float32), y=Y)
    data = load_data(f"npz:{path}", normalize="1:0:-1,1:2:4")
    assert data.train.inputs[0, :, 0, 0].tolist() == [0.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": X}, "holds"),
        ({"x": X, "y": Y, "z": Y}, "holds"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "holds"),
        ({"x": X[0], "y": Y}, "shape"),
        ({"x": np.zeros((6, 1, 1, 1, 1)), "y": Y}, "shape"),
        ({"x": np.zeros((6, 8, 8, 3)), "y": Y}, "channels last"),
        ({"x": X.astype(np.int64), "y": Y}, "uint8 or floating"),
        ({"x": X > 3, "y": Y}, "uint8 or floating"),
        ({"x": X * 1j, "y": Y}, "uint8 or floating"),
        ({"x": X, "y": Y.astype(float)}, "integers"),
        ({"x": X, "y": Y[:5]}, "6 inputs and 5 labels"),
        ({"x": X, "y": Y + 1}, "count classes from 0"),
        ({"x": X, "y": Y - 1}, "negative"),
        ({"x": X, "y": Y * 0}, "at least 2 classes"),
        ({"x": X[:0], "y": Y[:0]}, "no labels"),
        ({"x": np.where(X == 7, np.nan, X), "y": Y}, "not finite"),
        ({"x": np.where(X == 7, np.inf, X), "y": Y}, "not finite"),
        ({"x_train": X, "y_train": Y, "x_test": X / 255, "y_test": Y}, "differ in dtype"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y}, "differ in shape"),
    ],
)
def test_arrays_that_are_no_data(tmp_path: Path, arrays: dict[str, np.ndarray], text: str) -> None:
    with pytest.raises(InputError, match=text) as caught:
        load_data(f"npz:{save(tmp_path / 'a.npz', **arrays)}")
    assert "\n" not in str(caught.value)


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = save(tmp_path / "a.npz", x=np.array([Canary(canary)], dtype=object), y=Y)
    with pytest.raises(InputError, match="Python objects"):
        read_npz(path)
    assert not canary.exists()
    # negative control: the payload works where it is unpickled
    with np.load(path, allow_pickle=True) as archive:
        assert archive["x"].shape == (1,)
    assert canary.exists()


def test_truncated_anywhere(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.npz", x=X, y=Y).read_bytes()
    path = tmp_path / "cut.npz"
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match=r"cut\.npz"):
            read_npz(path)


def test_any_flipped_byte_is_an_error_or_harmless(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.npz", x=X, y=Y).read_bytes()
    path = tmp_path / "flipped.npz"
    refused = 0
    places = range(0, len(whole), 3)
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            found = read_npz(path)
        except InputError:
            refused += 1
        else:  # dates, attributes or names of members, or how many there are
            assert {v.tobytes() for v in found.values()} <= {X.tobytes(), Y.tobytes()}
    assert refused > len(places) // 2


def test_bombs_and_lies_are_refused_before_they_are_read(tmp_path: Path) -> None:
    zeros = npy(np.zeros((20_000, 1000), dtype=np.uint8))
    bomb = zipped(tmp_path / "bomb.npz", ("x.npy", zeros), method=zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="unpack to"):
        read_npz(bomb)
    lie = npy(X).replace(b"(6, 4)", b"(9**9,)")
    for name, data in {
        "expression": lie,
        "large": npy(X).replace(b"'shape': (6, 4), }     ", b"'shape': (1099511627776,)}"[:23]),
        "more": npy(X) + b"\0",
        "less": npy(X)[:-1],
        "empty": b"",
        "text": b"hello",
        "version": npy(X)[:6] + b"\x09" + npy(X)[7:],
    }.items():
        with pytest.raises(InputError, match=name):
            read_npz(zipped(tmp_path / f"{name}.npz", ("x.npy", data)))
    large = b"\x93NUMPY\x01\x00\x76\x00"
    large += b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,), }".ljust(117)
    with pytest.raises(InputError, match="declares 1099511627904 bytes and has 128"):
        read_npz(zipped(tmp_path / "huge.npz", ("x.npy", large + b"\n")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_other_archives(tmp_path: Path) -> None:
    for name, members in {
        "twice": [("x.npy", npy(X)), ("x.npy", npy(X + 1))],
        "foreign": [("x.txt", b"hello")],
    }.items():
        with pytest.raises(InputError, match=name):
            read_npz(zipped(tmp_path / f"{name}.npz", *members))
    os.mkfifo(tmp_path / "pipe.npz")
    for name in ("pipe.npz", "none.npz", ""):
        with pytest.raises(InputError):
            read_npz(tmp_path / name)
    (tmp_path / "text.npz").write_text("x")
    with pytest.raises(InputError, match="not a usable"):
        read_npz(tmp_path / "text.npz")
