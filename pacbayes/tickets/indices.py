"""Sets of training-example indices: who saw what."""

import base64
import binascii
import hashlib
import zlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pacbayes.errors import InputError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IndexSet:
    """A set of indices into ``total`` training examples.

    Attributes:
        total: number of training examples that the indices refer to.
        indices: sorted distinct int64 indices in ``[0, total)``.  # (k,)

    Example:
        >>> IndexSet.of([3, 1], total=5).isdisjoint(IndexSet.of([0, 2], total=5))
        True
    """

    total: int
    indices: np.ndarray

    @classmethod
    def of(cls, indices: Any, *, total: int) -> Self:
        """Return the set of ``indices``; refuses duplicates and values outside the range.

        Raises:
            UsageError: an index is repeated, negative or at least ``total``.
        """
        array = np.asarray(indices, dtype=np.int64).reshape(-1)
        distinct = np.unique(array)
        if distinct.size != array.size:
            raise UsageError(f"index list has {array.size - distinct.size} repeated indices")
        if distinct.size and (distinct[0] < 0 or distinct[-1] >= total):
            raise UsageError(f"indices must lie in [0, {total}), got {distinct[0]}..{distinct[-1]}")
        distinct.setflags(write=False)
        return cls(total=total, indices=distinct)

    @classmethod
    def none(cls, total: int) -> Self:
        """Return the empty set."""
        return cls.of([], total=total)

    @classmethod
    def all(cls, total: int) -> Self:
        """Return the set of all indices."""
        return cls.of(np.arange(total), total=total)

    def __len__(self) -> int:
        return int(self.indices.size)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, IndexSet)
            and self.total == other.total
            and np.array_equal(self.indices, other.indices)
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def _same_total(self, other: "IndexSet") -> None:
        if self.total != other.total:
            raise UsageError(
                f"index sets refer to {self.total} and {other.total} examples; "
                "they must come from the same data"
            )

    def isdisjoint(self, other: "IndexSet") -> bool:
        """Return whether no index is in both sets."""
        self._same_total(other)
        return np.intersect1d(self.indices, other.indices, assume_unique=True).size == 0

    def union(self, other: "IndexSet") -> "IndexSet":
        """Return the indices that are in either set."""
        self._same_total(other)
        return IndexSet.of(np.union1d(self.indices, other.indices), total=self.total)

    def complement(self) -> "IndexSet":
        """Return the indices that are not in this set."""
        rest = np.setdiff1d(np.arange(self.total), self.indices, assume_unique=True)
        return IndexSet.of(rest, total=self.total)

    @property
    def digest(self) -> str:
        """SHA-256 of the total and of the sorted indices as little-endian 64-bit integers."""
        header = f"pacbayes/indices/1\n{self.total}\n".encode()
        return hashlib.sha256(header + self.indices.astype("<i8").tobytes()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return a compact JSON value: a deflated bit mask in base64."""
        member = np.zeros(self.total, dtype=np.uint8)
        member[self.indices] = 1
        bits = base64.b64encode(zlib.compress(np.packbits(member).tobytes(), 9)).decode()
        return {"total": self.total, "count": len(self), "bits": bits, "sha256": self.digest}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the set written by :meth:`to_json`.

        Raises:
            InputError: a field is missing or does not fit the others.
        """
        try:
            total, count, sha256 = int(value["total"]), int(value["count"]), value["sha256"]
            size = (total + 7) // 8
            unpacker = zlib.decompressobj()
            packed = unpacker.decompress(base64.b64decode(value["bits"], validate=True), size + 1)
            member = np.unpackbits(np.frombuffer(packed, dtype=np.uint8))
        except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
            raise InputError(f"index set is malformed: {error}") from error
        if len(packed) != size or member[total:].any() or int(member.sum()) != count:
            raise InputError("index set is malformed: total, count and bits do not fit together")
        found = cls.of(np.flatnonzero(member), total=total)
        if found.digest != sha256:
            raise InputError("index set is malformed: sha256 does not fit the bits")
        return found
