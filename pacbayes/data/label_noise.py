"""Label noise by a recipe that can be applied again: some labels are drawn at random."""

import hashlib
import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from pacbayes.data.dataset import Data
from pacbayes.errors import InputError, UsageError
from pacbayes.runtime.seeds import Seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelNoise:
    """The recipe: which share of the examples gets labels drawn uniformly from all classes.

    Of N examples, ``ceil(fraction * N)`` are chosen at random and get a label that is uniform over
    all K classes, so a share ``fraction * (1 - 1/K)`` is wrong on average.

    Attributes:
        fraction: decimal text in [0, 1], taken exactly.
        seed: names the chosen examples and their labels.
    """

    fraction: str
    seed: int

    def __post_init__(self) -> None:
        _ = self.exact
        _ = Seeds(self.seed)  # refuses what is no seed

    @property
    def exact(self) -> Fraction:
        """The fraction as an exact number."""
        # Short and without exponent: 1e-999999999 would be a number of a billion digits.
        if not re.fullmatch(r"\d{1,3}(\.\d{1,20})?|\.\d{1,20}", self.fraction, re.ASCII):
            raise UsageError(f"label noise must be a decimal number, got {self.fraction[:40]!r}")
        value = Fraction(self.fraction)
        if not 0 <= value <= 1:
            raise UsageError(f"label noise must lie in [0, 1], got {self.fraction}")
        return value

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as it stands in the notes of a ticket."""
        return {"fraction": self.fraction, "seed": self.seed}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the recipe written by :meth:`to_json`.

        Raises:
            InputError: the value is something else.
        """
        if not isinstance(value, dict) or set(value) != {"fraction", "seed"}:
            raise InputError("label noise must hold fraction and seed")
        if not isinstance(value["fraction"], str) or type(value["seed"]) is not int:
            raise InputError("label noise must hold a fraction as text and a seed as integer")
        try:
            return cls(fraction=value["fraction"], seed=value["seed"])
        except UsageError as error:
            raise InputError(str(error)) from error


def noisy_labels(
    labels: Tensor, *, classes: int, noise: LabelNoise
) -> tuple[Tensor, np.ndarray[Any, Any]]:
    """Return labels after the noise, and the indices of the examples that drew one.

    The order in which examples are chosen does not depend on the fraction: those of a smaller
    fraction are among those of a larger one, with the same labels.

    Args:
        labels: int64.  # (N,)
        classes: number of classes.
        noise: the recipe.

    Example:
        >>> noise = LabelNoise(fraction="0.25", seed=1)
        >>> noisy, chosen = noisy_labels(torch.zeros(10, dtype=torch.int64), classes=5, noise=noise)
        >>> len(noisy), len(chosen)
        (10, 3)
    """
    total = len(labels)
    seeds = Seeds(noise.seed)
    order = seeds.numpy("label noise").permutation(total)
    drawn = seeds.numpy("noisy labels").integers(0, classes, size=total)
    chosen = np.sort(order[: math.ceil(noise.exact * total)])
    noisy = labels.clone()
    noisy[torch.from_numpy(chosen)] = torch.from_numpy(drawn[chosen])
    return noisy, chosen


def with_label_noise(data: Data, noise: LabelNoise) -> Data:
    """Return the data with the recipe applied to the training examples.

    Test examples keep their labels. An example whose label has changed is another example, so its
    item hash and the digest of the data change: a ticket that was trained with noise does not fit
    the clean data, nor the other way round.

    A certificate on these data speaks about examples whose labels are drawn at random with the
    probability that the certificate part realises, ``chosen / n``, not ``fraction`` itself.

    Args:
        data: without noise.
        noise: the recipe.
    """
    train = data.train
    labels, _ = noisy_labels(train.labels, classes=data.classes, noise=noise)
    items = train.items.copy()
    for place in torch.nonzero(labels != train.labels).squeeze(1).tolist():
        label = int(labels[place]).to_bytes(8, "little")
        state = hashlib.sha256(b"pacbayes/relabelled/1\n" + items[place].tobytes() + label)
        items[place] = np.frombuffer(state.digest(), dtype=np.uint8)
    noisy = replace(train, labels=labels, items=items)
    words = f"; {noise.fraction} of the training labels drawn at random (seed {noise.seed})"
    return replace(data, train=noisy, description=data.description + words)
