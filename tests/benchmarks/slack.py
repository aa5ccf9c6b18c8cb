"""What a slack of 0.001 costs, counted in plain passes over the sample, beside whole passes."""

import math
from collections.abc import Callable

import torch
from torch.func import functional_call

from pacbayes.bounds import kl_inverse_upper
from pacbayes.models import weights
from tests.benchmarks.work import BATCH, DELTA, RISK, SLACK, N, mask_of, network, sample
from tests.posterior.laws import posterior_around

BARS = {"mlp": 12.0, "lenet5": 10.0}


def whole_passes() -> int:
    """Return how many networks the whole-pass design draws for the same slack and share of delta.

    A sample risk averaged over m drawn networks is at most ``kl^-1(average, ln(2 / delta) / m)``
    (Langford and Caruana 2002).
    """

    def enough(draws: int) -> bool:
        nats = math.log(2 / DELTA) / draws
        return kl_inverse_upper(q=RISK, c=nats) <= RISK + SLACK

    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def whole_pass(name: str) -> Callable[[], None]:
    """Return a call that draws one network and passes the whole sample through it."""
    model = network(name)
    given, x = weights(model), sample(name, N).inputs
    posterior = posterior_around(given, mask=mask_of(name, given), scale=0.05)
    generator = torch.Generator().manual_seed(1)

    @torch.no_grad()
    def once() -> None:
        drawn = {
            key: torch.addcmul(
                mean, posterior.scale[key], torch.randn(mean.shape, generator=generator)
            )
            for key, mean in posterior.mean.items()
        }
        for part in x.split(BATCH):
            functional_call(model, drawn, (part,))

    return once
