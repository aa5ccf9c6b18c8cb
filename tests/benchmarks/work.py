"""What is measured: a step and a draw of ours, beside the plain ones of the same dense network."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.data import Examples
from pacbayes.models import build_model, weights
from pacbayes.posterior import Prior
from pacbayes.posterior.fit import gradients
from pacbayes.posterior.noise import NoisePool, NoisyForward
from pacbayes.posterior.objectives import kl_objective
from pacbayes.posterior.trainable import Trainable
from pacbayes.risk import draws_for_slack, evaluate
from pacbayes.tickets import IndexSet, Mask
from tests.posterior.laws import posterior_around, random_mask

BATCH = 250
SLACK, RISK, N, DELTA = 0.001, 0.02, 30_000, Fraction(1, 100)
DRAWS = draws_for_slack(SLACK, risk_guess=RISK, n=N, delta=DELTA)
"""Per example, of whatever is measured here: as many as a slack of 0.001 takes."""
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


def sample(name: str, n: int) -> Examples:
    """Return uniform noise with random labels; what is counted does not matter for the time."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, *shape_of(name), generator=generator)
    labels = torch.randint(0, 10, (n,), generator=generator)
    items = np.arange(32 * n, dtype=np.uint32).astype(np.uint8).reshape(n, 32)
    return Examples(inputs=x, labels=labels, items=items)


def blocks_of(name: str) -> int:
    """Return how many blocks a network is evaluated on, so many that its set-up hardly counts."""
    return 6 if name == "resnet20" else 32


def plain_passes(name: str, n: int | None = None) -> Callable[[], None]:
    """Return a call of one plain pass over n examples, in batches."""
    model = network(name)
    given, x = weights(model), sample(name, n or BATCH * blocks_of(name)).inputs

    @torch.no_grad()
    def forward() -> None:
        for part in x.split(BATCH):
            functional_call(model, given, (part,))

    return forward


def draws(name: str, n: int | None = None) -> Callable[[], None]:
    """Return a call that evaluates n examples, each with weights of its own in every draw."""
    model, examples = network(name), sample(name, n or BATCH * blocks_of(name))
    given = weights(model)
    posterior = posterior_around(given, mask=mask_of(name, given), scale=0.05)

    def draw() -> None:
        evaluate(posterior, model, examples, draws=DRAWS, root=1, quiet=True)

    return draw
