"""A folded network computes the same function; what cannot be folded is refused."""

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.errors import UsageError
from pacbayes.models import build_model, folding, statistics
from pacbayes.models.statistics import coded, with_other_statistics

ROUNDING = 2.0**-53


def spoiled(model: nn.Module, seed: int = 0) -> nn.Module:
    """Return the network in float64 with statistics, gains and shifts as after training."""
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if tensor.ndim == 1:
                noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
                positive = name.endswith("running_var")
                tensor.copy_((tensor + noise).abs() + 0.1 if positive else tensor + noise)
    return model


def difference(model: nn.Module, shape: tuple[int, ...]) -> float:
    """Return the largest difference of logits to the folded network, relative to their size."""
    fold = folding(model, shape)
    weights, state = dict(model.named_parameters()), dict(model.named_buffers())
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    left = fold.other_buffers(state)
    folded = {**fold.weights(weights, state), **left}
    assert set(folded) - set(left) == {name for name, _ in fold.model.named_parameters()}
    with torch.no_grad():
        before = model(x)
        after = functional_call(copy.deepcopy(fold.model).double(), folded, (x,))
    return float((after - before).abs().max() / before.abs().max())


def small(kind: str) -> nn.Module:
    layers = {
        "linear": (nn.Flatten(), nn.Linear(50, 6), nn.BatchNorm1d(6)),
        "conv": (nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(54, 3)),
        "groups": (nn.Conv2d(2, 6, 3, groups=2), nn.BatchNorm2d(6), nn.Flatten()),
        "without gains": (nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6, affine=False), nn.Flatten()),
        "instance": (nn.Conv2d(2, 6, 3), nn.InstanceNorm2d(6, track_running_stats=True),
                     nn.Flatten()),
    }  # fmt: skip
    return nn.Sequential(*layers[kind])


@pytest.mark.parametrize("kind", ["linear", "conv", "groups", "without gains", "instance"])
def test_a_folded_layer_is_the_same_function(kind: str) -> None:
    model = spoiled(small(kind))
    # Sums of at most 55 products, each with a handful of roundings, of numbers that may cancel to
    # a hundredth of their size.
    assert difference(model, (2, 5, 5)) < 100 * 100 * ROUNDING


@pytest.mark.parametrize("name", ["resnet20", "vgg16"])
def test_real_networks_fold_to_the_same_function(name: str) -> None:
    model = spoiled(build_model(name, in_shape=(3, 32, 32), classes=10, seed=1))
    # Up to 20 layers of sums of up to 4,608 products: errors grow with layers and, at worst, terms.
    assert difference(model, (3, 32, 32)) < 20 * 4608 * ROUNDING
    fold = folding(model, (3, 32, 32))
    assert statistics(fold.model) == frozenset()
    assert len(fold.into) == {"resnet20": 21, "vgg16": 13}[name]


def test_folding_leaves_zeros_and_the_network_alone() -> None:
    model = spoiled(build_model("resnet20", in_shape=(3, 32, 32), classes=10, seed=1))
    before = {name: t.clone() for name, t in model.state_dict().items()}
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    weights["conv1.weight"][:, 1] = 0
    fold = folding(model, (3, 32, 32))
    found = fold.weights(weights, dict(model.named_buffers()))
    assert not bool(found["conv1.weight"][:, 1].any())
    assert bool((found["conv1.weight"][:, 0] != 0).all())
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


class Twice(nn.Module):
    """Calls one convolution twice, with a BatchNorm for each call."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.first, self.second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.conv(self.first(self.conv(x)))).flatten(1)


class Elsewhere(nn.Module):
    """Uses what goes into BatchNorm a second time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return (self.norm(y) + y).flatten(1)


class Between(Elsewhere):
    """Changes the convolution's output in place before BatchNorm gets it."""

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x).relu_()).flatten(1)


class Looking(Elsewhere):
    """Reads the layer's statistics itself."""

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)).flatten(1) + self.norm.running_mean.sum()


class Shared(Elsewhere):
    """Two BatchNorm layers on one output."""

    def __init__(self) -> None:
        super().__init__()
        self.other = nn.BatchNorm2d(2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return (self.norm(y) + self.other(y)).flatten(1)


def first() -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1), nn.Flatten())


@pytest.mark.parametrize("factory", [Twice, Elsewhere, Between, Looking, Shared, first])
def test_what_cannot_be_folded_is_refused(factory: Callable[[], nn.Module]) -> None:
    with pytest.raises(UsageError, match="--batchnorm fold: ") as caught:
        folding(factory().eval(), (2, 4, 4))
    assert "\n" not in str(caught.value)


# --- the code of statistics


@given(
    st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=4),
    st.floats(0, 1e8) | st.sampled_from([0.0, 1e-30, 1e30]),
)
def test_coded_statistics_are_of_the_declared_code(means: list[float], variance: float) -> None:
    mean = torch.tensor(means)
    places, spread = coded(mean, torch.full_like(mean, variance))
    # enumerated by hand: 32 deviations, and 32 means for each of them
    deviations = torch.tensor([2 ** (j / 2 - 10) for j in range(32)], dtype=torch.float64)
    near = (spread.double().sqrt()[:, None] / deviations - 1).abs().min(dim=1)
    # a square and a root in float32 and float64
    assert float(near.values.max()) < 1e-6
    quarters = 4 * places.double() / deviations[near.indices]
    assert torch.allclose(quarters, quarters.round(), rtol=1e-6, atol=0)
    assert -16 <= float(quarters.min()) <= float(quarters.max()) <= 15 + 1e-4


@given(st.floats(0.01, 30), st.floats(-3.5, 3.5))
def test_a_coded_statistic_is_near(deviation: float, place: float) -> None:
    mean = torch.tensor([place * deviation], dtype=torch.float64)
    found, spread = coded(mean, torch.tensor([deviation**2], dtype=torch.float64))
    near = float(spread.sqrt())
    assert 2**-0.2501 < near / deviation < 2**0.2501
    # within an eighth of a deviation, or clipped at 15/4 of one
    clipped = float(mean.abs()) > 3.75 * near - 1e-9
    assert clipped or float((found - mean).abs()) <= near / 8 * (1 + 1e-9)


def test_other_statistics_are_made_up_for() -> None:
    model = spoiled(small("conv"))
    weights = {name: p.detach() for name, p in model.named_parameters()}
    state = dict(model.named_buffers())
    others = dict(state)
    others["1.running_mean"], others["1.running_var"] = coded(
        state["1.running_mean"], state["1.running_var"]
    )
    x = torch.randn(4, 2, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moved = with_other_statistics(model, weights, state, others=others)
    with torch.no_grad():
        after = functional_call(model, {**moved, **others}, (x,))
        plain = functional_call(model, {**weights, **others}, (x,))
        before = model(x)
    size = float(before.abs().max())
    assert float((after - before).abs().max()) < 100 * 100 * ROUNDING * size
    assert float((plain - before).abs().max()) > 1e-3 * size
