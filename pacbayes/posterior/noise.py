"""Noisy forward passes for fitting: local reparametrization where a layer allows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.posterior.noisy_layers import Drawn, NoisyLinear, SparseNoisyLinear
from pacbayes.posterior.slab import Slab
from pacbayes.posterior.uses import Layer, ParameterUses, UnsupportedUseError, apply_layer, layers
from pacbayes.tickets import Tensors

POOL = 2**22
"""Least number of normal numbers in a pool."""
ALIGNED = 16
"""Slices of a pool start at multiples of this, where memory is aligned for vector instructions."""


@dataclass(slots=True)
class NoisePool:
    """Standard normal numbers drawn once and used many times, from random places.

    Drawing them costs a tenth of a fitting step. Evaluation never does this: its numbers must be
    independent.

    Attributes:
        numbers: the pool.
        generator: where the places come from.
    """

    numbers: Tensor
    generator: torch.Generator

    @classmethod
    def of(
        cls, generator: torch.Generator, *, at_once: int, device: torch.device | str = "cpu"
    ) -> Self:
        """Return a pool on a device for passes that take ``at_once`` numbers each."""
        size = max(POOL, 2 * at_once)
        numbers = torch.randn(size, generator=generator, device=generator.device)
        return cls(numbers.to(device), generator)

    def slice(self, count: int) -> Tensor:
        """Return ``count`` numbers from a random place on."""
        places = (len(self.numbers) - count) // ALIGNED + 1
        place = torch.randint(places, (), generator=self.generator, device=self.generator.device)
        start = ALIGNED * int(place)
        return self.numbers[start : start + count]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisyForward:
    """Calls a network with one draw of noise for fitting.

    Linear layers get independent noise for every example (Kingma, Salimans and Welling 2015);
    convolutions and everything else share one weight draw per call. Only kept entries are drawn.
    Fitting may use any law: only evaluation must draw from the posterior exactly.

    Attributes:
        model: the network, in eval mode; it is not modified.
        parameters: tensors that stand for the parameters while the network is called.
        buffers: its buffers.
        layers: the layers that use each parameter once; empty for any other network.
    """

    model: nn.Module
    parameters: Tensors
    buffers: Tensors
    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, model: nn.Module, parameters: Tensors, *, buffers: Tensors, x: Tensor) -> Self:
        """Return the noisy forward pass that fits the network, found on a few examples."""
        try:
            found = tuple(layers(model, parameters, buffers, x))
        except UnsupportedUseError:
            found = ()
        return cls(model=model, parameters=parameters, buffers=buffers, layers=found)

    def normals(self, slabs: Mapping[str, Slab], examples: int) -> int:
        """Return how many normal numbers a call takes for a number of examples."""
        local = [layer for layer in self.layers if layer.local]
        together = {name for layer in local for name in (layer.weight, layer.bias)}
        drawn = sum(s.support.count for name, s in slabs.items() if name not in together)
        return drawn + examples * sum(slabs[layer.weight].support.shape[0] for layer in local)

    def __call__(self, slabs: Mapping[str, Slab], x: Tensor, *, noise: Tensor) -> Tensor:
        """Return logits of shape (B, classes).

        Args:
            slabs: the law of each parameter; a backward pass writes its gradients there.
            x: inputs of shape (B, ...).
            noise: as many numbers as :meth:`normals` says.
        """
        root = torch.zeros((), device=x.device, requires_grad=True)
        used = 0

        def take(*shape: int) -> Tensor:
            nonlocal used
            first, used = used, used + torch.Size(shape).numel()
            return noise[first:used].view(shape)

        def draw(slab: Slab) -> Tensor:
            weights: Tensor = Drawn.apply(  # type: ignore[no-untyped-call]
                root, slab, take(slab.support.count)
            )
            return weights

        def handle(layer: Layer, inputs: Tensor) -> Tensor:
            weight = slabs[layer.weight]
            bias = None if layer.bias is None else slabs[layer.bias]
            if not layer.local:
                return apply_layer(
                    layer, inputs, draw(weight), None if bias is None else draw(bias)
                )
            thin = weight.support.matrix is not None
            shape = (weight.support.shape[0], len(inputs))
            numbers = take(*shape) if thin else take(*shape[::-1])
            function = SparseNoisyLinear if thin else NoisyLinear
            out: Tensor = function.apply(  # type: ignore[no-untyped-call]
                inputs, root, weight, bias, numbers
            )
            return out

        if not self.layers:
            return self._logits({name: draw(slab) for name, slab in slabs.items()}, x)
        with ParameterUses(self.parameters, examples=x.shape[0], handler=handle):
            return self._logits(self.parameters, x)

    def _logits(self, weights: Tensors, x: Tensor) -> Tensor:
        logits: Tensor = functional_call(self.model, {**weights, **self.buffers}, (x,))
        return logits
