"""Noisy forward passes through given means and variances, for laws that are relaxed in fitting."""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.posterior.noisy_layers import SMALLEST_VARIANCE
from pacbayes.posterior.uses import Layer, ParameterUses, UnsupportedUseError, apply_layer, layers
from pacbayes.tickets import Tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxedForward:
    """Calls a network with normal weights of given means and variances, differentiable in both.

    As :class:`~pacbayes.posterior.noise.NoisyForward`, for moments that are themselves functions of
    what is fitted, such as those of entries behind gates.

    Attributes:
        model: the network, in eval mode; it is not modified.
        buffers: its buffers.
        layered: whether every parameter is used by one linear or convolution layer.
    """

    model: nn.Module
    buffers: Tensors
    layered: bool

    @classmethod
    def of(cls, model: nn.Module, parameters: Tensors, buffers: Tensors, x: Tensor) -> Self:
        """Return the noisy forward pass that fits the network, found on a few examples."""
        try:
            layers(model, parameters, buffers, x)
        except UnsupportedUseError:
            return cls(model=model, buffers=buffers, layered=False)
        return cls(model=model, buffers=buffers, layered=True)

    def __call__(
        self, mean: Tensors, variance: Tensors, x: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """Return logits of shape (B, classes) for normal weights of given means and variances."""
        if not self.layered:
            drawn = {name: _draw(m, variance[name], generator) for name, m in mean.items()}
            return self._logits(drawn, x)

        def handle(layer: Layer, inputs: Tensor) -> Tensor:
            return _noisy_layer(layer, inputs, mean, variance, generator=generator)

        with ParameterUses(mean, examples=x.shape[0], handler=handle):
            return self._logits(mean, x)

    def _logits(self, weights: Tensors, x: Tensor) -> Tensor:
        logits: Tensor = functional_call(self.model, {**weights, **self.buffers}, (x,))
        return logits


def _draw(mean: Tensor, variance: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    return torch.addcmul(mean, variance.clamp(min=SMALLEST_VARIANCE).sqrt(), noise)


def _noisy_layer(
    layer: Layer, x: Tensor, mean: Tensors, variance: Tensors, *, generator: torch.Generator
) -> Tensor:
    weight, bias = layer.weight, layer.bias
    if layer.local:
        centre = F.linear(x, mean[weight], None if bias is None else mean[bias])
        spread = None if bias is None else variance[bias]
        return _draw(centre, F.linear(x.square(), variance[weight], spread), generator)
    drawn_bias = None if bias is None else _draw(mean[bias], variance[bias], generator)
    drawn = _draw(mean[weight], variance[weight], generator)
    return apply_layer(layer, x, torch.where(variance[weight] > 0, drawn, mean[weight]), drawn_bias)
