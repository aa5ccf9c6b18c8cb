"""Reproducible noise: one stream for each draw, block of examples and tensor."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

BLOCK = 250
"""Examples per block; part of the definition of the noise, so it never changes."""
CACHED = 2**16
"""Words that are turned into normal numbers at once: few enough for the caches, and so many that
threads seldom wait for each other between two functions."""

Words = np.ndarray[Any, np.dtype[np.uint64]]
Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(slots=True, kw_only=True)
class BlockNoise:
    """Standard normal numbers, and uniform ones for gates, for one block of examples in one draw.

    The stream of a tensor starts from ``SeedSequence([root, draw, block, position of its name])``,
    that of its gates from the same with a 1 behind it. So the numbers depend neither on the order
    of execution nor on how a block is cut into chunks: rows are consumed in the order of the
    examples.

    Attributes:
        root: integer of the evaluation's SHA-256.
        draw: index of the draw.
        block: index of the block of :data:`BLOCK` examples.
        names: sorted parameter names.
    """

    root: int
    draw: int
    block: int
    names: tuple[str, ...]
    _streams: dict[str, np.random.Generator] = field(default_factory=dict)

    def normal(self, name: str, rows: int, columns: int) -> Tensor:
        """Return the next rows of a tensor's stream, float32, of shape (rows, columns).

        By Box and Muller (1958), a pair of numbers from each word of 64 bits: 40 of them make the
        radius, so that tails reach 7.5, and 24 the angle. NumPy's functions are faster here than
        torch's on one core, and give an entry the same bits wherever it lies in an array.
        """
        words = self._stream(name, self.names.index(name)).bit_generator.random_raw
        pairs = (columns + 1) // 2
        values = np.empty((rows, 2, pairs), dtype=np.float32)
        for part in np.array_split(values, max(1, min(rows, rows * pairs // CACHED))):
            _box_muller(words(len(part) * pairs).reshape(len(part), pairs), out=part)
        return torch.from_numpy(values).view(rows, 2 * pairs)[:, :columns]

    def uniform(self, name: str, rows: int, columns: int) -> Tensor:
        """Return the next rows of a tensor's gates: multiples of 2^-24 in [0, 1), all alike.

        They come from a stream of their own, so that they move no normal number.
        """
        stream = self._stream(f"gates/{name}", self.names.index(name), 1)
        return torch.from_numpy(stream.random((rows, columns), dtype=np.float32))

    def _stream(self, label: str, *key: int) -> np.random.Generator:
        if label not in self._streams:
            seed = np.random.SeedSequence([self.root, self.draw, self.block, *key])
            self._streams[label] = np.random.Generator(np.random.SFC64(seed))
        return self._streams[label]


def _box_muller(words: Words, *, out: Floats) -> None:
    """Write a pair of normal numbers for each word, shapes (rows, pairs) and (rows, 2, pairs)."""
    radius = (words >> np.uint64(24)).view(np.int64).astype(np.float32)
    radius += np.float32(0.5)
    radius *= np.float32(2.0**-40)
    np.log(radius, out=radius)
    radius *= np.float32(-2)
    np.sqrt(radius, out=radius)
    angle = (words & np.uint64(2**24 - 1)).view(np.int64).astype(np.float32)
    angle *= np.float32(2 * math.pi * 2.0**-24)
    np.cos(angle, out=out[:, 0])
    np.sin(angle, out=out[:, 1])
    out *= radius[:, None]
