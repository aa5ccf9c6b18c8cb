"""Which connections several masks have in common, against what chance would give."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

from pacbayes.errors import InputError, UsageError
from pacbayes.tickets.mask import Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Kept connections that several masks share, in one tensor or in all.

    Attributes:
        entries: prunable entries.
        kept: kept entries of each mask.
        common: entries that every mask keeps.
        either: entries that at least one mask keeps.
        expected: mean of ``common`` for independent masks with the same counts in each tensor,
            uniform over their positions.
        deviation: standard deviation of ``common`` under the same chance.
    """

    entries: int
    kept: tuple[int, ...]
    common: int
    either: int
    expected: float
    deviation: float

    @property
    def share_of_all(self) -> float:
        """Common over all entries, in [0, 1]."""
        return self.common / self.entries if self.entries else 0.0

    @property
    def share_of_kept(self) -> float:
        """Common over the mean number of kept entries, in [0, 1]."""
        total = sum(self.kept)
        return self.common * len(self.kept) / total if total else 0.0

    @property
    def times_chance(self) -> float | None:
        """Common over its chance mean; ``None`` where that is zero."""
        return self.common / self.expected if self.expected > 0 else None

    @property
    def deviations(self) -> float | None:
        """Standard deviations above chance; ``None`` where chance leaves no freedom."""
        return (self.common - self.expected) / self.deviation if self.deviation > 0 else None

    def to_json(self) -> dict[str, Any]:
        """Return counts and shares as JSON."""
        return {
            "entries": self.entries,
            "kept": list(self.kept),
            "common": self.common,
            "either": self.either,
            "expected": self.expected,
            "deviation": self.deviation,
            "share_of_all": self.share_of_all,
            "share_of_kept": self.share_of_kept,
            "times_chance": self.times_chance,
            "deviations": self.deviations,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What several masks have in common.

    Attributes:
        whole: all tensors together.
        tensors: each tensor, by name.
        common: the mask of the common connections.
    """

    whole: Common
    tensors: dict[str, Common]
    common: Mask

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON, without the positions."""
        tensors = {name: row.to_json() for name, row in self.tensors.items()}
        return {"whole": self.whole.to_json(), "tensors": tensors}


def overlap(masks: Sequence[Mask]) -> Overlap:
    """Return what two or more masks of the same network have in common.

    Chance keeps the number of kept entries of every mask in every tensor, so that agreement about
    how much of each tensor is kept does not count as agreement about connections. The common
    connections of a set and of the mask found later tell how often the set survives.

    Args:
        masks: with the same names and shapes.

    Raises:
        UsageError: there are fewer than two masks.
        InputError: names or shapes differ.

    Example:
        >>> first = Mask({"w": torch.tensor([[True, True, False, False]])})
        >>> second = Mask({"w": torch.tensor([[True, False, True, False]])})
        >>> found = overlap([first, second]).whole
        >>> found.common, found.expected, round(found.deviation, 6)
        (1, 1.0, 0.57735)
    """
    if len(masks) < 2:
        raise UsageError(f"an overlap needs at least two masks, got {len(masks)}")
    first = masks[0]
    for place, mask in enumerate(masks[1:], start=2):
        if {k: t.shape for k, t in mask.items()} != {k: t.shape for k, t in first.items()}:
            raise InputError(f"mask {place} is of another network than mask 1")
    rows, common, variances = {}, {}, []
    for name in first:
        layers = torch.stack([mask[name] for mask in masks])
        common[name] = layers.all(dim=0)
        kept = tuple(int(layer.sum()) for layer in layers)
        mean, variance = chance(first[name].numel(), kept)
        variances.append((mean, variance))
        rows[name] = Common(
            entries=first[name].numel(),
            kept=kept,
            common=int(common[name].sum()),
            either=int(layers.any(dim=0).sum()),
            expected=float(mean),
            deviation=math.sqrt(variance),
        )
    whole = Common(
        entries=first.prunable,
        kept=tuple(mask.kept for mask in masks),
        common=sum(row.common for row in rows.values()),
        either=sum(row.either for row in rows.values()),
        expected=float(sum(mean for mean, _ in variances)),
        deviation=math.sqrt(sum(variance for _, variance in variances)),
    )
    return Overlap(whole=whole, tensors=rows, common=Mask(common))


def chance(entries: int, kept: Sequence[int]) -> tuple[Fraction, Fraction]:
    """Return mean and variance of the number of entries that independent random sets share.

    With N entries and sets of k_1, ..., k_m, uniform of their sizes: the mean is
    ``N prod(k_i / N)``, and an ordered pair of entries is shared with probability
    ``prod(k_i (k_i - 1) / (N (N - 1)))``; for two sets this is the hypergeometric law.

    Example:
        >>> mean, variance = chance(10, [4, 5])
        >>> mean, variance
        (Fraction(2, 1), Fraction(2, 3))
    """
    if entries < 2:
        return Fraction(math.prod(kept) if entries else 0), Fraction(0)
    single, pair = Fraction(1), Fraction(1)
    for count in kept:
        single *= Fraction(count, entries)
        pair *= Fraction(count * (count - 1), entries * (entries - 1))
    mean = entries * single
    return mean, entries * (entries - 1) * pair + mean - mean * mean
