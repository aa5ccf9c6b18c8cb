"""Sets of training-example indices: who saw what."""

import base64
import hashlib
import operator
import zlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pacbayes.errors import InputError, UsageError

# Beyond any data set, and small enough that a hostile file can't exhaust the memory.
MAX_TOTAL = 10**8
_FIELDS = {"total", "count", "bits", "sha256"}


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

    def __post_init__(self) -> None:
        if type(self.total) is not int or not 0 <= self.total <= MAX_TOTAL:
            raise UsageError(f"total must be an integer in [0, {MAX_TOTAL}], got {self.total!r}")
        array = np.array(self.indices, dtype=np.int64)  # a copy that nobody else can write to
        if array.ndim != 1 or (np.diff(array) <= 0).any():
            raise UsageError("indices must be sorted and distinct; use IndexSet.of")
        if array.size and not 0 <= array[0] <= array[-1] < self.total:
            raise UsageError(f"indices must lie in [0, {self.total}), got {array[0]}..{array[-1]}")
        array.setflags(write=False)
        object.__setattr__(self, "indices", array)

    @classmethod
    def of(cls, indices: Any, *, total: int) -> Self:
        """Return the set of ``indices``, given in any order.

        Raises:
            UsageError: an index is repeated, negative, at least ``total`` or no integer.
        """
        array = np.asarray(indices).reshape(-1)
        # A bool mask or a list of fractions would turn into wrong indices without a word.
        if array.size and array.dtype.kind not in "iu":
            raise UsageError(f"indices must be integers, got {array.dtype}")
        distinct = np.unique(array)
        if distinct.size != array.size:
            raise UsageError(f"index list has {array.size - distinct.size} repeated indices")
        if distinct.size and int(distinct[-1]) >= total:  # before uint64 wraps to negative
            raise UsageError(f"indices must lie in [0, {total}), got {distinct[0]}..{distinct[-1]}")
        return cls(total=operator.index(total), indices=distinct)

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

    def minus(self, other: "IndexSet") -> "IndexSet":
        """Return the indices of this set that are not in the other."""
        self._same_total(other)
        rest = np.setdiff1d(self.indices, other.indices, assume_unique=True)
        return IndexSet.of(rest, total=self.total)

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
            InputError: a field is missing, unknown, of another type, or does not fit the others.
        """
        if not isinstance(value, dict) or set(value) != _FIELDS:
            raise InputError(f"index set is malformed: it must have {', '.join(sorted(_FIELDS))}")
        total, count, bits = value["total"], value["count"], value["bits"]
        if type(total) is not int or not 0 <= total <= MAX_TOTAL or type(count) is not int:
            raise InputError("index set is malformed: total and count must be counts")
        if not isinstance(bits, str):
            raise InputError("index set is malformed: bits must be base64 text")
        size = (total + 7) // 8
        unpacker = zlib.decompressobj()
        try:
            # One byte more than allowed is enough to see that there are too many.
            packed = unpacker.decompress(base64.b64decode(bits, validate=True), size + 1)
        except (ValueError, zlib.error) as error:
            raise InputError(f"index set is malformed: {ascii(str(error))[1:-1]}") from error
        member = np.unpackbits(np.frombuffer(packed, dtype=np.uint8))
        whole = unpacker.eof and not unpacker.unused_data and len(packed) == size
        if not whole or member[total:].any() or int(member.sum()) != count:
            raise InputError("index set is malformed: total, count and bits do not fit together")
        found = cls.of(np.flatnonzero(member), total=total)
        if found.digest != value["sha256"]:
            raise InputError("index set is malformed: sha256 does not fit the bits")
        return found
