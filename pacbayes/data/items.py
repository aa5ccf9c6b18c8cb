"""One SHA-256 per example: the identity of an example, whatever file it came from."""

import hashlib
from typing import Any

import numpy as np


def item_hashes(raw: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the SHA-256 of dtype, shape, decoded bytes and label of every example.

    Args:
        raw: decoded contents before any preprocessing, of any numeric dtype.  # (N, *shape)
        labels: integers.  # (N,)

    Returns:
        Digests as bytes.  # (N, 32) uint8

    Example:
        >>> hashes = item_hashes(np.zeros((3, 2), dtype=np.uint8), np.array([0, 0, 1]))
        >>> bool((hashes[0] == hashes[1]).all()), bool((hashes[0] == hashes[2]).all())
        (True, False)
    """
    header = hashlib.sha256(f"pacbayes/item/1\n{raw.dtype.name} {raw.shape[1:]}\n".encode())
    rows = np.ascontiguousarray(raw.astype(raw.dtype.newbyteorder("<"), copy=False))
    contents = rows.reshape(-1).view(np.uint8).data
    size = rows[0].nbytes if len(rows) else 0
    names = np.asarray(labels).astype("<i8").tobytes()
    digests = bytearray()
    for i in range(len(rows)):
        state = header.copy()
        state.update(contents[i * size : (i + 1) * size])
        state.update(names[8 * i : 8 * i + 8])
        digests += state.digest()
    return np.frombuffer(bytes(digests), dtype=np.uint8).reshape(-1, 32)


def items_digest(items: np.ndarray[Any, Any]) -> str:
    """Return the SHA-256 of the sorted hashes: what a sample holds, in whatever order.

    Args:
        items: item hashes of the sample, ``examples.items[indices]``.  # (N, 32)
    """
    state = hashlib.sha256(f"pacbayes/sample/1\n{len(items)}\n".encode())
    state.update(np.sort(as_keys(items)).tobytes())
    return state.hexdigest()


def ordered_digest(items: np.ndarray[Any, Any]) -> str:
    """Return the SHA-256 of the hashes in their order: what the indices refer to."""
    state = hashlib.sha256(f"pacbayes/data/1\n{len(items)}\n".encode())
    state.update(np.ascontiguousarray(items).tobytes())
    return state.hexdigest()


def as_keys(items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the hashes as byte strings, which NumPy can sort and compare."""
    return np.ascontiguousarray(items).view("S32").reshape(-1)
