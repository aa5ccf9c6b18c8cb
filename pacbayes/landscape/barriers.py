"""Barriers: how high the loss rises on the straight line between two networks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from pacbayes.data import Examples
from pacbayes.errors import InputError, UsageError
from pacbayes.landscape.statistics import re_estimated
from pacbayes.landscape.surface import LossName, Point, Surface, state_of
from pacbayes.pruning import State
from pacbayes.tickets import Tensors

BufferRule = Literal["interpolate", "re-estimate"]
Reference = Literal["mean", "line", "larger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """The loss along a segment, and how far it rises above its ends. An estimate.

    Attributes:
        path: mean loss at equally spaced points, both ends included.
        height: largest rise of the path above the reference.
        low: lower end of the 95 % interval of the rise at that point over the sample, from the
            differences of single examples; that the point was chosen as the highest is not in it.
        high: upper end.
        top: where that point lies, in [0, 1].
        reference: what the rise is measured from: ``mean`` of the ends (Frankle et al. 2020),
            ``line`` between them, or the ``larger`` of them.
        loss: ``error``, ``cross-entropy`` or ``squared``.
        buffers: how the points between got their running statistics.
        n: examples in the sample.
    """

    path: tuple[float, ...]
    height: float
    low: float
    high: float
    top: float
    reference: Reference
    loss: LossName
    buffers: BufferRule
    n: int

    @property
    def positions(self) -> tuple[float, ...]:
        """Where the points of the path lie, in [0, 1]."""
        last = len(self.path) - 1
        return tuple(place / last for place in range(len(self.path)))

    def height_above(self, reference: Reference) -> float:
        """Return the largest rise of the path above another reference.

        Raises:
            UsageError: there is no such reference.
        """
        return max(_rises(self.path, reference))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sublevel:
    """Whether a network lies in the sublevel set of another. An estimate.

    Attributes:
        member: its loss is at most the level.
        connected: so is the loss at every point of the segment between them, that is, it lies in
            the linearly connected sublevel set (Paul et al. 2023).
        level: loss of the first network, plus the tolerance.
        barrier: the segment.
    """

    member: bool
    connected: bool
    level: float
    barrier: Barrier

    @classmethod
    def of(cls, barrier: Barrier, *, tolerance: float) -> "Sublevel":
        """Return what a segment says about the sublevel set of its start.

        Raises:
            UsageError: the tolerance is negative.
        """
        if not tolerance >= 0:
            raise UsageError(f"tolerance must be at least 0, got {tolerance}")
        level = barrier.path[0] + tolerance
        return cls(
            member=barrier.path[-1] <= level,
            connected=max(barrier.path) <= level,
            level=level,
            barrier=barrier,
        )


def barrier(
    model: nn.Module,
    start: Point,
    end: Point,
    sample: Examples,
    *,
    points: int = 11,
    loss: LossName = "error",
    buffers: BufferRule = "interpolate",
    statistics: Examples | None = None,
    reference: Reference = "mean",
) -> Barrier:
    """Return the barrier between two networks; exactly 0 between a network and itself.

    The path is ``start + t (end - start)`` for ``points`` values of t. A narrow peak between two
    of them is missed, so the height errs downwards. Above ``larger`` and ``mean`` it is at least 0;
    a slope without any bump still gives half the difference of the ends above their ``mean``.

    Args:
        model: the network.
        start: a ticket, a state, or weights by name.
        end: another.
        sample: examples that the loss is averaged over, at least 2.
        points: values of t, at least 2.
        loss: ``error``, ``cross-entropy`` or ``squared``.
        buffers: ``interpolate`` running statistics like weights, or ``re-estimate`` them at every
            point, the ends included.
        statistics: the examples to re-estimate on, for a held-out sample; by default the sample.
        reference: ``mean``, ``line`` or ``larger``.

    Raises:
        UsageError: an argument is outside its range.
        InputError: the weights do not fit the network, or the loss is not finite.

    References:
        Frankle, Dziugaite, Roy and Carbin (2020), linear mode connectivity.
    """
    if points < 2:
        raise UsageError(f"a path needs at least 2 points, got {points}")
    if buffers not in get_args(BufferRule):
        raise UsageError(f"buffers must be one of {list(get_args(BufferRule))}, got {buffers!r}")
    if len(sample) < 2:
        raise UsageError("a barrier needs at least 2 examples")
    surface = Surface.of(model, sample, loss)
    first, last = state_of(start, model), state_of(end, model)
    measured = []
    for place in range(points):
        between = _between(first, last, place / (points - 1))
        if buffers == "re-estimate":
            between = re_estimated(model, between.weights, statistics or sample)
        measured.append(surface.losses(between))
    return _barrier(measured, reference=reference, loss=loss, buffers=buffers)


def chain(
    model: nn.Module,
    tickets: Sequence[Point],
    sample: Examples,
    *,
    points: int = 11,
    loss: LossName = "error",
    buffers: BufferRule = "interpolate",
    statistics: Examples | None = None,
    reference: Reference = "mean",
) -> tuple[Barrier, ...]:
    """Return the barriers between neighbours of a chain, such as the levels of one search.

    Args:
        model: the network.
        tickets: at least 2, in order.
        sample: see :func:`barrier`, also for the other arguments.
        points: see there.
        loss: see there.
        buffers: see there.
        statistics: see there.
        reference: see there.

    Raises:
        UsageError: there are fewer than 2 tickets, or an argument is outside its range.
    """
    if len(tickets) < 2:
        raise UsageError(f"a chain needs at least 2 tickets, got {len(tickets)}")
    return tuple(
        barrier(
            model,
            start,
            end,
            sample,
            points=points,
            loss=loss,
            buffers=buffers,
            statistics=statistics,
            reference=reference,
        )
        for start, end in pairwise(tickets)
    )


def same_sublevel_set(
    model: nn.Module,
    start: Point,
    end: Point,
    sample: Examples,
    *,
    tolerance: float,
    points: int = 11,
    loss: LossName = "error",
    buffers: BufferRule = "interpolate",
    statistics: Examples | None = None,
) -> Sublevel:
    """Return whether ``end`` lies in the sublevel set of ``start``, and linearly connected to it.

    The level is the loss of ``start`` plus the tolerance. Peaks between the points are missed.

    Args:
        model: the network.
        start: defines the level.
        end: is asked about.
        sample: see :func:`barrier`, also for the other arguments.
        tolerance: how much worse than ``start`` still counts, at least 0.
        points: see there.
        loss: see there.
        buffers: see there.
        statistics: see there.

    Raises:
        UsageError: the tolerance is negative, or another argument is outside its range.
    """
    found = barrier(
        model,
        start,
        end,
        sample,
        points=points,
        loss=loss,
        buffers=buffers,
        statistics=statistics,
        reference="larger",
    )
    return Sublevel.of(found, tolerance=tolerance)


def _between(start: State, end: State, t: float) -> State:
    return State(
        weights=_mixed(start.weights, end.weights, t),
        buffers=_mixed(start.buffers, end.buffers, t),
    )


def _mixed(start: Tensors, end: Tensors, t: float) -> dict[str, Tensor]:
    # lerp gives back an end exactly, and equal ends for every t: (1 - t) x + t x does not.
    return {
        name: torch.lerp(tensor, end[name], t)
        if tensor.is_floating_point()
        else (tensor if t < 0.5 else end[name]).clone()
        for name, tensor in start.items()
    }


def _rises(path: Sequence[float], reference: Reference) -> list[float]:
    first, last = path[0], path[-1]
    if reference == "mean":
        floors = [first + 0.5 * (last - first)] * len(path)
    elif reference == "larger":
        floors = [max(first, last)] * len(path)
    elif reference == "line":
        steps = len(path) - 1
        floors = [first + k / steps * (last - first) for k in range(steps)] + [last]
    else:
        raise UsageError(f"reference must be one of {list(get_args(Reference))}, got {reference!r}")
    return [value - floor for value, floor in zip(path, floors, strict=True)]


def _barrier(
    measured: list[Tensor], *, reference: Reference, loss: LossName, buffers: BufferRule
) -> Barrier:
    path = tuple(float(each.mean()) for each in measured)
    if not all(map(math.isfinite, path)):
        raise InputError("the loss is not finite on the segment; measure the error instead")
    rises = _rises(path, reference)
    place = max(range(len(rises)), key=rises.__getitem__)
    t = place / (len(path) - 1)
    first, last = measured[0], measured[-1]
    if reference == "mean":
        floor = 0.5 * (first + last)
    elif reference == "line":
        floor = torch.lerp(first, last, t)
    else:
        floor = first if path[0] >= path[-1] else last
    # 1.96 standard errors of the mean difference: examples are many, so the normal law will do.
    spread = float((measured[place] - floor).std()) / math.sqrt(len(first))
    half = 1.959964 * spread
    return Barrier(
        path=path,
        height=rises[place],
        low=rises[place] - half,
        high=rises[place] + half,
        top=t,
        reference=reference,
        loss=loss,
        buffers=buffers,
        n=len(first),
    )
