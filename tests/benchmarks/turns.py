"""Calls that take turns, and one row of the table made of their seconds."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Call = Callable[[], None]
WARM = 2
"""Turns that are not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        what: what was measured.
        ours: how long, or how much, with its unit.
        beside: what it is compared with, and how long that took.
        ratio: ours divided by that; empty where the bar is no ratio.
        bar: what it must not exceed; empty where there is none.
    """

    what: str
    ours: str
    beside: str = ""
    ratio: str = ""
    bar: str = ""


def medians(calls: Mapping[str, Call], *, rounds: int) -> dict[str, float]:
    """Return the median seconds of calls that take turns, so that a busy machine meets them all."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + WARM):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            if turn >= WARM:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(spent) for name, spent in seconds.items()}


def against(what: str, ours: float, name: str, baseline: float, *, bar: float | None = None) -> Row:
    """Return the row of two medians in seconds."""
    return Row(
        what=what,
        ours=duration(ours),
        beside=f"{name}: {duration(baseline)}",
        ratio=f"{ours / baseline:.2f}",
        bar="" if bar is None else f"{bar:g}",
    )


def duration(seconds: float) -> str:
    """Return seconds in a unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"
