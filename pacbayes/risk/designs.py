"""One forward pass in which every example has its own independent weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from pacbayes.posterior import Layer, ParameterUses, SpikeAndSlab, UnsupportedUseError, layers
from pacbayes.risk.drawn import Entries, drawn_layer, patches_of
from pacbayes.risk.gated import Gated
from pacbayes.risk.linear_law import LinearLaw, Moments
from pacbayes.risk.noise import BlockNoise

MEMORY = 600_000_000
"""Bytes that the weights drawn at once may take; it bounds memory, not the law."""
BYTES_PER_ENTRY = 12
"""Of a drawn weight, with what making it needs."""
LAYER_ENTRIES = 2_400_000
"""Largest number of drawn weights of one layer held at once; more would leave the caches."""


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


def design_for(
    model: nn.Module, posterior: SpikeAndSlab, x: Tensor, *, memory: int = MEMORY
) -> Design:
    """Return the cheapest design whose conditions the network meets, found on a few examples.

    A network whose parameters are each used exactly once, by a linear layer, a convolution or a
    normalisation whose input's first axis is the examples, is evaluated layer by layer; any other
    by really drawing all weights for each example. Random gates are drawn in either case.
    """
    try:
        found = layers(model, posterior.mean, posterior.buffers, x)
        # An axis that has as many entries as there happen to be examples shows itself here.
        layers(model, posterior.mean, posterior.buffers, x[: len(x) // 2 + 1])
    except UnsupportedUseError:
        return General.of(model, posterior, memory=memory)
    if posterior.has_gates:
        return Gated.of(model, posterior, found)
    return Layered.of(model, posterior, found, memory=memory)


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
    linear: dict[str, LinearLaw]
    entries: dict[str, Entries]
    normals: int
    chunk: int

    @classmethod
    def of(
        cls, model: nn.Module, posterior: SpikeAndSlab, found: list[Layer], *, memory: int = MEMORY
    ) -> Self:
        """Return the design for a network whose layers are known."""
        entries = {name: Entries.of(posterior, name) for name in posterior.mean}
        linear = {}
        drawn, normals = 0, 0
        for layer in found:
            support = entries[layer.weight].support
            bias = None if layer.bias is None else entries[layer.bias]
            if layer.local:
                linear[layer.weight] = LinearLaw.of(entries[layer.weight], bias)
                normals += support.shape[0]
            else:
                normals += support.count + (0 if bias is None else bias.support.count)
                drawn = max(drawn, support.shape.numel())
        return cls(
            model=model,
            posterior=posterior,
            linear=linear,
            entries=entries,
            normals=normals,
            chunk=max(1, min(LAYER_ENTRIES, memory // BYTES_PER_ENTRY) // max(drawn, 1)),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Sorted parameter names."""
        return tuple(sorted(self.posterior.mean))

    def forward(self, x: Tensor) -> Forward:
        """Return the function from noise to logits, each example through its own weights.

        What a layer makes of the inputs themselves is the same in every draw and is computed once:
        the moments of a linear layer, the patches of a convolution.
        """
        moments: dict[str, Moments] = {}
        patches: dict[str, Tensor | None] = {}

        def handle(layer: Layer, inputs: Tensor, noise: BlockNoise) -> Tensor:
            first = inputs.data_ptr() == x.data_ptr() and inputs.numel() == x.numel()
            first = first and inputs.is_contiguous()
            if not layer.local:
                weight = self.entries[layer.weight]
                bias = None if layer.bias is None else self.entries[layer.bias]
                if first and layer.weight not in patches:
                    patches[layer.weight] = patches_of(layer, inputs, weight.support.shape)
                known = patches.get(layer.weight) if first else None
                return drawn_layer(layer, inputs, noise, weight=weight, bias=bias, patches=known)
            found = moments.get(layer.weight) if first else None
            found = found or self.linear[layer.weight].moments(inputs)
            if first:
                moments[layer.weight] = found
            centre, deviation = found
            return torch.addcmul(centre, deviation, noise.normal(layer.weight, *centre.shape))

        def logits(noise: BlockNoise) -> Tensor:
            mean = self.posterior.mean
            uses = ParameterUses(
                mean, examples=x.shape[0], handler=lambda layer, y: handle(layer, y, noise)
            )
            with uses:
                out: Tensor = functional_call(self.model, {**mean, **self.posterior.buffers}, (x,))
            return out

        return logits


@dataclass(frozen=True, slots=True, kw_only=True)
class General:
    """Really drawn weights for every example, for any network."""

    model: nn.Module
    posterior: SpikeAndSlab
    entries: dict[str, Entries]
    chunk: int

    @classmethod
    def of(cls, model: nn.Module, posterior: SpikeAndSlab, *, memory: int = MEMORY) -> Self:
        """Return the design of a network and a law."""
        entries = {name: Entries.of(posterior, name) for name in posterior.mean}
        size = sum(mean.numel() for mean in posterior.mean.values())
        chunk = max(1, memory // BYTES_PER_ENTRY // max(size, 1))
        return cls(model=model, posterior=posterior, entries=entries, chunk=chunk)

    @property
    def normals(self) -> int:
        """Normal numbers per (example, draw): one for every kept entry."""
        return sum(entries.support.count for entries in self.entries.values())

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
            drawn = {name: e.draw(x.shape[0], noise) for name, e in self.entries.items()}
            try:
                return vmap(one)(drawn, x)
            except RuntimeError:
                rows = [{k: w[i] for k, w in drawn.items()} for i in range(x.shape[0])]
                return torch.stack([one(weights, x[i]) for i, weights in enumerate(rows)])

        return logits
