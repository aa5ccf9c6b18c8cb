"""CIFAR-10 and CIFAR-100 under a folder: the binary release, or torchvision's layout."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pacbayes.data import vision
from pacbayes.data.arrays import Array, examples_from_arrays, standardized
from pacbayes.data.dataset import Data, Transform
from pacbayes.errors import InputError
from pacbayes.runtime.reading import read_bytes

PIXELS: Final = Transform(text="pixels/255")
SHAPE: Final = (3, 32, 32)
IMAGE: Final = 3072


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """How one of the two is stored.

    Attributes:
        name: for people.
        classes: number of labels.
        binary: folder of the binary release.
        pickled: folder of torchvision's layout.
        train: files of the binary release with training examples.
        test: its file with test examples.
        labels: bytes before each picture; the last one is the label.
    """

    name: str
    classes: int
    binary: str
    pickled: str
    train: tuple[str, ...]
    test: str
    labels: int


RELEASES: Final = {
    "cifar10": Release(
        name="CIFAR-10",
        classes=10,
        binary="cifar-10-batches-bin",
        pickled="cifar-10-batches-py",
        train=tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        test="test_batch.bin",
        labels=1,
    ),
    "cifar100": Release(
        name="CIFAR-100",
        classes=100,
        binary="cifar-100-binary",
        pickled="cifar-100-python",
        train=("train.bin",),
        test="test.bin",
        labels=2,
    ),
}


def load_cifar(spec: str, *, root: Path, normalize: str) -> Data:
    """Return CIFAR-10 or CIFAR-100 as images of shape (3, 32, 32) in [0, 1].

    The binary release is read by hand. Files in torchvision's layout are pickles: torchvision
    compares them with the published checksums before it opens them, and refuses all others.

    Args:
        spec: ``cifar10`` or ``cifar100`` (its 100 fine labels).
        root: the folder that torchvision's loader takes.
        normalize: see :func:`~pacbayes.data.arrays.standardized`.

    Raises:
        InputError: files are missing, malformed, or not those that were published.

    References:
        Krizhevsky (2009), *Learning multiple layers of features from tiny images*.
    """
    release = RELEASES[spec]
    if (root / release.binary).is_dir():
        parts = [_binary(root / release.binary, release, files) for files in _files(release)]
    elif (root / release.pickled).is_dir():
        parts = [vision.cifar(spec, root, train=train) for train in (True, False)]
    else:
        raise InputError(
            f"{spec}: neither {release.binary} nor {release.pickled} is under {root}; name its "
            "folder with --data-root, or give --download"
        )
    transform = standardized(PIXELS, normalize, SHAPE[0])
    train, test = (
        examples_from_arrays(pixels, labels, divisor=255, transform=transform, source=str(root))
        for pixels, labels in parts
    )
    return Data(
        name=spec,
        train=train,
        test=test,
        classes=release.classes,
        transform=transform,
        description=f"{release.name}, small pictures (Krizhevsky 2009): labels as given",
        builtin=True,
        spec=spec,
    )


def has_cifar(spec: str, root: Path) -> bool:
    """Return whether a folder of ``cifar10`` or ``cifar100`` is under ``root``."""
    release = RELEASES[spec]
    return (root / release.binary).is_dir() or (root / release.pickled).is_dir()


def _files(release: Release) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return release.train, (release.test,)


def _binary(folder: Path, release: Release, files: tuple[str, ...]) -> tuple[Array, Array]:
    """Return pictures and labels of some files: rows of label bytes, then red, green, blue."""
    size = release.labels + IMAGE
    rows = []
    for name in files:
        data = read_bytes(folder / name, limit=50_000 * size)
        if not data or len(data) % size:
            raise InputError(f"{folder / name}: has {len(data)} bytes, no multiple of {size}")
        rows.append(np.frombuffer(data, dtype=np.uint8).reshape(-1, size))
    table = np.concatenate(rows)
    labels = table[:, release.labels - 1].astype(np.int64)
    if labels.max() >= release.classes:
        raise InputError(f"{folder}: label {labels.max()} is none of {release.classes} classes")
    return np.ascontiguousarray(table[:, release.labels :]).reshape(-1, *SHAPE), labels
