"""Which uses of a parameter are recognised, and which are refused."""

import pytest
import torch
from torch import nn

from pacbayes.posterior import UnsupportedUseError, layers
from tests.networks import GENERAL, LAYERED, build
from tests.posterior.laws import weights_of


def found(model: nn.Module, shape: tuple[int, ...]) -> list[tuple[str, str, str | None]]:
    uses = layers(model, weights_of(model), {}, torch.randn(4, *shape))
    return [(layer.op, layer.weight, layer.bias) for layer in uses]


def test_layers_are_found_in_order() -> None:
    factory, shape = LAYERED["convnet"]
    assert found(build(factory), shape) == [
        ("conv2d", "0.weight", "0.bias"),
        ("conv2d", "2.weight", None),
        ("linear", "4.weight", "4.bias"),
    ]


@pytest.mark.parametrize("kind", GENERAL)
def test_other_uses_are_refused(kind: str) -> None:
    factory, shape = GENERAL[kind]
    with pytest.raises(UnsupportedUseError):
        found(build(factory), shape)


def test_a_transposed_weight_is_refused() -> None:
    class Transposed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(6, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.w

    with pytest.raises(UnsupportedUseError):
        found(Transposed(), (6,))


def test_an_unused_parameter_is_refused() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.idle = nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x)

    with pytest.raises(UnsupportedUseError, match="idle"):
        found(Idle(), (6,))


def test_a_layer_over_features_of_the_batch_is_refused() -> None:
    class Across(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x.t())

    with pytest.raises(UnsupportedUseError, match="first axis"):
        found(Across(), (6,))
