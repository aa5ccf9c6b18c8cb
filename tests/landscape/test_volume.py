"""Volumes against closed forms: balls, ellipsoids, boxes."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from pacbayes.errors import UsageError
from pacbayes.landscape import posterior_volume, quadratic_volume, ray_volume
from pacbayes.landscape.volume import log_ball
from pacbayes.posterior import SpikeAndSlab
from tests.landscape.problems import at_minimum, small, small_sample


@pytest.mark.parametrize(("dimension", "volume"), [(1, 2.0), (2, math.pi), (4, math.pi**2 / 2)])
def test_unit_balls(dimension: int, volume: float) -> None:
    assert math.exp(log_ball(dimension)) == pytest.approx(volume, rel=1e-14)


def closed(spectrum: list[float], rise: float) -> float:
    """Logarithm of the volume of 1/2 e^T H e <= rise, every eigenvalue twice."""
    axes = [math.sqrt(2 * rise / value) for value in spectrum for _ in range(2)]
    return log_ball(len(axes)) + sum(map(math.log, axes))


SPECTRUM = [3.0, 1.0, 0.25]


def test_quadratic_volume_is_that_of_the_ellipsoid() -> None:
    model, ticket, sample = at_minimum(SPECTRUM, rotated=True)
    found = quadratic_volume(model, ticket, sample, rise=0.3, loss="squared")
    assert found.log_volume.value == pytest.approx(closed(SPECTRUM, 0.3), rel=1e-6)
    assert found.log_volume.low == found.log_volume.high
    assert found.per_dimension.value == pytest.approx(closed(SPECTRUM, 0.3) / 6, rel=1e-6)
    assert (found.dimension, found.unbounded) == (6, 0)


def test_quadratic_volume_of_a_hessian_too_large_to_form() -> None:
    spectrum = [4.0] * 20 + [1.0] * 30 + [0.5] * 10
    model, ticket, sample = at_minimum(spectrum)
    found = quadratic_volume(model, ticket, sample, loss="squared", probes=2)
    # Three distinct eigenvalues and random signs on a diagonal: nothing is left to chance.
    assert found.log_volume.value == pytest.approx(closed(spectrum, 0.1), rel=1e-5)


def test_flat_directions_count_as_the_floor() -> None:
    model, ticket, sample = at_minimum([3.0, 1.0, 1e-6])
    found = quadratic_volume(model, ticket, sample, floor=0.01, loss="squared")
    assert found.log_volume.value == pytest.approx(closed([3.0, 1.0, 0.01], 0.1), rel=1e-6)
    assert found.unbounded == 2


def test_rays_in_a_ball_are_all_the_same() -> None:
    model, ticket, sample = at_minimum([2.0, 2.0], rotated=True)
    found = ray_volume(model, ticket, sample, rise=0.3, rays=5, loss="squared")
    wanted = closed([2.0, 2.0], 0.3)
    # Bisection leaves at most 0.01 % of each radius, outwards, in 4 dimensions.
    assert wanted <= found.log_volume.value + 1e-6 <= wanted + 4.1e-4
    assert found.log_mean == pytest.approx(found.log_volume.value, abs=1e-3)
    assert found.log_volume.high - found.log_volume.low < 1e-3


def test_rays_find_the_volume_of_an_ellipsoid() -> None:
    model, ticket, sample = at_minimum([3.0, 0.5])
    wanted = closed([3.0, 0.5], 0.1)
    found = ray_volume(model, ticket, sample, rays=300, loss="squared")
    assert found.log_mean is not None
    # r^4 = (2 rise / q)^2 with q in [0.5, 3]: its coefficient of variation is below 1.5.
    assert abs(found.log_mean - wanted) <= 4 * 1.5 / math.sqrt(300)
    assert found.log_volume.value < found.log_mean
    # The mean of ln r, from another million directions and the closed form of r.
    drawn = np.random.default_rng(0).standard_normal((10**6, 4))
    squares = drawn**2 / (drawn**2).sum(1, keepdims=True)
    bends = squares @ np.array([3.0, 3.0, 0.5, 0.5])
    lower = log_ball(4) + 4 * float(np.mean(0.5 * np.log(0.2 / bends)))
    assert abs(found.log_volume.value - lower) <= found.log_volume.high - found.log_volume.low


def test_relative_volumes_ignore_the_scale_of_a_tensor() -> None:
    model, ticket, sample = at_minimum([2.0, 2.0])
    found = ray_volume(model, ticket, sample, rays=3, loss="squared", relative=True)
    size = float(ticket.trained["weight"].square().mean().sqrt())
    assert found.log_volume.value == pytest.approx(
        closed([2.0, 2.0], 0.1) - 4 * math.log(size), abs=1e-3
    )


def test_rays_that_never_end_are_counted() -> None:
    model, ticket, sample = at_minimum([2.0, 2.0])
    found = ray_volume(model, ticket, sample, rays=3, loss="squared", rise=1e9, reach=10.0)
    assert found.unbounded == 3
    assert found.per_dimension.value == pytest.approx(log_ball(4) / 4 + math.log(10))


def test_posterior_volume_is_the_sum_of_logarithms() -> None:
    scale = torch.tensor([0.5, 0.0, 0.25])
    law = SpikeAndSlab(
        mean={"w": torch.tensor([1.0, 0.0, 2.0])},
        scale={"w": scale},
        inclusion={"w": torch.tensor([1.0, 0.0, 1.0])},
    )
    found = posterior_volume(law)
    assert found.log_volume.value == pytest.approx(math.log(0.125), rel=1e-12)
    assert (found.dimension, found.rise) == (2, None)
    assert found.per_dimension.value == pytest.approx(0.5 * math.log(0.125), rel=1e-12)


def test_an_empty_posterior_has_no_volume() -> None:
    nothing = {"w": torch.zeros(2)}
    with pytest.raises(UsageError, match="keeps nothing"):
        posterior_volume(SpikeAndSlab(mean=nothing, scale=nothing, inclusion=nothing))


@pytest.mark.parametrize(
    "call",
    [
        lambda m, t, s: ray_volume(m, t, s, rise=0.0),
        lambda m, t, s: ray_volume(m, t, s, rays=1),
        lambda m, t, s: quadratic_volume(m, t, s, floor=0.0),
        lambda m, t, s: quadratic_volume(m, t, s, loss="error"),
    ],
)
def test_arguments_out_of_range_are_refused(call: Any) -> None:
    model, ticket = small()
    with pytest.raises(UsageError):
        call(model, ticket, small_sample())
