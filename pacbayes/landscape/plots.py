"""Figures of landscape results: functions that take results by label and, if wished, the axes.

None of them shows anything or touches a global setting. Colours are those of Okabe and Ito, which
people tell apart whatever their colour vision; markers and dashes say the same in print.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pacbayes.landscape.barriers import Barrier
from pacbayes.landscape.distance import Distance
from pacbayes.landscape.prune_limit import PruneLimit
from pacbayes.landscape.requilibration import Requilibration
from pacbayes.landscape.sampled import Sampled
from pacbayes.landscape.spectrum import Spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE: Final = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#555555")
MARKERS: Final = ("o", "s", "D", "^", "v", "P", "X")


def plot_paths(barriers: Mapping[str, Barrier], ax: "Axes | None" = None) -> "Axes":
    """Return axes with the loss along each segment."""
    axes = _axes(ax)
    for place, (label, found) in enumerate(barriers.items()):
        axes.plot(found.positions, found.path, label=label, **_style(place))
    axes.set_xlabel("position between the two networks")
    axes.set_ylabel(_shared(found.loss for found in barriers.values()) or "loss")
    return _finished(axes, "loss on the straight line (estimates)")


def plot_sampled(
    series: Mapping[str, Mapping[str, Sampled]], ax: "Axes | None" = None, *, ylabel: str
) -> "Axes":
    """Return axes with values and their intervals, one line per series, one place per label.

    Args:
        series: name of the series to values by label; labels of all series share one axis.
        ax: to draw on.
        ylabel: what the values are.
    """
    axes = _axes(ax)
    labels = list(dict.fromkeys(label for values in series.values() for label in values))
    for place, (name, values) in enumerate(series.items()):
        at = [labels.index(label) for label in values]
        found = list(values.values())
        below = [one.value - one.low for one in found]
        above = [one.high - one.value for one in found]
        heights = [one.value for one in found]
        axes.errorbar(at, heights, yerr=[below, above], label=name, capsize=3, **_style(place))
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right", fontsize="small")
    axes.set_ylabel(ylabel)
    return _finished(axes, f"{ylabel} (estimates, 95 % intervals)")


def plot_spectra(
    spectra: Mapping[str, Spectrum], ax: "Axes | None" = None, *, points: int = 400
) -> "Axes":
    """Return axes with spectral densities, nodes widened to a fiftieth of the axis, log height."""
    axes = _axes(ax)
    low = min(found.smallest for found in spectra.values())
    high = max(found.largest for found in spectra.values())
    width = max((high - low) / 50, 1e-12)
    grid = np.linspace(low - 3 * width, high + 3 * width, points)
    for place, (label, found) in enumerate(spectra.items()):
        density = np.maximum(found.density(grid, width=width), 1e-12)
        axes.plot(grid, density, label=label, color=_style(place)["color"], linestyle=_dash(place))
    axes.set_yscale("log")
    axes.set_ylim(bottom=1e-8)
    axes.set_xlabel("curvature")
    axes.set_ylabel("spectral density")
    return _finished(axes, "Hessian on the kept entries (estimates)")


def plot_distances(distances: Mapping[str, Distance], ax: "Axes | None" = None) -> "Axes":
    """Return axes with the normalised distance and the rank correlation of each ticket."""
    axes = _axes(ax)
    at = range(len(distances))
    moved = [found.normalised for found in distances.values()]
    axes.plot(at, moved, label="distance / sqrt(kept)", **_style(0))
    ranks = [found.rank_correlation for found in distances.values()]
    shown = [float("nan") if rank is None else rank for rank in ranks]
    axes.plot(at, shown, label="rank correlation of magnitudes", **_style(1))
    axes.set_xticks(at, list(distances), rotation=30, ha="right", fontsize="small")
    return _finished(axes, "trained against initial weights")


def plot_prune_limits(limits: Mapping[str, PruneLimit], ax: "Axes | None" = None) -> "Axes":
    """Return axes with the rise of the loss against the fraction removed: measured, predicted."""
    axes = _axes(ax)
    for place, (label, found) in enumerate(limits.items()):
        at = [removal.fraction for removal in found.removals]
        measured = [removal.measured for removal in found.removals]
        spread = [
            [one.value - one.low for one in measured],
            [one.high - one.value for one in measured],
        ]
        style = _style(place)
        heights = [one.value for one in measured]
        axes.errorbar(at, heights, yerr=spread, label=f"{label}: measured", capsize=3, **style)
        predicted = [removal.predicted for removal in found.removals]
        axes.plot(at, predicted, label=f"{label}: predicted", color=style["color"], linestyle=":")
    tolerated = next(iter(limits.values())).rise
    axes.axhline(tolerated, color="#555555", linewidth=0.8)
    axes.set_yscale("symlog", linthresh=tolerated)
    axes.set_xlabel("fraction of the kept weights removed at once")
    axes.set_ylabel("rise of the loss")
    return _finished(axes, "how much can go at once (estimates)")


def plot_requilibration(found: Mapping[str, Requilibration], ax: "Axes | None" = None) -> "Axes":
    """Return axes with quantiles of magnitudes before (dotted) and after retraining."""
    axes = _axes(ax)
    for place, (label, one) in enumerate(found.items()):
        style = _style(place)
        axes.plot(one.levels, one.before, color=style["color"], linestyle=":")
        axes.plot(one.levels, one.after, label=label, **style)
    axes.set_yscale("log")
    axes.set_xlabel("quantile")
    axes.set_ylabel("magnitude")
    return _finished(axes, "kept weights before (dotted) and after retraining")


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(6.4, 4.4), layout="constrained").subplots()


def _style(place: int) -> dict[str, Any]:
    return {
        "color": PALETTE[place % len(PALETTE)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": _dash(place),
        "markersize": 4,
    }


def _dash(place: int) -> str:
    return ("-", "--", "-.")[place // len(PALETTE) % 3]


def _shared(names: Iterable[str]) -> str | None:
    distinct = set(names)
    return distinct.pop() if len(distinct) == 1 else None


def _finished(axes: "Axes", title: str) -> "Axes":
    axes.set_title(title, fontsize="medium")
    axes.legend(fontsize="small", frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes
