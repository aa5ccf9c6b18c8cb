"""A cache of decoded pixels outside the project, keyed by the contents of all files."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from pacbayes.data.arrays import Array
from pacbayes.data.pictures import decoder
from pacbayes.errors import PacBayesError
from pacbayes.runtime.files import write_tensors
from pacbayes.runtime.reading import sha256_file

VARIABLE: Final = "PACBAYES_CACHE"
PIXELS: Final = "pixels"


def cache_folder() -> Path:
    """Return ``PACBAYES_CACHE``, else ``pacbayes`` in the user's cache folder."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pacbayes"


def cached(files: Sequence[Path], *, decode: Callable[[list[Path]], Array]) -> Array:
    """Return the decoded pixels of files, from the cache where these very files were decoded.

    The key is a SHA-256 over the decoder's version and the contents of all files in their order,
    so a changed file is decoded anew, whatever its time stamp says. A cache that can't be written
    is done without; one that is damaged is made anew.

    Args:
        files: the pictures, in the order of the rows.
        decode: called with the files where the cache has nothing.
    """
    state = hashlib.sha256(f"pacbayes/decoded/1\n{decoder()}\n".encode())
    for path in files:
        state.update(bytes.fromhex(sha256_file(path)))
    place = cache_folder() / f"decoded-{state.hexdigest()}.safetensors"
    known = _read(place)
    if known is not None and len(known) == len(files):
        return known
    pixels = decode(list(files))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(place, {PIXELS: torch.from_numpy(pixels)}, {"sha256": _digest(pixels)})
    except (PacBayesError, OSError):
        return pixels
    return pixels


def _read(place: Path) -> Array | None:
    if not place.is_file():
        return None
    try:
        with safe_open(place, framework="pt") as stored:
            promised = (stored.metadata() or {}).get("sha256")
            pixels: Array = stored.get_tensor(PIXELS).numpy()
    except (SafetensorError, OSError):
        return None
    whole = pixels.dtype == np.uint8 and pixels.ndim == 4 and _digest(pixels) == promised
    return pixels if whole else None


def _digest(pixels: Array) -> str:
    header = f"{pixels.shape}\n".encode()
    return hashlib.sha256(header + np.ascontiguousarray(pixels).data).hexdigest()
