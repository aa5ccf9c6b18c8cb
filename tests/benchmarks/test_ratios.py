"""Costs beside named baselines, measured in one run; read the ratios, not the seconds.

``make bench`` prints one table per group. Nothing here is asserted about time.
"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.bounds import binomial_upper, kl_inverse_upper
from pacbayes.models import build_model, weights
from pacbayes.posterior import Prior
from pacbayes.posterior.fit import gradients
from pacbayes.posterior.noise import NoisePool, NoisyForward
from pacbayes.posterior.objectives import kl_objective
from pacbayes.posterior.trainable import Trainable
from pacbayes.risk.designs import design_for
from pacbayes.risk.noise import BlockNoise
from pacbayes.tickets import IndexSet, Mask
from tests.posterior.laws import posterior_around

pytestmark = pytest.mark.slow

BATCH = 250
NETWORKS = {
    "mlp": "mlp:784-600-600-600-10",
    "lenet300": "lenet300",
    "lenet5": "lenet5",
}


def network(name: str) -> nn.Module:
    return build_model(NETWORKS[name], in_shape=(1, 28, 28), classes=10, seed=1)


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(BATCH, 1, 28, 28, generator=generator)
    return x, torch.randint(0, 10, (BATCH,), generator=generator)


def plain_step(name: str) -> Callable[[], None]:
    model, (x, y) = network(name), batch()
    leaves = {k: w.requires_grad_() for k, w in weights(model).items()}
    optimizer = torch.optim.SGD(leaves.values(), lr=0.01)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(functional_call(model, leaves, (x,)), y).backward()
        optimizer.step()

    return step


def fit_step(name: str) -> Callable[[], None]:
    model, (x, y) = network(name), batch()
    given = weights(model)
    nothing = IndexSet.none(60_000)
    prior = Prior(
        kind="given",
        mean=given,
        mask=Mask.full(given),
        mask_price="free",
        scale=dict.fromkeys(given, 0.05),
        grid=None,
        grid_index={},
        seen=nothing,
        mask_seen=nothing,
    )
    state = Trainable.start(prior, given, scale=1.0)
    forward = NoisyForward.of(model, given, buffers={}, x=x[:4])
    optimizer = state.optimizer(lr=1e-3, scale_lr=1e-2)
    objective = kl_objective(n=30_000, constant=9.0)
    normals = forward.normals(state.slabs, BATCH)
    pool = NoisePool.of(torch.Generator().manual_seed(1), at_once=normals)

    def step() -> None:
        gradients(state, forward, (x, y), objective, pool)
        optimizer.step()

    return step


def plain_forward(name: str) -> Callable[[], None]:
    model, (x, _) = network(name), batch()
    given = weights(model)

    @torch.no_grad()
    def forward() -> None:
        functional_call(model, given, (x,))

    return forward


def one_draw(name: str) -> Callable[[], None]:
    """Return a call that evaluates a block once, each example with weights of its own."""
    model, (x, _) = network(name), batch()
    posterior = posterior_around(weights(model), scale=0.05)
    draws = iter(range(10**9))
    names = tuple(sorted(posterior.mean))
    with torch.no_grad():
        forward = design_for(model, posterior, x[:4]).forward(x)

    @torch.no_grad()
    def draw() -> None:
        forward(BlockNoise(root=1, draw=next(draws), block=0, names=names))

    return draw


STEPS = {"plain SGD step": plain_step, "fit step": fit_step}
DRAWS = {"plain forward": plain_forward, "one draw per example": one_draw}


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("name", NETWORKS)
def test_step(benchmark: BenchmarkFixture, name: str, kind: str) -> None:
    benchmark.group = f"step, {NETWORKS[name]}, batch {BATCH}"
    benchmark(STEPS[kind](name))


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("name", NETWORKS)
def test_draw(benchmark: BenchmarkFixture, name: str, kind: str) -> None:
    benchmark.group = f"draw, {NETWORKS[name]}, {BATCH} examples"
    benchmark(DRAWS[kind](name))


@pytest.mark.parametrize("n", [60_000, 1_000_000])
def test_arithmetic(benchmark: BenchmarkFixture, n: int) -> None:
    benchmark.group = "binomial tail inversion"
    upper = benchmark(binomial_upper, errors=n // 50, trials=n, delta="0.005")
    assert 0.02 < upper < 0.03


def test_kl_inverse(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "kl inverse"
    upper = benchmark(kl_inverse_upper, q=0.02, c=0.01)
    assert 0.046515921 < upper < 0.046515922
