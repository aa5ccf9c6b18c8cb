"""Examples as tensors, with the identity of each, and the transformation they went through."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from pacbayes.data.items import ordered_digest
from pacbayes.errors import InputError, UsageError
from pacbayes.tickets import IndexSet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examples:
    """Inputs, labels and item hashes, in one order.

    Attributes:
        inputs: what the network sees, float32, finite.  # (N, *shape)
        labels: classes, int64.  # (N,)
        items: SHA-256 of each example's decoded content and label, uint8.  # (N, 32)

    Raises:
        InputError: lengths or dtypes don't fit, or an input is not finite.
    """

    inputs: Tensor
    labels: Tensor
    items: np.ndarray[Any, Any]

    def __post_init__(self) -> None:
        if not len(self.inputs) == len(self.labels) == len(self.items):
            raise InputError(
                f"there are {len(self.inputs)} inputs, {len(self.labels)} labels and "
                f"{len(self.items)} item hashes"
            )
        if self.inputs.dtype != torch.float32 or self.inputs.ndim < 2:
            raise InputError("inputs must be float32 of shape (N, ...)")
        if self.labels.dtype != torch.int64 or self.labels.ndim != 1:
            raise InputError("labels must be int64 of shape (N,)")
        if self.items.dtype != np.uint8 or self.items.shape[1:] != (32,):
            raise InputError("item hashes must be uint8 of shape (N, 32)")
        # The sum is finite or NaN/inf without a bool tensor of the size of the inputs.
        if len(self.inputs) and not bool(torch.isfinite(self.inputs.sum(dtype=torch.float64))):
            where = torch.nonzero(~torch.isfinite(self.inputs))[0].tolist()
            value = self.inputs[tuple(where)].item()
            raise InputError(f"input {where[0]} is not finite: {value} at {where[1:]}")

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, indices: IndexSet) -> "Examples":
        """Return the examples of an index set, in the order of the indices.

        Raises:
            UsageError: the indices refer to another number of examples.
        """
        if indices.total != len(self):
            raise UsageError(f"indices refer to {indices.total} examples, there are {len(self)}")
        rows = torch.from_numpy(indices.indices.copy())
        return Examples(
            inputs=self.inputs[rows], labels=self.labels[rows], items=self.items[indices.indices]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """How decoded content became inputs; constants are part of the predictor.

    Attributes:
        text: in a word or two: ``pixels/255``, ``values/16``, ``as given``, ``standardize``.
        mean: per channel, subtracted after that scaling; decimal strings.
        std: per channel, divided by afterwards.
        source: ``fixed`` before any data were seen, or ``declared`` by the user.
    """

    text: str
    mean: tuple[str, ...] = ()
    std: tuple[str, ...] = ()
    source: Literal["fixed", "declared"] = "fixed"

    def fits_statistics(self, examples: Examples) -> bool:
        """Return whether the constants look computed from these very examples.

        True if every constant equals the mean or standard deviation of its channel, within 1e-6 or
        rounded to the decimals that it was given with, if those are two or more. Such constants
        have seen the examples.

        Args:
            examples: standardised by this transformation.
        """
        if not self.mean or not len(examples):
            return False
        axes = [a for a in range(examples.inputs.ndim) if a != 1 or len(self.mean) == 1]
        now_std, now_mean = torch.std_mean(examples.inputs.double(), dim=axes, correction=0)
        pairs = zip(self.mean, self.std, now_mean.reshape(-1), now_std.reshape(-1), strict=True)
        for mean, std, left, spread in pairs:
            scale = float(std)
            found_mean, found_std = float(mean) + scale * float(left), scale * float(spread)
            if not (_agrees(mean, found_mean) and _agrees(std, found_std)):
                return False
        return True


def _agrees(text: str, found: float) -> bool:
    exponent = Decimal(text).as_tuple().exponent
    # One decimal, as in 0.5, is what people choose without looking.
    half_unit = 0.5 * 10.0**exponent if isinstance(exponent, int) and exponent < -1 else 0.0
    return abs(float(text) - found) <= max(half_unit, 1e-6) * (1 + 1e-6)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data:
    """Training examples, test examples if there are any, and what they are.

    Attributes:
        name: short name, for example ``mnist``.
        train: the training examples; indices of splits and provenance refer to them.
        test: examples never used for a certificate or its prior.
        classes: number of classes, at least 2.
        transform: preprocessing.
        description: the source in one sentence.
        builtin: whether the source is one whose sampling this package vouches for.
        spec: the text that loads it again.

    Raises:
        InputError: there are no examples, shapes differ, or a label is outside [0, classes).
    """

    name: str
    train: Examples
    test: Examples | None = None
    classes: int
    transform: Transform
    description: str
    builtin: bool
    spec: str

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise InputError(f"{self.name}: there must be at least 2 classes, got {self.classes}")
        for part, examples in (("training", self.train), ("test", self.test)):
            if examples is None:
                continue
            if not len(examples):
                raise InputError(f"{self.name}: there are no {part} examples")
            low, high = int(examples.labels.min()), int(examples.labels.max())
            if low < 0 or high >= self.classes:
                raise InputError(
                    f"{self.name}: {part} labels must lie in [0, {self.classes}), got {low}..{high}"
                )
            if tuple(examples.inputs.shape[1:]) != self.shape:
                raise InputError(f"{self.name}: training and test examples differ in shape")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def digest(self) -> str:
        """SHA-256 of the item hashes of the training examples, in their order."""
        return ordered_digest(self.train.items)
