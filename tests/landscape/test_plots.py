"""Figures show the numbers of the results, and leave matplotlib as it was."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from pacbayes.landscape import (
    Sampled,
    barrier,
    distance,
    prune_limit,
    requilibration,
    spectral_density,
)
from pacbayes.landscape.plots import (
    plot_distances,
    plot_paths,
    plot_prune_limits,
    plot_requilibration,
    plot_sampled,
    plot_spectra,
)
from pacbayes.pruning import prune
from pacbayes.tickets import Ticket
from tests.landscape.problems import at_minimum, small, small_sample


def lines(axes: Any) -> list[list[float]]:
    return [np.asarray(line.get_ydata()).tolist() for line in axes.get_lines()]


def labels(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_paths() -> None:
    model, start = small(0)
    found = barrier(model, start, small(1)[1], small_sample(), points=4, loss="squared")
    axes = plot_paths({"a to b": found})
    assert lines(axes) == [list(found.path)]
    assert axes.get_ylabel() == "squared"
    assert labels(axes) == ["a to b"]


def test_sampled_values_share_one_axis() -> None:
    one, two = Sampled.of([1.0, 3.0]), Sampled.exactly(5.0)
    axes = plot_sampled({"x": {"a": one, "b": two}, "y": {"b": two}}, ylabel="height")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "b"]
    bars = [np.asarray(box.get_segments()) for box in axes.collections]
    assert bars[0][0][:, 1].tolist() == [one.low, one.high]
    assert bars[1][0][0, 0] == 1


def test_spectra_have_their_mass_at_the_eigenvalues() -> None:
    model, ticket, sample = at_minimum([4.0, 1.0, 1.0])
    found = spectral_density(model, ticket, sample, loss="squared")
    axes = plot_spectra({"t": found}, points=2001)
    (line,) = axes.get_lines()
    at, height = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert at[np.argmax(height)] == pytest.approx(1.0, abs=0.01)
    assert np.trapezoid(height[at > 2.5], at[at > 2.5]) == pytest.approx(1 / 3, rel=0.01)


def test_distances() -> None:
    _, ticket = small()
    found = distance(ticket)
    drawn = lines(plot_distances({"t": found}))
    assert drawn == [[found.normalised], [found.rank_correlation]]


def test_prune_limits() -> None:
    model, ticket, sample = at_minimum([4.0, 1.0])
    found = prune_limit(
        model, ticket, sample, rule="magnitude", fractions=(0.5, 1.0), loss="squared"
    )
    drawn = lines(plot_prune_limits({"magnitude": found}))
    assert [removal.measured.value for removal in found.removals] in drawn
    assert [removal.predicted for removal in found.removals] in drawn


def test_requilibration() -> None:
    _, first = small()
    sizes = {name: tensor.abs() for name, tensor in first.trained.items()}
    mask = prune(first.mask, sizes, fraction=0.5)
    second = Ticket(init=first.init, mask=mask, trained=mask.apply(first.trained))
    found = requilibration(first, second)
    assert lines(plot_requilibration({"t": found})) == [list(found.before), list(found.after)]


def test_nothing_global_changes_and_axes_may_be_given() -> None:
    from matplotlib.figure import Figure

    before = dict(mpl.rcParams)
    axes = Figure().subplots()
    assert plot_sampled({"x": {"a": Sampled.exactly(1.0)}}, axes, ylabel="height") is axes
    assert dict(mpl.rcParams) == before
