"""scikit-learn's bundled handwritten digits: the data that are always there."""

import hashlib
from typing import Final

import numpy as np

from pacbayes.data.arrays import Array, examples_from_arrays, standardized
from pacbayes.data.dataset import Data, Transform

TRAIN: Final = 1500


def load_digits(*, normalize: str) -> Data:
    """Return 1,500 training and 297 test images of shape (1, 8, 8), values 0 to 16 over 16.

    The rows are put in a fixed order that depends on their numbers alone: row i comes at the rank
    of SHA-256 of ``pacbayes/digits/1 i``. The first 1,500 train, the last 297 test. (scikit-learn
    stores them writer by writer, so a cut in that order would separate the writers.)

    Args:
        normalize: see :func:`~pacbayes.data.arrays.standardized`.

    References:
        Alpaydin, Kaynak (1998), *Optical recognition of handwritten digits*, UCI repository.
    """
    from sklearn.datasets import load_digits as bundled

    source = bundled()
    raw = source.images.astype(np.uint8)[:, None]
    labels = source.target
    order = fixed_order(len(raw))
    transform = standardized(Transform(text="values/16"), normalize, 1)
    train, test = (
        examples_from_arrays(
            raw[rows], labels[rows], divisor=16, transform=transform, source="digits"
        )
        for rows in (order[:TRAIN], order[TRAIN:])
    )
    return Data(
        name="digits",
        train=train,
        test=test,
        classes=10,
        transform=transform,
        description="scikit-learn's handwritten digits (UCI): labels as given",
        builtin=True,
        spec="digits",
    )


def fixed_order(count: int) -> Array:
    """Return the numbers below ``count`` in an order fixed for all time."""
    names = [hashlib.sha256(f"pacbayes/digits/1 {i}".encode()).digest() for i in range(count)]
    return np.array(sorted(range(count), key=names.__getitem__))
