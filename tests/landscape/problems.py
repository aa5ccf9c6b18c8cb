"""Problems whose landscape has a closed form, and small real ones."""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pacbayes.data import Examples
from pacbayes.tickets import Mask, Ticket

CLASSES = 2


def examples(inputs: Tensor, labels: Tensor) -> Examples:
    items = np.zeros((len(labels), 32), dtype=np.uint8)
    return Examples(inputs=inputs.float(), labels=labels, items=items)


def quadratic(spectrum: list[float], *, seed: int = 0, rotated: bool = False) -> Examples:
    """A sample on which the squared loss of a linear network is a quadratic with this spectrum.

    The Hessian is I_2 (x) X^T X / N, with X^T X / N = diag(spectrum), or a rotation of it.
    """
    d = len(spectrum)
    generator = np.random.default_rng(seed)
    n = 4 * d
    orthogonal, _ = np.linalg.qr(generator.standard_normal((n, d)))
    inputs = orthogonal * np.sqrt(n * np.asarray(spectrum))
    if rotated:
        turn, _ = np.linalg.qr(generator.standard_normal((d, d)))
        inputs = inputs @ turn.T
    labels = torch.from_numpy(generator.integers(0, CLASSES, n))
    return examples(torch.from_numpy(inputs), labels)


def linear(d: int) -> nn.Module:
    return nn.Linear(d, CLASSES, bias=False).double()


def covariance(sample: Examples) -> np.ndarray[Any, Any]:
    x = sample.inputs.double().numpy()
    return x.T @ x / len(x)


def least_squares(sample: Examples) -> Tensor:
    """The minimiser of the squared loss."""
    x = sample.inputs.double().numpy()
    wanted = np.eye(CLASSES)[sample.labels.numpy()]
    return torch.from_numpy(np.linalg.lstsq(x, wanted, rcond=None)[0].T.copy())


def ticket(trained: Tensor, kept: Tensor | None = None, init: Tensor | None = None) -> Ticket:
    """A ticket of the linear network."""
    mask = torch.ones(trained.shape, dtype=torch.bool) if kept is None else kept
    return Ticket(
        init=None if init is None else {"weight": init},
        mask=Mask({"weight": mask}),
        trained={"weight": torch.where(mask, trained, torch.zeros_like(trained))},
    )


def at_minimum(spectrum: list[float], **options: Any) -> tuple[nn.Module, Ticket, Examples]:
    """A linear network at the minimum of a quadratic with the given spectrum, each value twice."""
    sample = quadratic(spectrum, **options)
    return linear(len(spectrum)), ticket(least_squares(sample)), sample


SIZES = (6, 15, 3)


class Small(nn.Module):
    """Two layers, tanh between: smooth, so that second differences are right everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(SIZES[0], SIZES[1])
        self.second = nn.Linear(SIZES[1], SIZES[2])

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x)))


@cache
def small_sample() -> Examples:
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(40, SIZES[0], generator=generator)
    return examples(inputs, torch.randint(0, SIZES[2], (40,), generator=generator))


def small(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Ticket]:
    """The network, and a ticket with a quarter of its weights removed."""
    generator = torch.Generator().manual_seed(seed)
    model = Small().to(dtype)
    weights = {
        name: torch.randn(t.shape, generator=generator, dtype=torch.float64).to(dtype)
        for name, t in model.named_parameters()
    }
    full = Mask.full(weights)
    mask = Mask({n: torch.rand(t.shape, generator=generator) > 0.25 for n, t in full.items()})
    init = {name: 0.5 * t for name, t in weights.items()}
    return model, Ticket(init=init, mask=mask, trained=mask.apply(weights))


def normed_digits() -> nn.Module:
    """A network for digits with running statistics."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 10)
    )
