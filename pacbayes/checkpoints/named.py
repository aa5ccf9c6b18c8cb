"""Flat dicts of tensors: what a checkpoint must boil down to, checked before any arithmetic."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pacbayes.errors import InputError
from pacbayes.tickets import Tensors

MAX_TENSORS = 100_000
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
# The four words are the groups of our own posterior files.
_NAME = re.compile(r"(?:(?:mean|scale|inclusion|buffers)/)?[A-Za-z0-9_.-]{1,200}")


def require_name(name: Any, *, source: str) -> None:
    """Refuse tensor names that could mislead a terminal or a file system.

    Raises:
        InputError: the name is no text of 1 to 200 letters, digits, ``_``, ``.`` and ``-``.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"{source}: tensor name {ascii(name)[:80]} must be 1 to 200 of A-Z a-z 0-9 _ . -"
            if isinstance(name, str)
            else f"{source}: tensor names must be texts, found {type(name).__name__}"
        )


def is_flat(value: Any) -> bool:
    """Return whether a value is a non-empty dict with a tensor under every key."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(entry, Tensor) for entry in value.values())
    )


def require_flat(
    value: Mapping[Any, Any], *, source: str, values: bool = True
) -> dict[str, Tensor]:
    """Return the tensors of a flat dict; each is dense, on the CPU and of a supported type.

    Args:
        value: names and tensors.
        source: for messages.
        values: False where tensors were read without their entries, so only names are checked.

    Raises:
        InputError: names the first entry that is not, before anything reads its values.
    """
    if len(value) > MAX_TENSORS:
        raise InputError(f"{source} has {len(value)} tensors; at most {MAX_TENSORS} are read")
    for name, entry in value.items():
        require_name(name, source=source)
        if type(entry) not in (Tensor, nn.Parameter):
            raise InputError(f"{source}: {name} is {type(entry).__name__}, not a tensor")
        problem = _problem(entry) if values else ""
        if problem:
            raise InputError(f"{source}: {name} {problem}")
    return {name: entry.detach() for name, entry in value.items()}


def _problem(tensor: Tensor) -> str:
    """Return what is wrong with a tensor, without reading its entries; empty if nothing is."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        return "is sparse, quantised or without data; save a dense tensor"
    if tensor.dtype not in FLOATS + INTEGERS:
        return f"has dtype {str(tensor.dtype).removeprefix('torch.')}, which is not supported"
    if tensor.numel() == 0:
        return "has no entries"
    if tensor.is_conj() or tensor.is_neg() or not _is_dense(tensor):
        return "has overlapping or scattered entries; save tensor.contiguous()"
    needed = (tensor.storage_offset() + tensor.numel()) * tensor.element_size()
    return "is larger than its storage" if needed > tensor.untyped_storage().nbytes() else ""


def _is_dense(tensor: Tensor) -> bool:
    """Return whether the entries fill a block of memory, in some order of the axes."""
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride != expected:
                return False
            expected *= size
    return True


def as_float32(tensors: Tensors) -> tuple[dict[str, Tensor], list[str]]:
    """Return float32 copies, and the names of float64 tensors that had to be rounded.

    The rounded weights are the ones that get certified, so rounding is no error, only a note.
    """
    copies = {
        name: tensor.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        for name, tensor in tensors.items()
    }
    rounded = [
        name
        for name, tensor in tensors.items()
        if tensor.dtype == torch.float64 and not torch.equal(copies[name].double(), tensor)
    ]
    return copies, rounded


def as_mask(tensor: Tensor) -> Tensor | None:
    """Return the bool tensor of a mask of zeros and ones of any type; None for other values."""
    if not bool(((tensor == 0) | (tensor == 1)).all()):
        return None
    return tensor.bool().contiguous()
