"""IDX files in every layout, and what is wrong with damaged ones."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pacbayes.data import duplicates, load_data, split_by_fraction
from pacbayes.data.mnist import read_idx
from pacbayes.errors import InputError
from pacbayes.runtime.seeds import Seeds

# SHA-256 of the ordered item hashes of the 60,000 training examples; the unpacked files had the
# md5 sums 6bbc9ace898e44ae57da46a324031adb (images) and a25bea736e30d166cdddb491f175f624 (labels).
MNIST_TRAIN = "bd50cd4313ab3e22fd8c20db248ae3a47bb88f7cdb36d7fb9c53a0ae941265db"


def idx(array: np.ndarray) -> bytes:
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim)
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()


def write_layout(folder: Path, *, gz: bool = False, seed: int = 0, count: int = 20) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for part, size in (("train", count), ("t10k", 5)):
        parts = {
            f"{part}-images-idx3-ubyte": rng.integers(0, 256, (size, 28, 28)),
            f"{part}-labels-idx1-ubyte": np.arange(size) % 10,
        }
        for name, array in parts.items():
            data = idx(array)
            (folder / f"{name}{'.gz' * gz}").write_bytes(gzip.compress(data) if gz else data)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5)), st.booleans())
def test_arrays_come_back(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, gz: bool
) -> None:
    path = tmp_path_factory.mktemp("idx") / f"x{'.gz' * gz}"
    path.write_bytes(gzip.compress(idx(array)) if gz else idx(array))
    found = read_idx(path)
    assert found.shape == array.shape
    assert (found == array).all()


@pytest.mark.parametrize("below", ["MNIST/raw", "raw", "", "MNIST"])
@pytest.mark.parametrize("gz", [False, True])
def test_every_layout_gives_the_same_data(tmp_path: Path, below: str, gz: bool) -> None:
    write_layout(tmp_path / "a" / below, gz=gz)
    write_layout(tmp_path / "b" / "MNIST" / "raw")
    data = load_data("mnist", root=tmp_path / "a")
    assert data.digest == load_data("mnist", root=tmp_path / "b").digest
    assert (len(data.train), data.shape, data.classes) == (20, (1, 28, 28), 10)
    assert data.test is not None
    assert len(data.test) == 5
    assert str(tmp_path) not in f"{data.description} {data.spec} {data.name}"


def test_pixels_are_divided_by_255_and_labels_kept(tmp_path: Path) -> None:
    write_layout(tmp_path)
    raw = np.random.default_rng(0).integers(0, 256, (20, 28, 28))
    data = load_data("mnist", root=tmp_path)
    assert torch.equal(data.train.inputs[:, 0], torch.from_numpy(raw).float() / 255)
    assert data.train.labels.tolist() == [i % 10 for i in range(20)]
    assert data.transform.text == "pixels/255"
    assert data.transform.source == "fixed"


def test_declared_constants(tmp_path: Path) -> None:
    write_layout(tmp_path)
    plain = load_data("mnist", root=tmp_path)
    data = load_data("mnist", root=tmp_path, normalize="0.1307,0.3081")
    assert data.digest == plain.digest
    assert (data.transform.mean, data.transform.std) == (("0.1307",), ("0.3081",))
    assert data.transform.source == "declared"
    expected = (plain.train.inputs.double() - 0.1307) / 0.3081
    # pixels/255 was rounded to float32 before: 2^-25 / 0.3081, and once more: 3 * 2^-24
    assert (data.train.inputs - expected).abs().max() < 3e-7


def test_root_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PACBAYES_DATA", raising=False)
    with pytest.raises(InputError, match="--data-root or set PACBAYES_DATA"):
        load_data("mnist")
    write_layout(tmp_path)
    monkeypatch.setenv("PACBAYES_DATA", str(tmp_path))
    assert len(load_data("mnist").train) == 20


def test_one_data_set_is_not_taken_for_the_other(tmp_path: Path) -> None:
    write_layout(tmp_path / "MNIST" / "raw", seed=1)
    write_layout(tmp_path / "FashionMNIST" / "raw", seed=2)
    mnist, fashion = (load_data(name, root=tmp_path) for name in ("mnist", "fashion-mnist"))
    assert mnist.digest != fashion.digest
    for below in ("MNIST", "MNIST/raw"):
        assert load_data("mnist", root=tmp_path / below).digest == mnist.digest
        with pytest.raises(InputError, match="fashion-mnist: no FashionMNIST"):
            load_data("fashion-mnist", root=tmp_path / below)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train-images-idx3-ubyte"):
        load_data("mnist", root=tmp_path)
    write_layout(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="t10k-labels-idx1"):
        load_data("mnist", root=tmp_path)


GOOD = idx(np.arange(12).reshape(3, 2, 2))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not an IDX file"),
        (GOOD[:3], "not an IDX file"),
        (b"\x01" + GOOD[1:], "not an IDX file"),
        (GOOD[:2] + b"\x0d" + GOOD[3:], "not an IDX file"),
        (GOOD[:3] + b"\x00", "not an IDX file"),
        (GOOD[:3] + b"\x09" + GOOD[4:], "not an IDX file"),
        (GOOD[:9], "truncated"),
        (GOOD[:-1], "truncated: 11 of 12"),
        (GOOD + b"\0", "goes on"),
        (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "declares"),
        (GOOD[:4] + struct.pack(">3I", 2**10, 2**10, 2**9) + GOOD[16:], "truncated"),
    ],
)
@pytest.mark.parametrize("gz", [False, True])
def test_damaged_files(tmp_path: Path, data: bytes, text: str, gz: bool) -> None:
    path = tmp_path / f"bad{'.gz' * gz}"
    path.write_bytes(gzip.compress(data) if gz else data)
    with pytest.raises(InputError, match=text) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_damaged_at_every_byte_of_a_gzipped_file(tmp_path: Path) -> None:
    whole = gzip.compress(GOOD, mtime=0)
    path = tmp_path / "x.gz"
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError):
            read_idx(path)
    path.write_bytes(GOOD)
    with pytest.raises(InputError, match="damaged"):
        read_idx(path)


def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    write_layout(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    os.mkfifo(tmp_path / "train-labels-idx1-ubyte")
    with pytest.raises(InputError, match="not a regular file"):
        load_data("mnist", root=tmp_path)


def test_labels_that_do_not_fit(tmp_path: Path) -> None:
    write_layout(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte"
    for array, text in (
        (np.zeros(19), "20 inputs and 19 labels"),
        (np.full(20, 10), r"in \[0, 10\)"),
        (np.zeros((20, 1)), "2 axes"),
    ):
        path.write_bytes(idx(array))
        with pytest.raises(InputError, match=text):
            load_data("mnist", root=tmp_path)


def test_the_real_thing(data_root: Path) -> None:
    data = load_data("mnist", root=data_root)
    assert data.test is not None
    assert (len(data.train), len(data.test), data.shape) == (60_000, 10_000, (1, 28, 28))
    assert data.digest == MNIST_TRAIN
    # LeCun's first training labels, and the mean and deviation that everybody quotes
    assert data.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert round(float(data.train.inputs.double().mean()), 4) == 0.1307
    assert round(float(data.train.inputs.double().std()), 4) == 0.3081
    split = split_by_fraction(60_000, 0.5, Seeds(1))
    found = duplicates(data.train, split)
    assert (found.within, found.across, found.n_unique) == (0, 0, 30_000)


def test_the_quoted_constants_have_seen_the_real_thing(data_root: Path) -> None:
    data = load_data("mnist", root=data_root, normalize="0.1307,0.3081")
    assert data.transform.fits_statistics(data.train)
