"""Equal contents under different indices: they break independence."""

from dataclasses import dataclass

import numpy as np

from pacbayes.data.dataset import Examples
from pacbayes.data.items import as_keys
from pacbayes.data.split import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Examples of the certificate part whose content and label occur elsewhere.

    Attributes:
        within: examples of the certificate part that repeat an earlier one.
        across: examples of the certificate part that are also in the prior part.
        first_across: index in the prior part and index in the certificate part of the first such
            pair, in the order of the certificate part.
        n_unique: distinct contents in the certificate part.
    """

    within: int
    across: int
    first_across: tuple[int, int] | None
    n_unique: int


def duplicates(examples: Examples, split: Split) -> Duplicates:
    """Return how many examples of the certificate part occur more than once.

    Args:
        examples: all training examples.
        split: prior part and certificate part.
    """
    keys = as_keys(examples.items)
    ours, theirs = keys[split.certificate.indices], keys[split.prior.indices]
    n_unique = int(np.unique(ours).size)
    hits = np.flatnonzero(np.isin(ours, theirs))
    first = None
    if hits.size:
        there = int(np.flatnonzero(theirs == ours[hits[0]])[0])
        first = (int(split.prior.indices[there]), int(split.certificate.indices[hits[0]]))
    return Duplicates(
        within=len(ours) - n_unique, across=int(hits.size), first_across=first, n_unique=n_unique
    )
