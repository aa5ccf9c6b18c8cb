"""CIFAR-10 and CIFAR-100: the binary release by hand, pickles only with published checksums."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pacbayes.data import load_data, vision
from pacbayes.errors import InputError

RNG = np.random.default_rng(0)


def rows(count: int, *, labels: int, classes: int) -> np.ndarray:
    pixels = RNG.integers(0, 256, (count, 3072), dtype=np.uint8)
    names = RNG.integers(0, classes, (count, labels), dtype=np.uint8)
    return np.concatenate([names, pixels], axis=1)


def write_cifar10(root: Path) -> list[np.ndarray]:
    folder = root / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    tables = [rows(4, labels=1, classes=10) for _ in range(6)]
    for i, table in enumerate(tables[:5], start=1):
        (folder / f"data_batch_{i}.bin").write_bytes(table.tobytes())
    (folder / "test_batch.bin").write_bytes(tables[5].tobytes())
    return tables


def test_the_binary_release_of_cifar10(tmp_path: Path) -> None:
    tables = write_cifar10(tmp_path)
    data = load_data("cifar10", root=tmp_path)
    table = np.concatenate(tables[:5])
    assert data.train.labels.tolist() == table[:, 0].tolist()
    # a row is the label, then 1,024 bytes each of red, green, blue, row by row
    assert float(data.train.inputs[7, 1, 2, 3]) == np.float32(table[7, 1 + 1024 + 2 * 32 + 3]) / 255
    assert data.test is not None
    assert data.test.labels.tolist() == tables[5][:, 0].tolist()
    assert (data.classes, data.shape, data.builtin) == (10, (3, 32, 32), True)


def test_cifar100_has_its_fine_labels(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    table = rows(5, labels=2, classes=100)
    (folder / "train.bin").write_bytes(table.tobytes())
    (folder / "test.bin").write_bytes(table[:2].tobytes())
    data = load_data("cifar100", root=tmp_path)
    assert data.train.labels.tolist() == table[:, 1].tolist()
    assert data.classes == 100
    expected = table[:, 2:].reshape(-1, 3, 32, 32)
    assert torch.equal(data.train.inputs, torch.from_numpy(expected).float() / 255)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "no multiple of 3073"),
        (b"\0" * 3072, "has 3072 bytes, no multiple of 3073"),
        (b"\x0a" + b"\0" * 3072, "label 10 is none of 10 classes"),
        (None, "data_batch_3.bin: can't be read"),
    ],
)
def test_malformed_files(tmp_path: Path, content: bytes | None, text: str) -> None:
    write_cifar10(tmp_path)
    path = tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=text) as caught:
        load_data("cifar10", root=tmp_path)
    assert "\n" not in str(caught.value)


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.canary,)


@pytest.mark.parametrize("spec", ["cifar10", "cifar100"])
def test_pickles_of_somebody_else_are_not_opened(tmp_path: Path, spec: str) -> None:
    folder = tmp_path / ("cifar-10-batches-py" if spec == "cifar10" else "cifar-100-python")
    folder.mkdir()
    canary = tmp_path / "canary"
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch", "train", "test", "meta"]
    for name in [*names, "batches.meta"]:
        (folder / name).write_bytes(pickle.dumps(Payload(canary)))
    with pytest.raises(InputError, match="not those that were published") as caught:
        load_data(spec, root=tmp_path)
    assert "\n" not in str(caught.value)
    assert not canary.exists()


def test_where_nothing_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="neither cifar-10-batches-bin nor cifar-10-batches-py"):
        load_data("cifar10", root=tmp_path)
    monkeypatch.delenv("PACBAYES_DATA", raising=False)
    with pytest.raises(InputError, match="cifar100 needs its folder"):
        load_data("cifar100")
    asked: list[tuple[str, Path]] = []
    monkeypatch.setattr(vision, "download", lambda *args: asked.append(args))
    with pytest.raises(InputError, match="neither"):
        load_data("cifar100", root=tmp_path, download=True)
    assert asked == [("cifar100", tmp_path)]
    write_cifar10(tmp_path)
    load_data("cifar10", root=tmp_path, download=True)
    assert len(asked) == 1
