"""Named streams of random numbers, all derived from one integer."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pacbayes.errors import UsageError

if TYPE_CHECKING:
    import torch

WORD = 2**32


@dataclass(frozen=True, slots=True)
class Seeds:
    """The root of all randomness of one run.

    Every stream is a function of (root, name, keys) alone, so that results don't depend on the
    order in which streams are used. Root, name and keys enter NumPy's ``SeedSequence`` as 32-bit
    words of fixed number: 8 for the root, 4 from the SHA-256 of the name, 2 for each key.

    Attributes:
        root: integer in [0, 2**256), so a SHA-256 may serve.

    Raises:
        UsageError: the root is not such an integer.

    Example:
        >>> seeds = Seeds(1)
        >>> bool(seeds.numpy("split").random() == Seeds(1).numpy("split").random())
        True
        >>> bool(seeds.numpy("draw", 0).random() == seeds.numpy("draw", 1).random())
        False
    """

    root: int

    def __post_init__(self) -> None:
        _words(self.root, 8, what="seed")

    def numpy(self, stream: str, *keys: int) -> np.random.Generator:
        """Return a generator for the stream and keys, each key in [0, 2**64)."""
        return np.random.default_rng(self._sequence(stream, keys))

    def torch(self, stream: str, *keys: int) -> "torch.Generator":
        """Return a CPU generator for the stream and keys.

        Its seed has 63 bits, of which torch's CPU generator uses the lower 32.
        """
        import torch

        return torch.Generator().manual_seed(self.integer(stream, *keys))

    def integer(self, stream: str, *keys: int) -> int:
        """Return an integer in [0, 2**63) for libraries that take a plain seed."""
        state = self._sequence(stream, keys).generate_state(1, np.uint64)
        return int(state[0]) & (2**63 - 1)

    def child(self, stream: str) -> "Seeds":
        """Return seeds of their own for a part of the run."""
        text = f"pacbayes/seeds/1\n{self.root}\n{stream}".encode()
        return Seeds(int.from_bytes(hashlib.sha256(text).digest(), "big"))

    def _sequence(self, stream: str, keys: tuple[int, ...]) -> np.random.SeedSequence:
        name = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:16], "big")
        words = _words(self.root, 8, what="seed") + _words(name, 4, what="stream")
        for key in keys:
            words += _words(key, 2, what="key of a seed")
        return np.random.SeedSequence(words)


def _words(value: int, count: int, *, what: str) -> list[int]:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise UsageError(f"{what} must be an integer, got {value!r}")
    number = int(value)
    if not 0 <= number < WORD**count:
        raise UsageError(f"{what} must lie in [0, 2**{32 * count}), got {number}")
    return [number >> (32 * place) & (WORD - 1) for place in range(count)]
