"""What others do for the same end: bayesian-torch's layers, and weights drawn once for a pass.

bayesian-torch is no dependency: ``pip install --no-deps bayesian-torch`` where it is wanted.
"""

import importlib.util
import math
from collections.abc import Callable
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.bounds import kl_inverse_upper
from pacbayes.models import weights
from tests.benchmarks.work import batch, mask_of, network
from tests.posterior.laws import posterior_around

BAYESIAN_TORCH = importlib.util.find_spec("bayesian_torch") is not None
ABSENT = "bayesian-torch is not installed"


def bayesian(name: str) -> nn.Module:
    """Return the network of a name with every layer replaced by bayesian-torch's."""
    from bayesian_torch.models.dnn_to_bnn import dnn_to_bnn

    model = network(name).train()
    prior = {
        "prior_mu": 0.0,
        "prior_sigma": 0.05,
        "posterior_mu_init": 0.0,
        "posterior_rho_init": -3.0,
        "type": "Reparameterization",
        "moped_enable": False,
        "moped_delta": 0.5,
    }
    dnn_to_bnn(model, prior)
    return model


def bayesian_step(name: str) -> Callable[[], None]:
    """Return its training step: loss and divergence of one draw for the batch, then Adam."""
    from bayesian_torch.models.dnn_to_bnn import get_kl_loss

    model, (x, y) = bayesian(name), batch(name)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        loss: Tensor = F.cross_entropy(model(x), y) + get_kl_loss(model) / 30_000
        loss.backward()
        optimizer.step()

    return step


def bayesian_draw(name: str) -> Callable[[], None]:
    """Return its forward pass, in which the whole batch shares one draw of the weights."""
    model, (x, _) = bayesian(name).eval(), batch(name)

    @torch.no_grad()
    def draw() -> None:
        model(x)

    return draw


def whole_pass(name: str) -> Callable[[], None]:
    """Return one batch's part of a pass in which all examples share a draw of the weights.

    Drawing the weights belongs to the pass, not to the batch, and is left out: 30,000 examples make
    it small.
    """
    model, (x, _) = network(name), batch(name)
    law = posterior_around(weights(model), mask=mask_of(name, weights(model)), scale=0.05)
    drawn = {k: torch.addcmul(m, law.scale[k], torch.randn_like(m)) for k, m in law.mean.items()}

    @torch.no_grad()
    def draw() -> None:
        functional_call(model, drawn, (x,))

    return draw


def whole_passes_for(slack: float, *, risk: float, delta: Fraction) -> int:
    """Return how many draws, each of them one trial, bring the upper value within a slack.

    With weights shared by all examples only the draws are independent, and the kl inverse of their
    mean risk is the limit (Langford and Caruana 2002).
    """

    def added(draws: int) -> float:
        return kl_inverse_upper(q=risk, c=math.log(1 / delta) / draws) - risk

    low, high = 0, 1
    while added(high) > slack:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if added(middle) > slack else (low, middle)
    return high
