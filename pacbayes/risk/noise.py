"""Reproducible noise: one stream for each draw, block of examples and tensor."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

BLOCK = 250
"""Examples per block; part of the definition of the noise, so it never changes."""


@dataclass(slots=True, kw_only=True)
class BlockNoise:
    """Standard normal numbers for one block of examples in one draw.

    The stream of a tensor starts from ``SeedSequence([root, draw, block, position of its name])``,
    so the numbers depend neither on the order of execution nor on how a block is cut into chunks:
    rows are consumed in the order of the examples.

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
        """Return the next rows of a tensor's stream, float32, of shape (rows, columns)."""
        if name not in self._streams:
            key = [self.root, self.draw, self.block, self.names.index(name)]
            self._streams[name] = np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))
        values = self._streams[name].standard_normal((rows, columns), dtype=np.float32)
        return torch.from_numpy(values)
