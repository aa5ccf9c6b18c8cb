"""From decoded arrays to examples: labels checked, content hashed, then transformed."""

from typing import Any

import numpy as np
import torch

from pacbayes.data.dataset import Examples, Transform
from pacbayes.data.items import item_hashes
from pacbayes.errors import InputError, UsageError

Array = np.ndarray[Any, Any]
BLOCK = 2**24


def examples_from_arrays(
    raw: Array, labels: Array, *, divisor: int, transform: Transform, source: str
) -> Examples:
    """Return examples with inputs ``(raw / divisor - mean) / std``, rounded to float32.

    Args:
        raw: decoded content; item hashes are taken from it.  # (N, *shape)
        labels: integer classes.  # (N,) or (N, 1)
        divisor: 255 for pixels in bytes, 1 for values as they are.
        transform: constants per channel, if any.
        source: names the data in messages.

    Raises:
        InputError: labels are not integers or not as many as the inputs, or an input is not
            finite.
    """
    classes = _labels(labels, len(raw), source)
    try:
        return Examples(
            inputs=torch.from_numpy(_inputs(raw, divisor, transform)),
            labels=torch.from_numpy(classes),
            items=item_hashes(raw, classes),
        )
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def count_classes(*labels: Array, source: str) -> int:
    """Return one more than the largest label, for sources that don't say how many there are.

    Raises:
        InputError: a label is negative, or counting seems to start at 1.
    """
    values = np.unique(np.concatenate([np.asarray(part).reshape(-1) for part in labels]))
    if not values.size:
        raise InputError(f"{source}: there are no labels")
    if values[0] < 0:
        raise InputError(f"{source}: labels must not be negative, got {values[0]}")
    if values[0] > 0:
        raise InputError(
            f"{source}: no example has label 0; count classes from 0 (subtract {values[0]})"
        )
    return int(values[-1]) + 1


def standardized(plain: Transform, normalize: str, channels: int) -> Transform:
    """Return the transformation that ``--normalize`` asks for.

    Args:
        plain: transformation without constants.
        normalize: ``none``, or ``MEAN,STD`` as decimal numbers; one number serves all channels,
            several are joined by colons (``0.49:0.48:0.45,0.25:0.24:0.26``).
        channels: second axis of the inputs.

    Raises:
        UsageError: the text is malformed, or its channels are not those of the data.
    """
    if normalize == "none":
        return plain
    mean, comma, std = normalize.partition(",")
    means = tuple(_decimal(text, normalize) for text in mean.split(":"))
    stds = tuple(_decimal(text, normalize) for text in std.split(":"))
    if not comma or len(means) != len(stds) or len(means) not in (1, channels):
        raise UsageError(
            f"--normalize takes none or MEAN,STD with one number each or {channels} joined by "
            f"colons, got {normalize!r}"
        )
    if any(float(text) <= 0 for text in stds):
        raise UsageError(f"--normalize needs standard deviations above 0, got {normalize!r}")
    return Transform(text="standardize", mean=means, std=stds, source="declared")


def _decimal(text: str, whole: str) -> str:
    digits = text.strip()
    body = digits.removeprefix("-")
    left, dot, right = body.partition(".")
    plain = (
        left.isdecimal() and left.isascii() and (not dot or (right.isdecimal() and right.isascii()))
    )
    if not plain or len(digits) > 30 or (len(left) > 1 and left[0] == "0"):
        raise UsageError(f"--normalize takes decimal numbers such as 0.1307,0.3081, got {whole!r}")
    return digits


def _labels(labels: Array, count: int, source: str) -> Array:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"{source}: labels must be integers of shape (N,), got {labels.dtype} of shape "
            f"{labels.shape}"
        )
    if len(labels) != count:
        raise InputError(f"{source}: there are {count} inputs and {len(labels)} labels")
    if labels.size and int(labels.max()) >= 2**63:
        raise InputError(f"{source}: label {labels.max()} is no class")
    return labels.astype(np.int64)


def _inputs(raw: Array, divisor: int, transform: Transform) -> Array:
    if not transform.mean:
        inputs = raw.astype(np.float32)
        if divisor != 1:
            inputs /= np.float32(divisor)
        return inputs
    axes = (1, -1) + (1,) * (raw.ndim - 2)
    mean = np.array([float(text) for text in transform.mean]).reshape(axes)
    std = np.array([float(text) for text in transform.std]).reshape(axes)
    inputs = np.empty(raw.shape, dtype=np.float32)
    rows = max(1, BLOCK // max(1, raw[:1].size))
    for start in range(0, len(raw), rows):  # float64 block by block: it has twice the size
        block = raw[start : start + rows].astype(np.float64) / divisor
        inputs[start : start + rows] = (block - mean) / std
    return inputs
