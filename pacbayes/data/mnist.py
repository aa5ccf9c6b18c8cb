"""MNIST and Fashion-MNIST from IDX files in torchvision's layout, without torchvision."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from pacbayes.data.arrays import Array, examples_from_arrays, standardized
from pacbayes.data.dataset import Data, Examples, Transform
from pacbayes.errors import InputError
from pacbayes.runtime.reading import open_regular

FOLDERS: Final = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
DESCRIPTIONS: Final = {
    "mnist": "MNIST, handwritten digits (LeCun, Cortes, Burges): labels as given",
    "fashion-mnist": "Fashion-MNIST, pictures of clothes (Xiao, Rasul, Vollgraf): labels as given",
}
PIXELS: Final = Transform(text="pixels/255")
UBYTE: Final = 0x08
MAX_ENTRIES: Final = 2**30


def load_mnist(spec: str, *, root: Path, normalize: str) -> Data:
    """Return MNIST or Fashion-MNIST from a folder, as images of shape (1, 28, 28) in [0, 1].

    Args:
        spec: ``mnist`` or ``fashion-mnist``.
        root: the folder that torchvision's loader takes, its ``MNIST`` (``FashionMNIST``) folder,
            or the ``raw`` folder inside; files may be gzipped.
        normalize: see :func:`~pacbayes.data.arrays.standardized`.

    Raises:
        InputError: files are missing or malformed.
    """
    folder = _folder(spec, root)
    transform = standardized(PIXELS, normalize, 1)
    return Data(
        name=spec,
        train=_examples(folder, "train", transform),
        test=_examples(folder, "t10k", transform),
        classes=10,
        transform=transform,
        description=DESCRIPTIONS[spec],
        builtin=True,
        spec=spec,
    )


def has_mnist(spec: str, root: Path) -> bool:
    """Return whether the files of ``mnist`` or ``fashion-mnist`` are under the folder."""
    return any(_file(folder, "train-images-idx3") for folder in _candidates(spec, root))


def read_idx(path: Path | str) -> Array:
    """Return the array of unsigned bytes in an IDX file, plain or (``.gz``) gzipped.

    The format: two zero bytes, the type (8 for unsigned bytes), the number of axes, the length of
    each axis as a big-endian 32-bit integer, then the entries in C order and nothing else.

    Raises:
        InputError: the file can't be read, is truncated, too long, or of another type.

    References:
        LeCun, Cortes, Burges, *The MNIST database of handwritten digits*, file formats.
    """
    path = Path(path)
    with open_regular(path) as file:
        stream: Any = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
        try:
            return _parse_idx(stream, path)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: is damaged: {error}") from error


def _parse_idx(stream: Any, path: Path) -> Array:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != UBYTE or not 1 <= head[3] <= 4:
        raise InputError(f"{path}: is not an IDX file of unsigned bytes")
    axes = stream.read(4 * head[3])
    if len(axes) != 4 * head[3]:
        raise InputError(f"{path}: is truncated")
    shape = tuple(int(n) for n in np.frombuffer(axes, dtype=">u4"))
    size = math.prod(shape)
    if size > MAX_ENTRIES:
        raise InputError(f"{path}: declares {size} entries, at most {MAX_ENTRIES} are accepted")
    entries = stream.read(size)
    if len(entries) != size:
        raise InputError(f"{path}: is truncated: {len(entries)} of {size} entries")
    if stream.read(1):
        raise InputError(f"{path}: goes on after its {size} entries")
    return np.frombuffer(entries, dtype=np.uint8).reshape(shape)


def _candidates(spec: str, root: Path) -> list[Path]:
    folder = FOLDERS[spec]
    others = set(FOLDERS.values()) - {folder}
    # A folder called after the other data set holds that one, under the same file names.
    ours = [path for path in (root / "raw", root) if not others & set(path.absolute().parts)]
    return [root / folder / "raw", root / folder, *ours]


def _folder(spec: str, root: Path) -> Path:
    for folder in _candidates(spec, root):
        if _file(folder, "train-images-idx3"):
            return folder
    raise InputError(
        f"{spec}: no {FOLDERS[spec]}/raw/train-images-idx3-ubyte[.gz] under {root}; "
        "name its folder with --data-root, or give --download"
    )


def _file(folder: Path, stem: str) -> Path | None:
    names = (f"{stem}-ubyte", f"{stem}-ubyte.gz")
    return next((folder / name for name in names if (folder / name).exists()), None)


def _examples(folder: Path, part: str, transform: Transform) -> Examples:
    arrays = []
    for stem, axes in ((f"{part}-images-idx3", 3), (f"{part}-labels-idx1", 1)):
        path = _file(folder, stem)
        if path is None:
            raise InputError(f"{folder}: {stem}-ubyte[.gz] is missing")
        array = read_idx(path)
        if array.ndim != axes:
            raise InputError(f"{path}: has {array.ndim} axes instead of {axes}")
        arrays.append(array)
    images, labels = arrays
    return examples_from_arrays(
        images[:, None], labels, divisor=255, transform=transform, source=str(folder)
    )
