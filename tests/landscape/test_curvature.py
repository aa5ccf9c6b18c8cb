"""Curvature against dense Hessians, by another way of differentiating, and against closed forms."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from pacbayes.errors import UsageError
from pacbayes.landscape import Hessian, Surface, spectral_density, top_eigenvalue, trace
from pacbayes.landscape.curvature import DENSE
from pacbayes.landscape.surface import state_of
from pacbayes.pruning import State
from tests.landscape.problems import at_minimum, examples, small, small_sample
from tests.landscape.problems import ticket as masked
from tests.networks import EVERY, build

Array = np.ndarray[Any, Any]


@cache
def oracle(seed: int) -> Array:
    """The Hessian of the mean cross-entropy on the kept entries, by torch's own full Hessian."""
    model, ticket = small(seed)
    sample = small_sample()
    names = sorted(ticket.trained)
    shapes = [ticket.trained[n].shape for n in names]

    def mean_loss(flat: torch.Tensor) -> torch.Tensor:
        pieces = flat.split([shape.numel() for shape in shapes])
        weights = {n: p.reshape(s) for n, p, s in zip(names, pieces, shapes, strict=True)}
        logits = functional_call(model, weights, (sample.inputs.double(),))
        chosen = torch.log_softmax(logits, 1)[torch.arange(len(logits)), sample.labels]
        return -chosen.mean()

    flat = torch.cat([ticket.trained[n].reshape(-1) for n in names])
    kept = torch.cat([ticket.mask.of(n, ticket.trained[n]).reshape(-1) for n in names])
    whole: torch.Tensor = torch.autograd.functional.hessian(mean_loss, flat)
    return whole[kept][:, kept].numpy()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_top_eigenvalue_is_that_of_the_dense_hessian(seed: int, dtype: torch.dtype) -> None:
    model, ticket = small(seed, dtype)
    wanted = float(np.linalg.eigvalsh(oracle(seed))[-1])
    found = top_eigenvalue(model, ticket, small_sample())
    assert found.dimension == len(oracle(seed)) > DENSE
    assert found.value == pytest.approx(wanted, rel=1e-4)
    assert abs(found.value - wanted) <= found.residual + 1e-5 * wanted
    assert found.residual <= 1e-2 * wanted


def test_every_entry_is_that_of_the_dense_hessian() -> None:
    model, ticket = small()
    found = Hessian.of(model, ticket, small_sample()).dense()
    assert found == pytest.approx(oracle(0), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_products_are_differences_of_gradients(name: str) -> None:
    factory, shape = EVERY[name]
    model = build(factory).double()
    generator = torch.Generator().manual_seed(1)
    sample = examples(torch.randn(20, *shape, generator=generator), torch.arange(20) % 3)
    state = State.of(model)
    along = {
        n: torch.randn(t.shape, generator=generator).double() for n, t in state.weights.items()
    }
    surface = Surface.of(model, sample, "cross-entropy")

    def gradient(step: float) -> dict[str, torch.Tensor]:
        moved = {n: t + step * along[n] for n, t in state.weights.items()}
        return surface.gradient(State(weights=moved, buffers=state.buffers))[1]

    # Central differences: error h^2 times third derivatives, no kink of ReLU within 1e-6.
    ahead, behind = gradient(1e-6), gradient(-1e-6)
    for key, found in surface.product(state, along).items():
        wanted = (ahead[key] - behind[key]) / 2e-6
        assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_batches_add_up() -> None:
    model, ticket = small()
    state, sample = state_of(ticket, model), small_sample()
    surface = Surface.of(model, sample, "cross-entropy")
    pieces = Surface(network=surface.network, sample=sample, loss="cross-entropy", batch=7)
    direction = {name: torch.ones_like(t) for name, t in state.weights.items()}
    assert pieces.value(state) == pytest.approx(surface.value(state), rel=1e-14)
    one, many = surface.product(state, direction), pieces.product(state, direction)
    assert all(torch.allclose(one[name], many[name], rtol=1e-12) for name in one)
    value, gradient = pieces.gradient(state)
    assert value == pytest.approx(surface.value(state), rel=1e-14)
    for name, found in surface.gradient(state)[1].items():
        assert torch.allclose(found, gradient[name], rtol=1e-12, atol=1e-15)


def wide(**options: Any) -> tuple[Any, Any, Any, Array]:
    """A quadratic in 120 coordinates and its eigenvalues, each twice."""
    spectrum = np.geomspace(10, 0.01, 60)
    return (*at_minimum(spectrum.tolist(), **options), spectrum)


def test_eigenvalues_of_a_quadratic() -> None:
    model, ticket, sample, _ = wide(rotated=True)
    found = top_eigenvalue(model, ticket, sample, loss="squared")
    assert found.value == pytest.approx(10, rel=1e-4)
    assert found.products < 120


def test_a_mask_restricts_the_hessian() -> None:
    model, ticket, sample, spectrum = wide()
    kept = torch.ones(2, 60, dtype=torch.bool)
    kept[:, 0] = False
    found = top_eigenvalue(model, masked(ticket.trained["weight"], kept), sample, loss="squared")
    assert found.value == pytest.approx(spectrum[1], rel=1e-4)
    assert found.dimension == 118


def test_small_hessians_are_formed_whole() -> None:
    model, ticket, sample = at_minimum([3.0, 1.0, 0.5], rotated=True)
    found = top_eigenvalue(model, ticket, sample, loss="squared")
    assert (found.value, found.residual) == (pytest.approx(3, rel=1e-6), 0.0)
    total = trace(model, ticket, sample, loss="squared")
    assert total.low == total.value == total.high == pytest.approx(9, rel=1e-6)
    spectrum = spectral_density(model, ticket, sample, loss="squared")
    assert spectrum.exact
    assert spectrum.nodes[0] == pytest.approx((0.5, 0.5, 1, 1, 3, 3), rel=1e-6)


def test_the_largest_is_not_the_largest_in_absolute_value() -> None:
    # Away from a minimum, cross-entropy's Hessian through a hidden layer has negative eigenvalues.
    values = np.linalg.eigvalsh(oracle(0))
    assert values[0] < 0
    model, ticket = small(0)
    sample = small_sample()
    spectrum = spectral_density(model, ticket, sample, steps=100, probes=2)
    assert spectrum.smallest == pytest.approx(values[0], rel=1e-6)
    assert spectrum.largest == pytest.approx(values[-1], rel=1e-6)


def test_random_signs_give_the_trace_of_a_diagonal_exactly() -> None:
    model, ticket, sample, spectrum = wide()
    found = trace(model, ticket, sample, probes=3, loss="squared")
    assert found.value == pytest.approx(2 * spectrum.sum(), rel=1e-6)
    assert found.high - found.low < 1e-5 * found.value


def test_the_interval_of_the_trace_holds_it_as_often_as_it_says() -> None:
    model, ticket = small()
    sample, wanted = small_sample(), float(np.trace(oracle(0)))
    found = [trace(model, ticket, sample, probes=10, seed=seed) for seed in range(40)]
    held = sum(each.low <= wanted <= each.high for each in found)
    assert held >= 32  # 38 of 40 on average; fewer than 32 once in 10,000
    assert len({each.value for each in found}) == 40


def test_few_distinct_eigenvalues_are_found_exactly() -> None:
    model, ticket, sample = at_minimum([5.0] * 20 + [1.0] * 30 + [0.2] * 10)
    found = spectral_density(model, ticket, sample, loss="squared", probes=2)
    assert not found.exact
    for nodes in found.nodes:
        assert [min(nodes, key=lambda x: abs(x - v)) for v in (0.2, 1, 5)] == pytest.approx(
            [0.2, 1.0, 5.0], rel=1e-5
        )
    # Random signs on a diagonal Hessian have equal weight on every coordinate.
    share = found.mean(lambda values: np.where(values > 2, 1.0, 0.0))
    assert share.value == pytest.approx(1 / 3, abs=1e-6)


def test_quadrature_gives_the_moments_of_each_probe() -> None:
    model, ticket, sample, _ = wide(rotated=True)
    found = spectral_density(model, ticket, sample, loss="squared", steps=20, probes=10)
    assert all(sum(weights) == pytest.approx(1, rel=1e-12) for weights in found.weights)
    same = trace(model, ticket, sample, loss="squared", probes=10)
    assert 120 * found.mean(lambda v: v).value == pytest.approx(same.value, rel=1e-9)


def test_means_over_the_spectrum() -> None:
    model, ticket, sample, spectrum = wide(rotated=True)
    found = spectral_density(model, ticket, sample, loss="squared", steps=60, probes=10)
    for power in (1, 2, -1):
        means = found.mean(lambda values, power=power: (values + 1.0) ** power)
        wanted = float(np.mean((spectrum + 1.0) ** power))
        # Twice the half width: one in a thousand outside.
        assert abs(means.value - wanted) <= means.high - means.low


def test_the_density_integrates_to_one() -> None:
    model, ticket, sample, _ = wide()
    found = spectral_density(model, ticket, sample, loss="squared", probes=2)
    grid = np.linspace(-3, 13, 2001)
    assert np.trapezoid(found.density(grid, width=0.3), grid) == pytest.approx(1, abs=1e-6)


class Constant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), 3)


class Slope(Constant):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The same for every class: cross-entropy does not see it.
        return torch.zeros(len(x), 3) + self.idle[0]


@pytest.mark.parametrize("model", [Constant(), Slope()])
def test_a_loss_that_weights_do_not_bend_has_no_curvature(model: nn.Module) -> None:
    sample = small_sample()
    assert top_eigenvalue(model, State.of(model), sample).value == pytest.approx(0, abs=1e-7)
    assert trace(model, State.of(model), sample).value == pytest.approx(0, abs=1e-7)
    value, gradient = Surface.of(model, sample, "cross-entropy").gradient(State.of(model))
    assert value == pytest.approx(np.log(3), rel=1e-6)
    assert gradient["idle"] == pytest.approx(torch.zeros(3), abs=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, t, s: top_eigenvalue(m, t, s, loss="error"),
        lambda m, t, s: top_eigenvalue(m, t, s, tolerance=0),
        lambda m, t, s: trace(m, t, s, probes=1),
        lambda m, t, s: spectral_density(m, t, s, steps=1),
        lambda m, t, s: Surface.of(m, s, "error").gradient(state_of(t, m)),
    ],
)
def test_arguments_out_of_range_are_refused(call: Any) -> None:
    model, ticket = small()
    with pytest.raises(UsageError):
        call(model, ticket, small_sample())
