"""Layers without parameters are applied once, and nothing else changes."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from pacbayes.posterior import after_fixed_layers


class Shift(nn.Module):
    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.offset


def example() -> tuple[Tensor, Tensor]:
    return torch.randn(7, 2, 3), torch.arange(7) % 2


def test_the_rest_of_the_network_gives_the_same_logits() -> None:
    x, y = example()
    net = nn.Sequential(OrderedDict(flat=nn.Flatten(), shift=Shift(), fc=nn.Linear(6, 2))).eval()
    rest = after_fixed_layers(net, dict(net.named_buffers()), x, y)
    assert [name for name, _ in rest.model.named_parameters()] == ["fc.weight", "fc.bias"]
    assert rest.buffers == {}
    assert torch.equal(rest.model(rest.inputs), net(x))
    assert torch.equal(rest.labels, y)


def test_the_given_buffers_count_and_not_those_of_the_network() -> None:
    x, y = example()
    net = nn.Sequential(OrderedDict(shift=Shift(), flat=nn.Flatten(), fc=nn.Linear(6, 2)))
    rest = after_fixed_layers(net, {"shift.offset": torch.tensor(5.0)}, x, y)
    assert torch.equal(rest.inputs, (x + 5.0).flatten(1))


def test_layers_after_a_parameter_stay() -> None:
    x, y = example()
    net = nn.Sequential(OrderedDict(flat=nn.Flatten(), fc=nn.Linear(6, 2), end=Shift()))
    rest = after_fixed_layers(net, dict(net.named_buffers()), x, y)
    assert set(rest.buffers) == {"end.offset"}
    assert torch.equal(rest.model(rest.inputs), net(x))


def test_other_networks_come_back_as_they_are() -> None:
    x, y = example()

    class Own(nn.Sequential):
        pass

    hooked = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    hooked.register_forward_pre_hook(lambda module, args: None)
    growing = nn.Sequential(nn.Upsample(scale_factor=9), nn.Flatten(), nn.Linear(162, 2))
    without = nn.Sequential(nn.Flatten())
    nested = nn.Linear(3, 2)
    for net in (Own(nn.Flatten(), nn.Linear(6, 2)), hooked, growing, without, nested):
        rest = after_fixed_layers(net, {}, x, y)
        assert rest.model is net
        assert rest.inputs is x
