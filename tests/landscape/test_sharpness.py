"""Sharpness where it has a closed form: quadratics, and networks whose error is known."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pacbayes.errors import UsageError
from pacbayes.landscape import adversarial_sharpness, expected_sharpness
from tests.landscape.problems import at_minimum, covariance, examples, small, small_sample
from tests.landscape.problems import ticket as linear_ticket


def test_of_a_quadratic_it_is_half_the_variance_times_the_trace() -> None:
    model, ticket, sample = at_minimum([3.0, 1.0, 0.5], rotated=True)
    wanted = 0.5 * 0.2**2 * 2 * (3 + 1 + 0.5)
    found = [
        expected_sharpness(model, ticket, sample, scale=0.2, loss="squared", seed=seed)
        for seed in range(40)
    ]
    # Sums of squares of normals are skewed, so somewhat fewer than 38 of 40.
    assert sum(each.low <= wanted <= each.high for each in found) >= 31
    # The mean of all 1200 draws: standard deviation sqrt(2 sum lambda^2) sigma^2 / 2 each.
    spread = math.sqrt(2 * 2 * (9 + 1 + 0.25)) * 0.5 * 0.2**2 / math.sqrt(1200)
    assert abs(np.mean([each.value for each in found]) - wanted) <= 4 * spread


def test_removed_entries_are_not_noisy() -> None:
    model, ticket, sample = at_minimum([3.0, 1.0])
    kept = torch.zeros(2, 2, dtype=torch.bool)
    kept[0, 1] = True
    lone = linear_ticket(ticket.trained["weight"], kept)
    scale = {"weight": torch.tensor([[9.0, 0.1], [9.0, 9.0]])}
    found = expected_sharpness(model, lone, sample, scale=scale, loss="squared", draws=1000)
    # One coordinate of curvature 1; this is no minimum, but means of odd terms vanish.
    assert abs(found.value - 0.5 * 0.01) <= 2 * (found.high - found.value)


def test_error_of_a_threshold_under_noise_is_a_normal_tail() -> None:
    # Logits w x and 0 with x = 1: wrong once w + noise <= 0, with probability Phi(-w / scale).
    class Threshold(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([[1.0]]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x @ self.weight, torch.zeros(len(x), 1)], dim=1)

    model = Threshold()
    sample = examples(torch.ones(3, 1), torch.zeros(3, dtype=torch.int64))
    found = expected_sharpness(
        model, {"weight": torch.tensor([[1.0]])}, sample, scale=1.0, draws=500
    )
    assert abs(found.value - 0.158655) <= 2 * (found.high - found.value)
    half = expected_sharpness(
        model, {"weight": torch.tensor([[2.0]])}, sample, scale=0.5, draws=500, relative=True
    )
    assert abs(half.value - 0.022750) <= 2 * (half.high - half.value)


def test_no_noise_no_rise() -> None:
    model, ticket = small()
    found = expected_sharpness(model, ticket, small_sample(), scale=0.0, draws=2)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("radius", [0.05, 1.0])
def test_at_the_minimum_of_a_quadratic_the_worst_is_the_top_eigenvector(radius: float) -> None:
    model, ticket, sample = at_minimum([4.0, 1.0, 0.5], rotated=True)
    found = adversarial_sharpness(model, ticket, sample, radius=radius, loss="squared", steps=40)
    wanted = 0.5 * radius**2 * 4
    assert found.value == pytest.approx(wanted, rel=1e-4)
    assert found.value <= wanted * (1 + 1e-5)


def test_relative_balls_are_those_of_the_rescaled_hessian() -> None:
    model, ticket, sample = at_minimum([4.0, 1.0, 0.5], rotated=True)
    found = adversarial_sharpness(
        model, ticket, sample, radius=0.3, loss="squared", steps=60, relative=True
    )
    size = np.abs(ticket.trained["weight"].numpy())
    hessian = covariance(sample)
    top = max(np.linalg.eigvalsh(np.outer(row, row) * hessian)[-1] for row in size)
    assert found.value == pytest.approx(0.5 * 0.3**2 * top, rel=1e-3)


def test_one_step_on_a_slope_is_radius_times_slope_and_curvature() -> None:
    model, ticket, sample = at_minimum([4.0, 1.0])
    shift = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    off = linear_ticket(ticket.trained["weight"] + shift)
    found = adversarial_sharpness(model, off, sample, radius=0.1, loss="squared", steps=1, starts=1)
    # From 1 to 1.1 along curvature 4.
    assert found.value == pytest.approx(2 * (1.1**2 - 1), rel=1e-6)


def test_the_reported_loss_may_be_the_error() -> None:
    model = nn.Linear(1, 2, bias=False)
    sample = examples(torch.ones(4, 1), torch.zeros(4, dtype=torch.int64))
    weights = {"weight": torch.tensor([[0.5], [0.0]])}
    small_ball: Any = adversarial_sharpness(model, weights, sample, radius=0.3, loss="error")
    large_ball: Any = adversarial_sharpness(model, weights, sample, radius=0.4, loss="error")
    # The gap 0.5 closes at a distance of 0.5 / sqrt(2).
    assert (small_ball.value, large_ball.value) == (0.0, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, t, s: expected_sharpness(m, t, s, scale=-1.0),
        lambda m, t, s: expected_sharpness(m, t, s, scale=float("nan")),
        lambda m, t, s: expected_sharpness(m, t, s, scale={}),
        lambda m, t, s: expected_sharpness(m, t, s, scale=0.1, draws=1),
        lambda m, t, s: adversarial_sharpness(m, t, s, radius=0.0),
        lambda m, t, s: adversarial_sharpness(m, t, s, radius=0.1, steps=0),
    ],
)
def test_arguments_out_of_range_are_refused(call: Any) -> None:
    model, ticket = small()
    with pytest.raises(UsageError):
        call(model, ticket, small_sample())
