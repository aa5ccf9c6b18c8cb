"""Examples from ``npz:FILE``: ``x_train, y_train, x_test, y_test``, or ``x, y``."""

from pathlib import Path
from typing import Final

import numpy as np

from pacbayes.data.archive import read_npz
from pacbayes.data.arrays import Array, count_classes, examples_from_arrays, standardized
from pacbayes.data.dataset import Data, Transform
from pacbayes.errors import InputError

NAMES: Final = ({"x_train", "y_train", "x_test", "y_test"}, {"x_train", "y_train"}, {"x", "y"})
CHANNELS: Final = (1, 3, 4)


def load_npz(spec: str, *, normalize: str) -> Data:
    """Return the examples in an archive of arrays.

    Inputs are vectors (N, d), images (N, H, W), read as one channel, or images (N, C, H, W).
    Unsigned bytes are divided by 255; floating-point values are taken as they are. Labels are
    integers from 0.

    Args:
        spec: ``npz:FILE``.
        normalize: see :func:`~pacbayes.data.arrays.standardized`.

    Raises:
        InputError: the file is not such an archive, or the arrays in it don't fit together.
    """
    path = Path(spec.partition(":")[2])
    arrays = read_npz(path)
    if set(arrays) not in NAMES:
        raise InputError(
            f"{path}: holds {sorted(arrays)}; expected x_train, y_train (and x_test, y_test), "
            "or x, y"
        )
    pairs = [("x", "y"), ("x_train", "y_train"), ("x_test", "y_test")]
    parts = [(_images(arrays[x], path, x), arrays[y]) for x, y in pairs if x in arrays]
    first = parts[0][0]
    plain = plain_transform(first, str(path))
    transform = standardized(plain, normalize, first.shape[1])
    examples = [
        examples_from_arrays(
            x, y, divisor=divisor_of(x), transform=transform, source=f"{path} ({name[0]})"
        )
        for (x, y), name in zip(parts, [pair for pair in pairs if pair[0] in arrays], strict=True)
    ]
    if any(x.dtype != first.dtype for x, _ in parts):
        raise InputError(f"{path}: training and test inputs differ in dtype")
    return Data(
        name="npz",
        train=examples[0],
        test=examples[1] if len(examples) > 1 else None,
        classes=count_classes(*(y for _, y in parts), source=str(path)),
        transform=transform,
        description="examples from an .npz file of the user",
        builtin=False,
        spec=spec,
    )


def plain_transform(raw: Array, source: str) -> Transform:
    """Return the transformation for a dtype, without constants.

    Raises:
        InputError: the dtype is neither unsigned bytes nor floating point.
    """
    if raw.dtype == np.uint8:
        return Transform(text="pixels/255")
    if raw.dtype in (np.float16, np.float32, np.float64):
        return Transform(text="as given")
    raise InputError(f"{source}: inputs must be uint8 or floating point, got {raw.dtype}")


def divisor_of(raw: Array) -> int:
    """Return 255 for unsigned bytes, 1 otherwise."""
    return 255 if raw.dtype == np.uint8 else 1


def _images(raw: Array, path: Path, name: str) -> Array:
    if raw.ndim == 2:
        return raw
    if raw.ndim == 3:
        return raw[:, None]
    if raw.ndim != 4:
        raise InputError(
            f"{path}: {name} must have shape (N, d), (N, H, W) or (N, C, H, W), got {raw.shape}"
        )
    if raw.shape[3] in CHANNELS and raw.shape[1] not in CHANNELS:
        raise InputError(
            f"{path}: {name} of shape {raw.shape} seems to have its channels last; "
            "store it as (N, C, H, W)"
        )
    return raw
