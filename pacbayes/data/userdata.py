"""Examples from ``module:function`` of the user's own code."""

from typing import Any

import numpy as np
import torch

from pacbayes.data.arrays import Array, count_classes, examples_from_arrays, standardized
from pacbayes.data.dataset import Data, Transform
from pacbayes.data.items import item_hashes
from pacbayes.data.npz import divisor_of, plain_transform
from pacbayes.errors import InputError, Problem, UnsoundError
from pacbayes.runtime.functions import user_code

Part = tuple[Array, Array]


def load_user_data(spec: str, *, normalize: str) -> Data:
    """Return the examples that the user's function, called without arguments, gives.

    It returns a pair (train, test), where test may be ``None``. Each part is a pair of arrays or
    tensors (inputs, labels), or a dataset with a length whose items are pairs (input, label).
    Datasets are read twice: what differs between the passes is random augmentation, which would
    certify another distribution. Unsigned bytes (pictures included) are divided by 255;
    floating-point values are taken as they are.

    Args:
        spec: ``module:function``; modules of the current folder count.
        normalize: see :func:`~pacbayes.data.arrays.standardized`.

    Raises:
        InputError: there is no such function, it raised, or returned something else.
        UnsoundError: two passes over a dataset differ (V10).
    """
    with user_code(spec) as function:
        result = function()
        if not isinstance(result, tuple | list) or len(result) != 2 or result[0] is None:
            raise InputError(f"{spec} must return a pair (train, test); test may be None")
        parts = [_read(part, f"{spec} ({name})") for part, name in _named(result)]
    first = parts[0][0]
    if first.ndim < 2:
        raise InputError(f"{spec}: inputs must have shape (N, ...), got {first.shape}")
    transform = standardized(plain_transform(first, spec), normalize, first.shape[1])
    if any(x.dtype != first.dtype for x, _ in parts):
        raise InputError(f"{spec}: training and test inputs differ in dtype")
    examples = [_examples(x, y, transform, spec) for x, y in parts]
    return Data(
        name=spec,
        train=examples[0],
        test=examples[1] if len(examples) > 1 else None,
        classes=count_classes(*(y for _, y in parts), source=spec),
        transform=transform,
        description="examples from a function of the user",
        builtin=False,
        spec=spec,
    )


def _examples(x: Array, y: Array, transform: Transform, spec: str) -> Any:
    return examples_from_arrays(x, y, divisor=divisor_of(x), transform=transform, source=spec)


def _named(result: Any) -> list[tuple[Any, str]]:
    pairs = zip(result, ("train", "test"), strict=True)
    return [(part, name) for part, name in pairs if part is not None]


def _read(part: Any, source: str) -> Part:
    if isinstance(part, tuple | list):
        if len(part) != 2 or not all(hasattr(array, "shape") for array in part):
            raise InputError(f"{source} must be a pair of arrays (inputs, labels) or a dataset")
        return _array(part[0]), _array(part[1])
    if not (hasattr(part, "__len__") and hasattr(part, "__getitem__")):
        raise InputError(
            f"{source} must be a pair of arrays (inputs, labels) or a dataset with a length, "
            f"got {type(part).__name__}"
        )
    once = _pass(part, source)
    again = _pass(part, source)
    _require_equal(once, again, source)
    return once


def _pass(dataset: Any, source: str) -> Part:
    if not len(dataset):
        raise InputError(f"{source}: the dataset is empty")
    inputs: list[Array] = []
    labels: list[int] = []
    for i in range(len(dataset)):
        item = dataset[i]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise InputError(f"{source}: item {i} must be a pair (input, label)")
        array, label = _array(item[0]), _array(item[1])
        if inputs and (array.shape, array.dtype) != (inputs[0].shape, inputs[0].dtype):
            raise InputError(f"{source}: item {i} has another shape or dtype than item 0")
        if label.size != 1 or label.dtype.kind not in "iu":
            raise InputError(f"{source}: the label of item {i} must be one integer")
        inputs.append(array)
        labels.append(int(label.reshape(-1)[0]))
    return np.stack(inputs), np.array(labels, dtype=np.int64)


def _array(value: Any) -> Array:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy().copy()
    array = np.array(value)
    if hasattr(value, "getbands") and array.ndim == 3:  # a picture: channels first
        array = array.transpose(2, 0, 1)
    return array[None] if hasattr(value, "getbands") and array.ndim == 2 else array


def _require_equal(once: Part, again: Part, source: str) -> None:
    if once[0].shape == again[0].shape:
        differ = (item_hashes(*once) != item_hashes(*again)).any(axis=1)
        if not differ.any():
            return
        message = (
            f"{source}: {int(differ.sum())} of {differ.size} items differ between two readings, "
            f"item {int(np.argmax(differ))} first; switch random augmentation off"
        )
    else:
        message = f"{source}: two readings differ in shape; switch random augmentation off"
    raise UnsoundError([Problem(condition="V10", message=message)])
