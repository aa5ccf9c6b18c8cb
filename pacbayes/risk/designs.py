"""One forward pass in which every example has its own independent weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap

from pacbayes.posterior import Layer, ParameterUses, SpikeAndSlab, UnsupportedUseError, layers
from pacbayes.risk.drawn import draw, drawn_layer, is_local
from pacbayes.risk.gated import Gated
from pacbayes.risk.noise import BlockNoise

Moments = tuple[Tensor, Tensor]
CHUNK_ENTRIES = 50_000_000
"""Largest number of drawn weights held at once; bounds memory, not the law."""


Forward = Callable[[BlockNoise], Tensor]
"""From one draw's noise to the logits of fixed examples.  # (B, classes)"""


class Design(Protocol):
    """Turns inputs into logits, example i through weights drawn for it alone."""

    @property
    def names(self) -> tuple[str, ...]:
        """Sorted parameter names, which number the streams of noise."""

    @property
    def normals(self) -> int:
        """Normal numbers consumed per (example, draw)."""

    @property
    def chunk(self) -> int:
        """Examples handled at once."""

    def forward(self, x: Tensor) -> Forward:
        """Return the function from noise to logits for inputs of shape (B, *shape)."""


def design_for(model: nn.Module, posterior: SpikeAndSlab, x: Tensor) -> Design:
    """Return the cheapest design whose conditions the network meets, found on a few examples.

    A network whose parameters are each used exactly once, by a linear or convolution layer whose
    input's first axis is the examples, is evaluated layer by layer; any other by really drawing
    all weights for each example. Random gates are drawn in either case.
    """
    try:
        found = layers(model, posterior.mean, posterior.buffers, x)
        # An axis that has as many entries as there happen to be examples shows itself here.
        layers(model, posterior.mean, posterior.buffers, x[: len(x) // 2 + 1])
    except UnsupportedUseError:
        return General(model=model, posterior=posterior)
    if posterior.has_gates:
        return Gated.of(model, posterior, found)
    return Layered.of(model, posterior, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layered:
    """Exact per-example weights, layer by layer.

    A linear layer with one input row per example: given the row x, the outputs under independent
    Gaussian weights are independent Gaussians with mean ``x m' + b`` and variance ``x^2 (s^2)' +
    s_b^2`` (local reparametrization, Kingma, Salimans and Welling 2015), which is exact because
    the inclusion is 0 or 1, no weight is shared, and each is used once per example. Convolutions,
    and linear layers with several rows per example, draw a weight array per example.
    """

    model: nn.Module
    posterior: SpikeAndSlab
    variance: dict[str, Tensor]
    normals: int
    chunk: int

    @classmethod
    def of(cls, model: nn.Module, posterior: SpikeAndSlab, found: list[Layer]) -> Self:
        """Return the design for a network whose layers are known."""
        drawn, normals = 0, 0
        for layer in found:
            entries = posterior.mean[layer.weight].numel()
            if is_local(layer):
                normals += posterior.mean[layer.weight].shape[0]
            else:
                bias = 0 if layer.bias is None else posterior.mean[layer.bias].numel()
                normals += int(posterior.kept(layer.weight).sum()) + bias
                drawn = max(drawn, entries)
        return cls(
            model=model,
            posterior=posterior,
            variance={name: scale.square() for name, scale in posterior.scale.items()},
            normals=normals,
            chunk=max(1, CHUNK_ENTRIES // max(drawn, 1)),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Sorted parameter names."""
        return tuple(sorted(self.posterior.mean))

    def forward(self, x: Tensor) -> Forward:
        """Return the function from noise to logits, each example through its own weights.

        A linear layer that sees the inputs themselves has the same moments in every draw: they
        are computed once.
        """
        moments: dict[str, Moments] = {}

        def logits(noise: BlockNoise) -> Tensor:
            def handle(layer: Layer, inputs: Tensor) -> Tensor:
                if not is_local(layer):
                    return drawn_layer(self.posterior, layer, inputs, noise)
                whole = inputs.data_ptr() == x.data_ptr() and inputs.numel() == x.numel()
                known = moments.get(layer.weight) if whole and inputs.is_contiguous() else None
                found = known or self._moments(layer, inputs)
                if whole and inputs.is_contiguous():
                    moments[layer.weight] = found
                centre, deviation = found
                return torch.addcmul(centre, deviation, noise.normal(layer.weight, *centre.shape))

            mean = self.posterior.mean
            with ParameterUses(mean, examples=x.shape[0], handler=handle):
                out: Tensor = functional_call(self.model, {**mean, **self.posterior.buffers}, (x,))
            return out

        return logits

    def _moments(self, layer: Layer, x: Tensor) -> Moments:
        """Return mean and standard deviation of a linear layer's outputs."""
        mean, variance = self.posterior.mean, self.variance
        bias = None if layer.bias is None else mean[layer.bias]
        bias_variance = None if layer.bias is None else variance[layer.bias]
        centre = F.linear(x, mean[layer.weight], bias)
        return centre, F.linear(x.square(), variance[layer.weight], bias_variance).sqrt_()


@dataclass(frozen=True, slots=True, kw_only=True)
class General:
    """Really drawn weights for every example, for any network."""

    model: nn.Module
    posterior: SpikeAndSlab

    @property
    def normals(self) -> int:
        """Normal numbers per (example, draw): one for every kept entry."""
        return sum(int(self.posterior.kept(name).sum()) for name in self.posterior.mean)

    @property
    def chunk(self) -> int:
        """Examples handled at once."""
        entries = sum(mean.numel() for mean in self.posterior.mean.values())
        return max(1, CHUNK_ENTRIES // max(entries, 1))

    @property
    def names(self) -> tuple[str, ...]:
        """Sorted parameter names."""
        return tuple(sorted(self.posterior.mean))

    def forward(self, x: Tensor) -> Forward:
        """Return the function from noise to logits, by vmap or, where that fails, one by one."""

        def one(weights: dict[str, Tensor], example: Tensor) -> Tensor:
            tensors = {**weights, **self.posterior.buffers}
            logits: Tensor = functional_call(self.model, tensors, (example[None],))
            return logits[0]

        def logits(noise: BlockNoise) -> Tensor:
            drawn = {
                name: draw(self.posterior, name, x.shape[0], noise) for name in self.posterior.mean
            }
            try:
                return vmap(one)(drawn, x)
            except RuntimeError:
                rows = [{k: w[i] for k, w in drawn.items()} for i in range(x.shape[0])]
                return torch.stack([one(weights, x[i]) for i, weights in enumerate(rows)])

        return logits
