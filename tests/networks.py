"""Small networks that the tests share, each with the shape of one example."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Shared(nn.Module):
    """Uses one weight twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.layer(torch.relu(self.layer(x)))))


class Rows(nn.Module):
    """Applies one linear layer to several rows of each example."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.embed(x)).mean(dim=1))


class Scaled(nn.Module):
    """Has a parameter that no layer uses as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(6))
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x * self.gain)


class BatchCentred(nn.Module):
    """Subtracts the mean of the batch: an example's logits depend on its neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x - x.mean(dim=0))


class Counting(nn.Module):
    """Changes a buffer on every call."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.head(x)


class Noisy(nn.Module):
    """Adds noise even in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x) + torch.randn(len(x), 3)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


def convnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, groups=2, bias=False),
        nn.Flatten(),
        nn.Linear(4, 3),
    )


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 3))


def group_normed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 3),
    )


def batch_normed() -> nn.Module:
    """Return a network whose running statistics are not those of a new one."""
    first = nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()
    model = nn.Sequential(*first, nn.Flatten(), nn.Linear(64, 3))
    with torch.no_grad():
        model[1].running_mean.uniform_(-1, 1)
        model[1].running_var.uniform_(0.5, 2)
    return model


LAYERED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (mlp, (6,)),
    "convnet": (convnet, (2, 6, 6)),
    "rows": (Rows, (5, 3)),
    "group normed": (group_normed, (2, 6, 6)),
    "batch normed": (batch_normed, (2, 6, 6)),
}
GENERAL: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "shared": (Shared, (6,)),
    "scaled": (Scaled, (6,)),
    "normed": (normed, (6,)),
}
EVERY = {**LAYERED, **GENERAL}


def build(factory: Callable[[], nn.Module], *, seed: int = 0) -> nn.Module:
    """Return a network with weights from a seed, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return factory().eval()


def digits_with_batch_norm() -> nn.Module:
    """Return a network for digits whose every convolution and hidden layer has BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, stride=2, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(54, 12),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        nn.Linear(12, 10),
    )


class Offset(nn.Module):
    """A linear layer on digits minus a constant that its author gave it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 10)
        self.register_buffer("offset", torch.full((64,), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1) - self.offset)
