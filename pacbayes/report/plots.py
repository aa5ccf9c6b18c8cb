"""The figures in matplotlib: functions that take certificates and, if wished, the axes.

None of them shows anything or touches a global setting. Colours are those of Okabe and Ito, which
people tell apart whatever their colour vision; markers and hatches say the same in print.
"""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any, Final

from pacbayes.certificate import Certificate
from pacbayes.report import figures
from pacbayes.report.figures import DELTAS, Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE: Final = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
HATCHES: Final = ("", "//", "..", "\\\\", "xx", "--")
MARKERS: Final = ("o", "s", "D", "^")
GREY: Final = "#555555"


def plot_bound_by_density(certificates: Sequence[Certificate], ax: "Axes | None" = None) -> "Axes":
    """Return axes with bound, counted risk, hold-out bound and test error against density."""
    figure, axes = figures.bound_by_density(certificates), _axes(ax)
    density = figure.numbers("density")
    for place, name in enumerate(figure.columns[2:]):
        values = figure.numbers(name)
        if not all(map(isnan, values)):
            style: dict[str, Any] = {"color": PALETTE[place], "marker": MARKERS[place]}
            axes.plot(density, values, label=name, linestyle="-" if place == 0 else ":", **style)
    _density_axis(axes, figure)
    axes.set_ylabel("risk")
    return _finished(axes, figure)


def plot_decomposition(certificates: Sequence[Certificate], ax: "Axes | None" = None) -> "Axes":
    """Return axes with one stacked bar per bound: counted risk, draws, then sorts of nats."""
    figure, axes = figures.decomposition(certificates), _axes(ax)
    axes.set_xlabel("risk")
    return _stacked(axes, figure, figure.columns[1:])


def plot_nats_by_tensor(certificate: Certificate, ax: "Axes | None" = None) -> "Axes":
    """Return axes with one stacked bar of nats per tensor, its density written beside."""
    figure, axes = figures.nats_by_tensor(certificate), _axes(ax)
    _stacked(axes, figure, ("mask", "mean", "scale"))
    axes.set_xlabel("nats")
    for place, row in enumerate(figure.rows):
        nats = sum(float(cell or 0) for cell in row[3:])
        text = f" density {float(row[2] or 0):.3f}"
        axes.text(nats, place, text, va="center", fontsize="small", color=GREY)
    axes.margins(x=0.3)
    return axes


def plot_bound_by_delta(
    certificate: Certificate, ax: "Axes | None" = None, *, deltas: Sequence[float] = DELTAS
) -> "Axes":
    """Return axes with the bound at other failure probabilities."""
    figure, axes = figures.bound_by_delta(certificate, deltas), _axes(ax)
    _line(axes, figure, "delta")
    axes.invert_xaxis()
    return _finished(axes, figure)


def plot_bound_by_n(
    certificate: Certificate, ax: "Axes | None" = None, *, sizes: Sequence[int] | None = None
) -> "Axes":
    """Return axes with the bound at other sizes of the certificate part, an estimate."""
    figure, axes = figures.bound_by_n(certificate, sizes), _axes(ax)
    _line(axes, figure, "n")
    axes.plot(
        [certificate.n], [float(certificate.risk_upper)], "D", color=PALETTE[3], label="certified"
    )
    return _finished(axes, figure)


def plot_trajectory(runs: Mapping[str, Sequence[Certificate]], ax: "Axes | None" = None) -> "Axes":
    """Return axes with the median bound over pruning levels and a band over the runs."""
    figure, axes = figures.trajectory(runs), _axes(ax)
    density, least, largest = (figure.numbers(name) for name in ("density", "least", "largest"))
    axes.plot(density, figure.numbers("median"), "o-", color=PALETTE[0], label="median bound")
    if len(runs) > 1:
        axes.fill_between(
            density, least, largest, color=PALETTE[0], alpha=0.2, label="least to largest"
        )
    _density_axis(axes, figure)
    axes.set_ylabel("bound")
    return _finished(axes, figure)


def _axes(ax: "Axes | None") -> "Axes":
    """Return the given axes, or new ones that no global figure manager knows of."""
    if ax is not None:
        return ax
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(6.4, 4.0), layout="constrained")
    FigureCanvasAgg(canvas)
    made: Axes = canvas.subplots()
    return made


def _line(axes: "Axes", figure: Figure, name: str) -> None:
    axes.plot(figure.numbers(name), figure.numbers("bound"), "o-", color=PALETTE[0], label="bound")
    axes.set_xscale("log")
    axes.set_xlabel(name)
    axes.set_ylabel("bound")


def _density_axis(axes: "Axes", figure: Figure) -> None:
    if figure.reference is not None:
        axes.axhline(figure.reference, color=GREY, linestyle="--", label="bound of the dense twin")
    axes.set_xscale("log")
    shown = sorted(set(figure.numbers("density")))
    axes.set_xticks(shown, [f"{x:.3g}" for x in shown], minor=False)
    axes.set_xticks([], minor=True)
    axes.tick_params(axis="x", labelrotation=45 if len(shown) > 5 else 0)
    axes.invert_xaxis()
    axes.set_xlabel("density (fraction of weights kept)")


def _stacked(axes: "Axes", figure: Figure, names: Sequence[str]) -> "Axes":
    left = [0.0] * len(figure.rows)
    labels = [str(row[0]) for row in figure.rows]
    for place, name in enumerate(names):
        values = figure.numbers(name)
        style: dict[str, Any] = {"color": PALETTE[place], "hatch": HATCHES[place]}
        axes.barh(range(len(labels)), values, left=left, label=name, edgecolor="white", **style)
        left = [a + b for a, b in zip(left, values, strict=True)]
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    _finished(axes, figure)
    axes.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


def _finished(axes: "Axes", figure: Figure) -> "Axes":
    axes.set_title(figure.title, fontsize="medium")
    axes.legend(fontsize="small", frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes
