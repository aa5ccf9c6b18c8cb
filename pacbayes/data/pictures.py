"""Decoding one picture, whoever made it."""

import io
import warnings
from typing import Final

import numpy as np

from pacbayes.data.arrays import Array
from pacbayes.errors import InputError

SUFFIXES: Final = (".jpg", ".jpeg", ".png")
MAX_PIXELS: Final = 2**24
MODES: Final = ("RGB", "L")


def decode(data: bytes, *, source: str) -> Array:
    """Return the pixels of a JPEG or PNG file, (C, H, W) uint8 with one channel or three.

    Nothing is guessed: truncated files, palettes, transparency and other colour spaces are
    refused, and sizes are looked at before anything is decoded.

    Args:
        data: the file's bytes.
        source: names the file in messages.

    Raises:
        InputError: the bytes are no such picture.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
                if picture.mode not in MODES:
                    raise InputError(f"has mode {picture.mode}; store it as RGB or grey")
                if picture.width * picture.height > MAX_PIXELS:
                    raise InputError(f"declares {picture.width} by {picture.height} pixels")
                if getattr(picture, "n_frames", 1) != 1:
                    raise InputError("holds several pictures")
                pixels = np.asarray(picture, dtype=np.uint8)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    except Exception as error:  # the decoders say in a dozen ways that a file is damaged
        text = ascii(" ".join(str(error).split()))[1:-1][:200]
        raise InputError(f"{source}: is no usable picture: {text}") from error
    plane = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(plane)


def decoder() -> str:
    """Return the name and version of what decodes: other versions may round pixels otherwise."""
    import PIL
    from PIL import features

    versions = [features.version(part) for part in ("jpg", "libjpeg_turbo", "zlib")]
    return f"Pillow {PIL.__version__} {' '.join(str(version) for version in versions)}"
