"""Pictures in folders, one folder per class: ``train/<class>/*.jpg`` and ``test/<class>/*.jpg``."""

import os
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from pacbayes.data.arrays import Array, examples_from_arrays, standardized
from pacbayes.data.dataset import Data, Examples, Transform
from pacbayes.data.decoded import cached
from pacbayes.data.pictures import SUFFIXES, decode
from pacbayes.errors import InputError
from pacbayes.runtime.progress import progress
from pacbayes.runtime.reading import read_bytes

PIXELS: Final = Transform(text="pixels/255")
PARTS: Final = ("train", "test")
MAX_FILE: Final = 2**26
MAX_ENTRIES: Final = 2**33
CIFAR10: Final = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def load_image_folder(spec: str, *, normalize: str, quiet: bool = False) -> Data:
    """Return the pictures below a folder as images (C, H, W) in [0, 1].

    Classes are the names of the folders in ``train``, in the order of their code points; files go
    by class, then by name. Files are JPEG or PNG, RGB or grey, all of one size. Decoded pixels are
    kept in a cache under ``PACBAYES_CACHE`` (by default the user's cache folder), found again by
    the SHA-256 of all files. Lossy files are examples of their own: item hashes are those of the
    decoded pixels, so they differ from those of the pictures before compression.

    Args:
        spec: ``imagefolder:DIR``; ``DIR/test`` may be absent.
        normalize: see :func:`~pacbayes.data.arrays.standardized`.
        quiet: no progress on stderr.

    Raises:
        InputError: names the first file or folder that is missing, damaged, hostile, no picture,
            or of another size or kind than the others.
    """
    folder = Path(spec.partition(":")[2])
    parts = [part for part in PARTS if part == "train" or (folder / part).is_dir()]
    classes = _classes(folder / "train")
    files = {part: _files(folder / part, classes) for part in parts}
    arrays = cached(
        [path for part in parts for path, _ in files[part]], decode=partial(_decoded, quiet=quiet)
    )
    name, description = _described(folder, classes, arrays)
    transform = standardized(PIXELS, normalize, arrays.shape[1])
    train = files["train"]
    examples = [
        _examples(pixels, found, transform, folder)
        for pixels, found in zip(
            (arrays[: len(train)], arrays[len(train) :]), files.values(), strict=False
        )
    ]
    return Data(
        name=name,
        train=examples[0],
        test=examples[1] if len(examples) > 1 else None,
        classes=len(classes),
        transform=transform,
        description=description,
        builtin=False,
        spec=spec,
    )


def _classes(folder: Path) -> list[str]:
    names = sorted(entry.name for entry in _entries(folder))
    if len(names) < 2:
        raise InputError(f"{folder}: must hold one folder per class, at least two")
    return names


def _files(folder: Path, classes: list[str]) -> list[tuple[Path, int]]:
    """Return the picture files of one part with their labels, in order."""
    names = [entry.name for entry in _entries(folder)]
    odd = sorted(set(names) ^ set(classes))
    if odd:
        raise InputError(f"{folder / odd[0]}: train and test must hold the same classes")
    found = []
    for label, name in enumerate(classes):
        entries = sorted(_entries(folder / name), key=lambda entry: entry.name)
        for entry in entries:
            if Path(entry.name).suffix.lower() not in SUFFIXES:
                raise InputError(f"{entry.path}: is no {' or '.join(SUFFIXES)} file; remove it")
        if not entries:
            raise InputError(f"{folder / name}: holds no pictures")
        found += [(Path(entry.path), label) for entry in entries]
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what a folder holds, without hidden entries."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"{folder}: can't be read: {error.strerror or error}") from error


def _decoded(files: list[Path], *, quiet: bool) -> Array:
    """Return the pixels of all files, (N, C, H, W) uint8."""
    first = decode(read_bytes(files[0], limit=MAX_FILE), source=str(files[0]))
    if first.size * len(files) > MAX_ENTRIES:
        raise InputError(
            f"{files[0]}: {len(files)} pictures of {first.shape} pixels are more than fit"
        )
    pixels = np.empty((len(files), *first.shape), dtype=np.uint8)
    with progress("decode", len(files), quiet=quiet) as bar:
        for row, path in enumerate(files):
            picture = decode(read_bytes(path, limit=MAX_FILE), source=str(path))
            if picture.shape != first.shape:
                raise InputError(
                    f"{path}: has {picture.shape} channels and pixels, {files[0].name} has "
                    f"{first.shape}; all pictures must be alike"
                )
            pixels[row] = picture
            bar.advance(1)
    return pixels


def _described(folder: Path, classes: list[str], pixels: Array) -> tuple[str, str]:
    """Return name and description; CIFAR-10 as JPEG is known by its classes and its size."""
    if tuple(classes) == CIFAR10 and pixels.shape[1:] == (3, 32, 32):
        return "CIFAR-10 (JPEG)", (
            "CIFAR-10 (JPEG), small pictures of ten things (Krizhevsky 2009) after lossy "
            "compression: labels as given"
        )
    return f"imagefolder:{folder.name}", "pictures in folders of the user: labels as given"


def _examples(
    pixels: Array, files: list[tuple[Path, int]], transform: Transform, folder: Path
) -> Examples:
    labels = np.array([label for _, label in files], dtype=np.int64)
    return examples_from_arrays(
        pixels, labels, divisor=255, transform=transform, source=str(folder)
    )
