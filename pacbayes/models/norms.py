"""Normalisation layers of our own convolution networks."""

from collections.abc import Callable
from typing import Final

from torch import nn

from pacbayes.errors import UsageError

KINDS: Final = ("batch", "group")
GROUPS: Final = 8

NormFactory = Callable[[int], nn.Module]
"""From a number of channels to the layer that normalises them."""


def norm_factory(norm: str, groups: int = GROUPS) -> NormFactory:
    """Return what makes a network's normalisation layers.

    BatchNorm keeps running statistics of what it was trained on; GroupNorm looks at one example at
    a time and keeps nothing, so it needs no rule for statistics in a certificate.

    Args:
        norm: ``batch`` or ``group``.
        groups: of GroupNorm; at most one per channel, and they must divide the channels.

    Raises:
        UsageError: the kind is unknown, or there is no group.

    References:
        Ioffe and Szegedy (2015); Wu and He (2018).

    Example:
        >>> norm_factory("group", 4)(16).num_groups
        4
    """
    if norm not in KINDS:
        raise UsageError(f"norm must be {' or '.join(KINDS)}, got {norm!r}")
    if type(groups) is not int or groups < 1:
        raise UsageError(f"groups must be a positive integer, got {groups!r}")
    if norm == "batch":
        return nn.BatchNorm2d

    def group(channels: int) -> nn.Module:
        if channels % min(groups, channels):
            raise UsageError(f"{groups} groups do not divide {channels} channels")
        return nn.GroupNorm(min(groups, channels), channels)

    return group
