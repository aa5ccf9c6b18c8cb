"""The differentiable formulas equal the certified ones, and their gradients are right."""

import math

import pytest
import torch

from pacbayes.bounds import catoni_bound, kl_bound, quad_bound
from pacbayes.posterior.objectives import (
    CATONI_C,
    OBJECTIVES,
    KlInverse,
    bounded_cross_entropy,
    catoni_objective,
    kl_objective,
    quad_objective,
)

POINTS = [(0.02, 100.0, 30_000), (0.2, 2_000.0, 60_000), (0.0001, 1.0, 1_000), (0.5, 9e3, 60_000)]


@pytest.mark.parametrize(("risk", "kl", "n"), POINTS)
@pytest.mark.parametrize("name", ["kl", "quad"])
def test_objective_equals_the_certified_bound(name: str, risk: float, kl: float, n: int) -> None:
    """Float64 Newton stops within 1e-13 of the root, relative to values of order one."""
    delta = 0.05
    constant = math.log(2 * math.sqrt(n) / delta)
    objective = OBJECTIVES[name](n=n, constant=constant)
    ours = float(objective(torch.tensor(risk).double(), torch.tensor(kl).double()))
    certified = {"kl": kl_bound, "quad": quad_bound}[name]
    theirs = certified(risk=float(torch.tensor(risk).double()), kl=kl, n=n, delta=delta)
    assert min(ours, 1.0) == pytest.approx(theirs, rel=1e-10)


@pytest.mark.parametrize(("risk", "kl", "n"), POINTS)
@pytest.mark.parametrize("make", [kl_objective, quad_objective, catoni_objective])
def test_gradients_match_finite_differences(make: object, risk: float, kl: float, n: int) -> None:
    objective = make(n=n, constant=8.0)
    q = torch.tensor(risk, dtype=torch.float64, requires_grad=True)
    k = torch.tensor(kl, dtype=torch.float64, requires_grad=True)
    objective(q, k).backward()
    for tensor, step in ((q, 1e-6 * risk), (k, 1e-4 * kl)):
        with torch.no_grad():
            shift = torch.tensor(step, dtype=torch.float64)
            up = objective(q + shift if tensor is q else q, k + shift if tensor is k else k)
            down = objective(q - shift if tensor is q else q, k - shift if tensor is k else k)
        # Central differences: curvature leaves a relative error of the square of the step.
        assert float(tensor.grad) == pytest.approx(float(up - down) / (2 * step), rel=1e-5)


@pytest.mark.parametrize(("risk", "kl", "n"), POINTS)
def test_catoni_equals_the_certified_bound_at_the_same_c(risk: float, kl: float, n: int) -> None:
    """Its own constant is ln(1 / delta): the fixed c needs no 2 sqrt(n)."""
    objective = catoni_objective(n=n, constant=math.log(1 / 0.05))
    ours = float(objective(*torch.tensor([risk, kl], dtype=torch.float64)))
    theirs = catoni_bound(risk=risk, kl=kl, n=n, delta=0.05, c=CATONI_C)
    assert min(ours, 1.0) == pytest.approx(theirs, rel=1e-9)


def test_inverse_of_risk_zero_is_the_closed_form() -> None:
    value = KlInverse.apply(torch.tensor(0.0).double(), torch.tensor(0.01).double())
    # At q = 0 the inverse is 1 - exp(-c); the clamp of q at 1e-9 adds less than 1e-7.
    assert float(value) == pytest.approx(1 - math.exp(-0.01), abs=1e-7)


def test_bounded_cross_entropy_lies_in_the_unit_interval() -> None:
    labels = torch.tensor([0, 1])
    assert float(bounded_cross_entropy(torch.tensor([[99.0, 0], [0, 99.0]]), labels)) < 1e-6
    assert float(bounded_cross_entropy(torch.tensor([[0, 99.0], [99.0, 0]]), labels)) == 1.0
    uniform = bounded_cross_entropy(torch.zeros(2, 2), labels)
    assert float(uniform) == pytest.approx(math.log(2) / math.log(1e4), rel=1e-6)
