"""Where a network computes, how precisely, and in an arithmetic that repeats itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

import torch
from torch import Tensor

from pacbayes.errors import InputError, UsageError

DTYPES: Final = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True, slots=True)
class Place:
    """A device and the type of the numbers there.

    Half types are not among them: a draw of outputs instead of weights is exact up to rounding,
    and theirs is too coarse for that.

    Attributes:
        device: where tensors lie.
        dtype: float32, or float64.
    """

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, device: str, dtype: str) -> Self:
        """Return the place of two texts; each process of torchrun takes a GPU of its own.

        Args:
            device: ``cpu``, ``cuda`` or ``cuda:N``.
            dtype: ``float32`` or ``float64``.

        Raises:
            UsageError: there is no such device here, or no such type.
        """
        kind, colon, number = device.partition(":")
        sound = kind == "cuda" and (not colon or (number.isascii() and number.isdecimal()))
        if device != "cpu" and not sound:
            raise UsageError(f"--device takes cpu, cuda or cuda:N, got {device!r}")
        if dtype not in DTYPES:
            raise UsageError(f"--dtype takes {' or '.join(DTYPES)}, got {dtype!r}")
        if device == "cpu":
            return cls(torch.device("cpu"), DTYPES[dtype])
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            raise UsageError(f"--device {device}: torch finds no CUDA device here; take cpu")
        index = int(number) if colon else int(os.environ.get("LOCAL_RANK", "0")) % count
        if index >= count:
            raise UsageError(f"--device {device}: there are {count}, the last is cuda:{count - 1}")
        return cls(torch.device("cuda", index), DTYPES[dtype])

    def put(self, tensor: Tensor) -> Tensor:
        """Return a tensor on the device, numbers with a point in the type; itself if it is so."""
        return tensor.to(self.device, self.dtype if tensor.is_floating_point() else None)


CPU: Final = Place(torch.device("cpu"), torch.float32)


@contextmanager
def repeatable() -> Iterator[None]:
    """Compute the same bits each time, in whole float32, for the length of a block.

    TF32 would round the factors of a product to 10 bits: the classifier would be another one, and
    outputs drawn in place of weights would follow its law to three digits only. This is the one
    place that sets torch's switches; all of them are as before behind the block.

    Raises:
        InputError: an operation of the network cannot be made to repeat itself.
    """
    # Read by cuBLAS when it starts; without it torch refuses matrix products that must repeat.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn = torch.backends.cudnn
    deterministic: Any = torch.utils.deterministic
    precision = torch.get_float32_matmul_precision()
    before = (cudnn.allow_tf32, cudnn.benchmark, deterministic.fill_uninitialized_memory)
    mode = torch.get_deterministic_debug_mode()
    try:
        torch.set_float32_matmul_precision("highest")
        cudnn.allow_tf32, cudnn.benchmark = False, False
        # No operation here reads memory that was not written; filling it would take time.
        deterministic.fill_uninitialized_memory = False
        torch.use_deterministic_algorithms(True)
        yield
    except RuntimeError as error:
        operation, refused, _ = str(error).partition(" does not have a deterministic")
        if not refused:
            raise
        message = f"the network's operation {operation} may give other bits each time on its device"
        raise InputError(f"{message}; take another device or another operation") from error
    finally:
        torch.set_deterministic_debug_mode(mode)
        cudnn.allow_tf32, cudnn.benchmark, deterministic.fill_uninitialized_memory = before
        torch.set_float32_matmul_precision(precision)
