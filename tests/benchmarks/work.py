"""What is measured: a step and a draw of ours, beside the plain ones of the same dense network."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.models import build_model, weights
from pacbayes.posterior import Prior
from pacbayes.posterior.fit import gradients
from pacbayes.posterior.noise import NoisePool, NoisyForward
from pacbayes.posterior.objectives import kl_objective
from pacbayes.posterior.trainable import Trainable
from pacbayes.risk.designs import design_for
from pacbayes.risk.noise import BlockNoise
from pacbayes.tickets import IndexSet, Mask
from tests.posterior.laws import posterior_around, random_mask

BATCH = 250
NETWORKS = {
    "mlp": "mlp:784-600-600-600-10",
    "ticket of 2 %": "mlp:784-600-600-600-10",
    "lenet300": "lenet300",
    "lenet5": "lenet5",
    "resnet20": "resnet20",
}
DENSITY = {"ticket of 2 %": 0.02}


def shape_of(name: str) -> tuple[int, ...]:
    return (3, 32, 32) if name == "resnet20" else (1, 28, 28)


def mask_of(name: str, given: dict[str, Tensor]) -> Mask:
    return random_mask(given, density=DENSITY[name]) if name in DENSITY else Mask.full(given)


def network(name: str) -> nn.Module:
    return build_model(NETWORKS[name], in_shape=shape_of(name), classes=10, seed=1).eval()


def batch(name: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(BATCH, *shape_of(name), generator=generator)
    return x, torch.randint(0, 10, (BATCH,), generator=generator)


def plain_step(name: str) -> Callable[[], None]:
    model, (x, y) = network(name), batch(name)
    leaves = {k: w.requires_grad_() for k, w in weights(model).items()}
    optimizer = torch.optim.SGD(leaves.values(), lr=0.01)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(functional_call(model, leaves, (x,)), y).backward()
        optimizer.step()

    return step


def fit_step(name: str) -> Callable[[], None]:
    model, (x, y) = network(name), batch(name)
    mask = mask_of(name, weights(model))
    given, buffers = mask.apply(weights(model)), dict(model.named_buffers())
    nothing = IndexSet.none(60_000)
    prior = Prior(
        kind="given",
        mean=given,
        mask=mask,
        mask_price="free",
        scale=dict.fromkeys(given, 0.05),
        grid=None,
        grid_index={},
        seen=nothing,
        mask_seen=nothing,
    )
    state = Trainable.start(prior, given, scale=1.0)
    forward = NoisyForward.of(model, given, buffers=buffers, x=x[:4])
    optimizer = state.optimizer(lr=1e-3, scale_lr=1e-2)
    objective = kl_objective(n=30_000, constant=9.0)
    normals = forward.normals(state.slabs, BATCH)
    pool = NoisePool.of(torch.Generator().manual_seed(1), at_once=normals)

    def step() -> None:
        gradients(state, forward, (x, y), objective, pool)
        optimizer.step()

    return step


def plain_forward(name: str) -> Callable[[], None]:
    model, (x, _) = network(name), batch(name)
    given = weights(model)

    @torch.no_grad()
    def forward() -> None:
        functional_call(model, given, (x,))

    return forward


def one_draw(name: str) -> Callable[[], None]:
    """Return a call that evaluates a block once, each example with weights of its own."""
    model, (x, _) = network(name), batch(name)
    given = weights(model)
    posterior = posterior_around(given, mask=mask_of(name, given), scale=0.05)
    draws = iter(range(10**9))
    names = tuple(sorted(posterior.mean))
    with torch.no_grad():
        design = design_for(model, posterior, x[:4])
        forwards = [design.forward(part) for part in x.split(design.chunk)]

    @torch.no_grad()
    def draw() -> None:
        noise = BlockNoise(root=1, draw=next(draws), block=0, names=names)
        for forward in forwards:
            forward(noise)

    return draw
