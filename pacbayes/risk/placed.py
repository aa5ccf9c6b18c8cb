"""Noise for a network that computes elsewhere, or in another type."""

from dataclasses import dataclass

from torch import Tensor

from pacbayes.risk.noise import BlockNoise
from pacbayes.runtime.devices import CPU, Place


@dataclass(slots=True, kw_only=True)
class PlacedNoise(BlockNoise):
    """The numbers of :class:`BlockNoise`, made on the CPU and moved to where they are used.

    So every device gets the same noise, and counts differ by what the devices round otherwise.

    Attributes:
        place: where they are used.
    """

    place: Place = CPU

    def normal(self, name: str, rows: int, columns: int) -> Tensor:
        """Return the next rows of a tensor's stream; see :meth:`BlockNoise.normal`."""
        return self.place.put(BlockNoise.normal(self, name, rows, columns))

    def uniform(self, name: str, rows: int, columns: int) -> Tensor:
        """Return the next rows of a tensor's gates; see :meth:`BlockNoise.uniform`."""
        return self.place.put(BlockNoise.uniform(self, name, rows, columns))
