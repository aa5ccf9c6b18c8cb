"""Plots: what is drawn, on which axes, and that nothing global changes."""

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pacbayes import report
from pacbayes.certificate import Certificate
from pacbayes.certificate.decimals import float_up
from tests.imports import PACKAGE

Plot = Callable[..., Any]
PLOTS: dict[str, tuple[Plot, Callable[[list[Certificate]], Any]]] = {
    "density": (report.plot_bound_by_density, lambda levels: levels),
    "decomposition": (report.plot_decomposition, lambda levels: levels),
    "tensors": (report.plot_nats_by_tensor, lambda levels: levels[2]),
    "delta": (report.plot_bound_by_delta, lambda levels: levels[0]),
    "n": (report.plot_bound_by_n, lambda levels: levels[0]),
    "trajectory": (report.plot_trajectory, lambda levels: {"1": levels, "2": levels}),
    "one run": (report.plot_trajectory, lambda levels: {"1": levels}),
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_can_be_drawn(name: str, levels: list[Certificate]) -> None:
    plot, argument = PLOTS[name]
    before = dict(mpl.rcParams)
    axes = plot(argument(levels))
    stream = io.BytesIO()
    axes.figure.savefig(stream, format="png")
    assert stream.getvalue().startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before
    assert axes.get_title()
    assert axes.get_xlabel()
    assert axes.get_legend() is not None


@pytest.mark.parametrize("name", PLOTS)
def test_given_axes_are_used(name: str, levels: list[Certificate]) -> None:
    plot, argument = PLOTS[name]
    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    assert plot(argument(levels), axes) is axes


def test_the_lines_are_the_numbers(levels: list[Certificate]) -> None:
    axes = report.plot_bound_by_density(levels)
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}
    assert lines["bound"] == [float_up(c.risk_upper) for c in levels]
    assert lines["bound of the dense twin"] == [float_up(levels[0].risk_upper)] * 2


def test_bars_add_up_to_the_bounds(levels: list[Certificate]) -> None:
    axes = report.plot_decomposition(levels)
    ends: dict[float, float] = {}
    for bar in axes.patches:
        row = bar.get_y()
        ends[row] = max(ends.get(row, 0.0), bar.get_x() + bar.get_width())
    assert list(ends.values()) == pytest.approx([float_up(c.risk_upper) for c in levels])


def test_what_no_certificate_knows_is_not_drawn(others: list[Certificate]) -> None:
    axes = report.plot_bound_by_density(others)
    assert {line.get_label() for line in axes.get_lines()} >= {"bound", "counted risk"}
    assert "test error" not in {line.get_label() for line in axes.get_lines()}


def test_no_figure_manager_is_started() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import pacbayes.report; "
        "print(sorted({'matplotlib', 'numpy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
