"""Noisy forward passes for fitting: local reparametrization where a layer allows it."""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.posterior.uses import Layer, ParameterUses, UnsupportedUseError, apply_layer, layers
from pacbayes.tickets import Tensors

SMALLEST_VARIANCE = 1e-20


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisyForward:
    """Calls a network with one draw of noise for fitting.

    Linear layers get independent noise for every example (Kingma, Salimans and Welling 2015);
    convolutions and everything else share one weight draw per call. Fitting may use any law: only
    evaluation must draw from the posterior exactly.

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
    if layer.op == "linear" and layer.rows == 2:
        centre = F.linear(x, mean[weight], None if bias is None else mean[bias])
        spread = None if bias is None else variance[bias]
        return _draw(centre, F.linear(x.square(), variance[weight], spread), generator)
    drawn_bias = None if bias is None else _draw(mean[bias], variance[bias], generator)
    drawn = _draw(mean[weight], variance[weight], generator)
    return apply_layer(layer, x, torch.where(variance[weight] > 0, drawn, mean[weight]), drawn_bias)
