"""A program: fit and count on a device of torch that every machine has, and on the CPU.

Tensors of torch's lazy backend are computed on the CPU in the end, but it refuses, as a GPU does,
to mix them with tensors of the CPU. So what passes here keeps everything on its device. (Sparse
products do not exist there, and its concatenation is broken; neither is used.)
"""

import json
import sys

import torch
from torch import Tensor, nn

from pacbayes.posterior import FitPlan, SpikeAndSlab, fit
from pacbayes.risk import evaluate
from pacbayes.runtime.devices import CPU, Place
from pacbayes.runtime.seeds import Seeds
from tests.posterior.laws import posterior_around, prior_around, random_mask, weights_of
from tests.risk.test_evaluate import sample


class Convolution(nn.Module):
    """A convolution with a normalisation behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(1, 4, 2), nn.GroupNorm(2, 4), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        images = x.view(-1, 1, 2, 3)
        return self.last(torch.relu(self.norm(self.conv(images))).flatten(1))


class Gain(nn.Module):
    """A parameter outside of all layers, so that all weights are really drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.gain = nn.Linear(6, 3), nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * self.gain


NETWORKS = {
    "linear": lambda: nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3)),
    "convolution": Convolution,
    "general": Gain,
}


def counted(network: nn.Module, law: SpikeAndSlab, place: Place) -> int:
    return evaluate(law, network, sample(300), draws=2, root=1, place=place, quiet=True).errors


def fitted(network: nn.Module, density: float, place: Place) -> SpikeAndSlab:
    weights = weights_of(network)
    mask = random_mask(weights, density=density)
    plan = FitPlan(n=300, constant=9.0, epochs=1, batch_size=150)
    prior, start = prior_around(weights, mask=mask), mask.apply(weights)
    found = fit(
        prior,
        start,
        network,
        sample(300),
        plan=plan,
        seeds=Seeds(1),
        device=place.device,
        quiet=True,
    )
    return found.posterior


def compared(name: str, density: float, other: Place) -> dict[str, float]:
    torch.manual_seed(0)
    network = NETWORKS[name]()
    weights = weights_of(network)
    law = posterior_around(weights, mask=random_mask(weights, density=density))
    here, there = (fitted(network, density, place) for place in (CPU, other))
    moved = max(float((here.mean[k] - there.mean[k]).abs().max()) for k in weights)
    stays = all(tensor.device == CPU.device for tensor in there.tensors().values())
    return {
        "errors here": counted(network, law, CPU),
        "errors there": counted(network, law, other),
        "means differ by": moved,
        "came back": stays,
    }


def main() -> None:
    import torch._lazy.ts_backend

    torch._lazy.ts_backend.init()
    other = Place(torch.device("lazy", 0), torch.float32)
    found = {
        f"{name} {density}": compared(name, density, other)
        for name in NETWORKS
        for density in (1.0, 0.5)
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
