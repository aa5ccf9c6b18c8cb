"""Networks without BatchNorm: each layer folded into the convolution or linear layer before it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.errors import UsageError
from pacbayes.models.statistics import NAMES, gain_and_shift, tracking_layers

FOLDED: Final = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
EQUAL: Final = 1e-8
"""Largest relative difference of logits in float64; rounding alone stays below 1e-11."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folding:
    """How a network is folded.

    Attributes:
        original: the network as it is.
        model: the network without the folded layers; the layers before them have a bias.
        into: name of the layer that takes each folded layer, by the latter's name.
    """

    original: nn.Module
    model: nn.Module
    into: dict[str, str]

    def weights(
        self, weights: Mapping[str, Tensor], buffers: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the parameters of the folded network, which computes the same function.

        Before a layer ``x -> a x + b`` (per channel), weights W and bias c become ``a W`` and
        ``a c + b``, computed in float64 and rounded once.

        Args:
            weights: parameters of the original.
            buffers: its buffers.
        """
        layers = tracking_layers(self.original)
        gone = {f"{name}.{part}" for name in self.into for part in ("weight", "bias")}
        found = {name: tensor for name, tensor in weights.items() if name not in gone}
        for name, target in self.into.items():
            slope, offset = gain_and_shift(name, layers[name], weights, buffers)
            weight, bias = f"{target}.weight", f"{target}.bias"
            kernel = weights[weight]
            rows = slope.reshape(-1, *(1,) * (kernel.ndim - 1))
            found[weight] = (kernel.double() * rows).to(kernel.dtype)
            old = weights[bias].double() if bias in weights else torch.zeros_like(slope)
            found[bias] = (slope * old + offset).to(kernel.dtype)
        return found

    def other_buffers(self, buffers: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the buffers that are no statistics of folded layers."""
        gone = {f"{name}.{part}" for name in self.into for part in NAMES}
        return {name: tensor for name, tensor in buffers.items() if name not in gone}


def folding(model: nn.Module, in_shape: tuple[int, ...]) -> Folding:
    """Return how to fold every layer with running statistics into the layer before it.

    What comes before is found by calling the network; the folded network is then compared with
    the original at random statistics, in float64, so that a network that uses the layer's input
    elsewhere, or changes it in between, is refused and never folded wrongly.

    Args:
        model: in eval mode; it is not modified.
        in_shape: shape of one input.

    Raises:
        UsageError: a layer with statistics does not follow a convolution or linear layer of its
            own directly, or the network does something with its layers besides calling them.
    """
    into = _pairs(model, torch.zeros(2, *in_shape))
    folded = copy.deepcopy(model)
    for name, target in into.items():
        layer: Any = folded.get_submodule(target)
        if layer.bias is None:
            layer.bias = nn.Parameter(layer.weight.detach().new_zeros(len(layer.weight)))
        _replace(folded, name, nn.Identity())
    found = Folding(original=model, model=folded.eval(), into=into)
    _require_equal(found, in_shape)
    return found


def _pairs(model: nn.Module, x: Tensor) -> dict[str, str]:
    """Return the name of the layer whose output each normalisation layer gets."""
    network = copy.deepcopy(model).float().eval()
    calls: dict[str, int] = {}
    made: dict[int, tuple[str, Tensor]] = {}
    into: dict[str, str] = {}

    def watch(name: str, module: nn.Module) -> None:
        def called(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            calls[name] = calls.get(name, 0) + 1
            if isinstance(module, FOLDED):
                made[id(output)] = (name, output)  # held, so that no other tensor gets its id
            elif id(inputs[0]) in made:
                into[name] = made[id(inputs[0])][0]

        module.register_forward_hook(called)

    layers = tracking_layers(network)
    for name, module in network.named_modules():
        if isinstance(module, FOLDED) or name in layers:
            watch(name, module)
    with torch.no_grad():
        network(x)
    alone = {n: t for n, t in into.items() if calls[n] == 1 == calls[t]}
    odd = sorted(set(layers) - set(alone))
    if odd or len(set(alone.values())) != len(alone):
        raise UsageError(
            f"--batchnorm fold: {', '.join(odd or alone)} does not follow a convolution or linear "
            "layer of its own; use prior-split or charge"
        )
    return alone


def _replace(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, layer)


@torch.no_grad()
def _require_equal(found: Folding, in_shape: tuple[int, ...]) -> None:
    """Compare both networks at random weights and statistics."""
    generator = torch.Generator().manual_seed(0)

    def drawn(tensor: Tensor) -> Tensor:
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        return noise.reshape(tensor.shape) + tensor.double()

    original = copy.deepcopy(found.original).double()
    weights = {k: drawn(t) if t.ndim < 2 else t for k, t in original.named_parameters()}
    buffers = dict(original.named_buffers())
    for name in found.into:
        for part in NAMES[:2]:
            buffers[f"{name}.{part}"] = drawn(buffers[f"{name}.{part}"])
        buffers[f"{name}.running_var"] = buffers[f"{name}.running_var"].abs() + 0.5
    x = torch.randn(3, *in_shape, generator=generator, dtype=torch.float64)
    try:
        before = functional_call(original, {**weights, **buffers}, (x,))
        folded = copy.deepcopy(found.model).double()
        tensors = {**found.weights(weights, buffers), **found.other_buffers(buffers)}
        after = functional_call(folded, tensors, (x,))
    except (RuntimeError, AttributeError, TypeError, KeyError) as error:
        text = " ".join(str(error).split())
        raise UsageError(f"--batchnorm fold: the folded network can't be called: {text}") from error
    if not bool((after - before).abs().max() <= EQUAL * before.abs().max()):
        raise UsageError(
            "--batchnorm fold: the folded network computes another function, so the network does "
            "more with these layers than call them; use prior-split or charge"
        )
