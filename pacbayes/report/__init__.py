"""Figures, plots and the HTML report, from certificates alone; matplotlib only where it draws."""

from pacbayes.report.figures import (
    Figure,
    bound_by_delta,
    bound_by_density,
    bound_by_n,
    decomposition,
    nats_by_tensor,
    trajectory,
)
from pacbayes.report.html import report_html
from pacbayes.report.plots import (
    plot_bound_by_delta,
    plot_bound_by_density,
    plot_bound_by_n,
    plot_decomposition,
    plot_nats_by_tensor,
    plot_trajectory,
)

__all__ = [
    "Figure",
    "bound_by_delta",
    "bound_by_density",
    "bound_by_n",
    "decomposition",
    "nats_by_tensor",
    "plot_bound_by_delta",
    "plot_bound_by_density",
    "plot_bound_by_n",
    "plot_decomposition",
    "plot_nats_by_tensor",
    "plot_trajectory",
    "report_html",
    "trajectory",
]
