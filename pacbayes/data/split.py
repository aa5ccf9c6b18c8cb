"""Which training examples the prior may see, and which the certificate rests on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from pacbayes.data.archive import read_npz
from pacbayes.errors import InputError, Problem, UnsoundError, UsageError
from pacbayes.runtime.reading import read_json, sha256_file
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Two disjoint sets of training-example indices; the only source of ``n``.

    Attributes:
        prior: what the prior may see; may be empty.
        certificate: what the certificate rests on.
        description: how the sets came about.

    Raises:
        UnsoundError: an index is in both sets (V1).
        UsageError: the certificate part is empty, or the sets refer to different data.
    """

    prior: IndexSet
    certificate: IndexSet
    description: dict[str, Any]

    def __post_init__(self) -> None:
        if not self.prior.isdisjoint(self.certificate):
            both = np.intersect1d(self.prior.indices, self.certificate.indices)
            message = (
                f"{both.size} examples are in the prior part and in the certificate part, "
                f"index {both[0]} first; a prior must not see what it is certified on"
            )
            raise UnsoundError([Problem(condition="V1", message=message)])
        if not len(self.certificate):
            raise UsageError("the certificate part is empty; give it some examples")

    @property
    def n(self) -> int:
        """Number of examples that the certificate rests on."""
        return len(self.certificate)

    @classmethod
    def everything(cls, total: int) -> Self:
        """Return the split without a prior part: all examples are for the certificate.

        Example:
            >>> Split.everything(5).n
            5
        """
        return cls(
            prior=IndexSet.none(total),
            certificate=IndexSet.all(total),
            description={"method": "everything"},
        )


def split_by_fraction(total: int, fraction: float, seeds: Seeds) -> Split:
    """Return a random split whose prior part has ``round(fraction * total)`` examples.

    The examples are ordered once by the seeds, whatever the fraction, and the prior part is taken
    from the front: the prior part of a smaller fraction is inside that of a larger one.

    Args:
        total: number of training examples.
        fraction: share of the prior part, in (0, 1).
        seeds: randomness, stream ``split``.

    Raises:
        UsageError: the fraction leaves one of the parts empty.

    Example:
        >>> split = split_by_fraction(10, 0.3, Seeds(1))
        >>> len(split.prior), len(split.certificate)
        (3, 7)
    """
    if not 0 < fraction < 1:
        raise UsageError(f"the share of the prior part must lie in (0, 1), got {fraction}")
    count = round(fraction * total)
    if not 0 < count < total:
        raise UsageError(f"a share of {fraction} of {total} examples leaves a part empty")
    order = seeds.numpy("split").permutation(total)
    return Split(
        prior=IndexSet.of(order[:count], total=total),
        certificate=IndexSet.of(order[count:], total=total),
        description={"method": "fraction", "fraction": str(fraction)},
    )


def split_from_file(path: Path | str, total: int) -> Split:
    """Return the split that a file lists.

    The file holds ``prior`` and ``certificate``, two lists of indices counted from 0: a JSON
    object, or an ``.npz`` archive of integer arrays.

    Args:
        path: the file.
        total: number of training examples.

    Raises:
        InputError: the file can't be read, or an index is repeated or out of range.
        UnsoundError: an index is in both lists.
    """
    path = Path(path)
    lists: dict[str, Any] = read_npz(path) if path.suffix == ".npz" else read_json(path)
    if set(lists) != {"prior", "certificate"}:
        raise InputError(f"{path}: must hold prior and certificate, got {sorted(lists)}")
    prior, certificate = (_indices(path, name, lists[name], total) for name in sorted(lists)[::-1])
    if not len(certificate):
        raise InputError(f"{path}: certificate is empty")
    return Split(
        prior=prior,
        certificate=certificate,
        description={"method": "file", "sha256": sha256_file(path)},
    )


def _indices(path: Path, name: str, value: Any, total: int) -> IndexSet:
    if isinstance(value, list):
        if any(type(index) is not int or not 0 <= index < total for index in value):
            raise InputError(f"{path}: {name} must list integers in [0, {total})")
        value = np.array(value, dtype=np.int64)
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in "iu":
        raise InputError(f"{path}: {name} must be a list of integers")
    if value.size and not 0 <= int(value.min()) <= int(value.max()) < total:
        raise InputError(f"{path}: {name} must list integers in [0, {total})")
    try:
        return IndexSet.of(value, total=total)
    except UsageError as error:
        raise InputError(f"{path}: {name}: {error}") from error
