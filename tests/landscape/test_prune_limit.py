"""The prune limit against random matrices, Schur complements and hand-made quadratics."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.errors import UsageError
from pacbayes.landscape import Spectrum, predicted_rise, prune_limit
from tests.landscape.problems import at_minimum, covariance, small, small_sample
from tests.landscape.problems import ticket as linear_ticket

Array = np.ndarray[Any, Any]


def exactly(values: Array) -> Spectrum:
    share = (1 / len(values),) * len(values)
    nodes = (tuple(values.tolist()),)
    return Spectrum(dimension=len(values), nodes=nodes, weights=(share,), exact=True)


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.5, 0.8, 0.95])
def test_free_survivors_of_a_randomly_turned_quadratic(fraction: float) -> None:
    size, generator = 300, np.random.default_rng(0)
    values = np.geomspace(10, 0.01, size)
    turn, _ = np.linalg.qr(generator.standard_normal((size, size)))
    hessian = turn @ np.diag(values) @ turn.T
    weights = generator.standard_normal(size)
    gone = np.arange(round(fraction * size))
    inverse = np.linalg.inv(hessian)[np.ix_(gone, gone)]
    removed = weights[gone]
    rise = 0.5 * removed @ np.linalg.solve(inverse, removed)
    length = float(np.linalg.norm(removed))
    found = predicted_rise(exactly(values), fraction=fraction, length=length, survivors="free")
    # The quadratic form of k = 15 entries or more: relative spread about sqrt(2/k) at the worst.
    assert found == pytest.approx(rise, rel=4 * math.sqrt(2 / len(gone)) * 0.7)
    if fraction >= 0.3:
        assert found == pytest.approx(rise, rel=0.25)


def test_the_trace_behind_the_formula() -> None:
    # Its mean over positions is what free compression gives: tr ((H^-1)_PP)^-1 / k.
    size, generator = 200, np.random.default_rng(1)
    values = np.concatenate([np.full(20, 8.0), np.full(100, 1.0), np.full(80, 0.05)])
    means = []
    for _ in range(5):
        turn, _ = np.linalg.qr(generator.standard_normal((size, size)))
        inverse = (turn / values) @ turn.T
        means.append(np.trace(np.linalg.inv(inverse[:80, :80])) / 80)
    found = predicted_rise(exactly(values), fraction=0.4, length=1.0, survivors="free")
    # Fluctuations of such a trace are of order 1 / size; 5 positions.
    assert found == pytest.approx(0.5 * np.mean(means), rel=0.02)


@given(fraction=st.floats(1e-3, 0.999), curvature=st.floats(1e-3, 1e3), length=st.floats(0, 10))
def test_equal_eigenvalues_need_no_spectrum(
    fraction: float, curvature: float, length: float
) -> None:
    flat = exactly(np.full(3, curvature))
    for survivors in ("free", "fixed"):
        found = predicted_rise(flat, fraction=fraction, length=length, survivors=survivors)
        assert found == pytest.approx(0.5 * curvature * length**2, rel=1e-6)


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=8), st.floats(0.01, 0.99))
def test_settling_anew_never_hurts(values: list[float], fraction: float) -> None:
    spectrum = exactly(np.array(values))
    free = predicted_rise(spectrum, fraction=fraction, length=1.0, survivors="free")
    fixed = predicted_rise(spectrum, fraction=fraction, length=1.0, survivors="fixed")
    # Between the harmonic mean and the mean of the eigenvalues.
    harmonic = 0.5 / np.mean(1 / np.array(values))
    assert harmonic * (1 - 1e-6) <= free <= fixed * (1 + 1e-6)


def test_flat_directions_make_up_for_small_fractions() -> None:
    spectrum = exactly(np.array([0.0, 0.0, 1.0, 1.0]))
    free: dict[str, Any] = {"length": 1.0, "survivors": "free"}
    assert predicted_rise(spectrum, fraction=0.4, **free) == 0.0
    assert predicted_rise(spectrum, fraction=0.75, **free) > 0.1
    assert predicted_rise(spectrum, fraction=1.0, **free) == pytest.approx(0.25)


def schur(sample: Any, weights: Array, gone: Array) -> float:
    """The rise of the squared loss when these entries go and the others settle anew."""
    rise = 0.0
    inverse = np.linalg.inv(covariance(sample))
    for row, lost in zip(weights, gone, strict=True):
        removed = row[lost]
        if lost.any():
            rise += 0.5 * removed @ np.linalg.solve(inverse[np.ix_(lost, lost)], removed)
    return rise


def test_measured_rises_are_schur_complements() -> None:
    model, ticket, sample = at_minimum([3.0, 2.0, 1.0, 0.8, 0.5], rotated=True)
    weights = ticket.trained["weight"].numpy()
    found = prune_limit(
        model, ticket, sample, rule="magnitude", loss="squared", fractions=(0.3, 0.6), steps=500
    )
    # At a minimum nothing settles any further.
    assert found.settled == pytest.approx(0, abs=1e-12)
    order = np.argsort(np.abs(weights).reshape(-1))
    for removal in found.removals:
        gone = np.zeros(10, dtype=bool)
        gone[order[: round(10 * removal.fraction)]] = True
        wanted = schur(sample, weights, gone.reshape(2, 5))
        # L-BFGS stops at a relative decrease of 2e-9.
        assert removal.measured.value == pytest.approx(wanted, abs=1e-6)
        assert removal.length == pytest.approx(np.linalg.norm(weights.reshape(-1)[gone]))


def test_fixed_survivors_rise_by_the_quadratic_form() -> None:
    model, ticket, sample = at_minimum([3.0, 2.0, 1.0, 0.8, 0.5], rotated=True)
    weights = ticket.trained["weight"].numpy()
    found = prune_limit(
        model, ticket, sample, rule="magnitude", survivors="fixed", loss="squared", fractions=(0.5,)
    )
    order = np.argsort(np.abs(weights).reshape(-1))
    removed = np.zeros(10)
    removed[order[:5]] = weights.reshape(-1)[order[:5]]
    rows = removed.reshape(2, 5)
    bent = sum(row @ covariance(sample) @ row for row in rows)
    (removal,) = found.removals
    assert removal.measured.value == pytest.approx(0.5 * bent, rel=1e-5)
    assert removal.curvature.value == pytest.approx(bent / (removed @ removed), rel=1e-5)
    assert found.mean_curvature == pytest.approx(7.3 / 5, rel=1e-6)


@pytest.mark.parametrize("survivors", ["fixed", "free"])
def test_on_a_round_quadratic_prediction_and_measurement_agree(survivors: Any) -> None:
    # Curvature 1 in every direction: the rise is half the squared length, whoever settles.
    model, ticket, sample = at_minimum([1.0] * 40)
    total = 0.5 * float(ticket.trained["weight"].square().sum())
    fractions = tuple(np.arange(0.05, 1.0, 0.05).round(2).tolist())
    options: dict[str, Any] = {
        "survivors": survivors, "rise": 0.4 * total, "fractions": fractions, "loss": "squared"
    }  # fmt: skip
    found = prune_limit(model, ticket, sample, rule="random", draws=10, **options)
    assert found.predicted == pytest.approx(0.4, abs=1.01 / 80)
    assert abs(found.measured.value - 0.4) <= found.measured.high - found.measured.low
    smallest = prune_limit(model, ticket, sample, rule="magnitude", **options)
    squares = np.sort(ticket.trained["weight"].square().numpy().reshape(-1))
    wanted = np.searchsorted(np.cumsum(squares), 0.4 * squares.sum()) / 80
    assert smallest.predicted == pytest.approx(wanted, abs=1.01 / 80)
    # Linear between fractions that are four entries apart.
    assert smallest.measured.value == pytest.approx(wanted, abs=4.01 / 80)
    assert smallest.measured.value > found.measured.value


def test_a_limit_that_is_never_reached_is_the_last_fraction() -> None:
    model, ticket, sample = at_minimum([1.0] * 5)
    found = prune_limit(
        model, ticket, sample, rule="random", rise=1e6, loss="squared", fractions=(0.5, 1.0)
    )
    assert (found.predicted, found.measured.value) == (1.0, 1.0)


def test_removed_and_unprunable_weights_do_not_count() -> None:
    model, ticket = small(0, torch.float32)
    found = prune_limit(
        model, ticket, small_sample(), rule="magnitude", fractions=(1.0,), probes=2, steps=1
    )
    assert found.dimension == ticket.mask.kept
    everything = sum(float(ticket.trained[name].square().sum()) for name in ticket.mask)
    assert found.removals[0].length == pytest.approx(math.sqrt(everything), rel=1e-5)


def test_settling_alone_is_the_way_down_to_the_minimum() -> None:
    model, centre, sample = at_minimum([3.0, 1.0])
    shift = torch.tensor([[0.5, 0.0], [0.0, 1.0]], dtype=torch.float64)
    off = linear_ticket(centre.trained["weight"] + shift)
    options: dict[str, Any] = {"rule": "magnitude", "fractions": (0.5,), "loss": "squared"}
    found = prune_limit(model, off, sample, **options)
    assert found.settled == pytest.approx(-0.5 * (3 * 0.25 + 1), rel=1e-6)
    fixed = prune_limit(model, off, sample, survivors="fixed", **options)
    assert fixed.settled == 0.0


@pytest.mark.parametrize(
    "options",
    [
        {"rule": "largest"},
        {"rule": "random", "rise": 0.0},
        {"rule": "random", "draws": 1},
        {"rule": "random", "fractions": ()},
        {"rule": "random", "fractions": (0.5, 0.2)},
        {"rule": "random", "fractions": (0.5, 1.2)},
        {"rule": "random", "loss": "error"},
    ],
)
def test_arguments_out_of_range_are_refused(options: dict[str, Any]) -> None:
    model, ticket = small()
    with pytest.raises(UsageError):
        prune_limit(model, ticket, small_sample(), **options)


@pytest.mark.parametrize(
    ("fraction", "length", "survivors"), [(2.0, 1.0, "free"), (0.5, -1.0, "free"), (0.5, 1.0, "x")]
)
def test_predictions_out_of_range_are_refused(
    fraction: float, length: float, survivors: Any
) -> None:
    with pytest.raises(UsageError):
        predicted_rise(exactly(np.ones(2)), fraction=fraction, length=length, survivors=survivors)
