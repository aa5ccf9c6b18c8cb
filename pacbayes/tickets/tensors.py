"""Named tensors: digests, finiteness, and which of them are prunable."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from pacbayes.errors import InputError

Tensors = Mapping[str, Tensor]


def tensor_digest(tensor: Tensor) -> str:
    """Return the SHA-256 of dtype, shape and little-endian contiguous bytes of a tensor."""
    plain = tensor.detach().cpu().contiguous()
    header = f"{str(plain.dtype).removeprefix('torch.')} {tuple(plain.shape)}\n".encode()
    return hashlib.sha256(header + plain.view(-1).view(torch.uint8).numpy().tobytes()).hexdigest()


def digest(tensors: Tensors) -> str:
    """Return the SHA-256 of a dict of tensors; the order of the names does not matter."""
    state = hashlib.sha256(b"pacbayes/tensors/1\n")
    for name in sorted(tensors):
        # With its length before it, no name can imitate the end of a line and another name.
        label = f"{len(name)} {name} {tensor_digest(tensors[name])}\n"
        state.update(label.encode("utf-8", "surrogatepass"))
    return state.hexdigest()


def require_finite(tensors: Tensors, *, source: str) -> None:
    """Refuse NaN and infinite entries, naming the first tensor and index.

    Raises:
        InputError: an entry is not finite.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            where = torch.nonzero(~torch.isfinite(tensor))[0].tolist()
            raise InputError(f"{source}: {name}{where} is {tensor[tuple(where)].item()}")


def steady_sum(tensor: Tensor) -> float:
    """Return the float64 sum of the entries, the same bits whatever the number of threads.

    Torch adds in an order that depends on its threads; NumPy adds pairwise, in one.

    Example:
        >>> steady_sum(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        10.0
    """
    return float(tensor.detach().double().cpu().reshape(-1).numpy().sum())


def is_prunable(tensor: Tensor) -> bool:
    """Return whether a parameter is a weight array (two or more axes), not a bias or a gain."""
    return tensor.ndim >= 2
