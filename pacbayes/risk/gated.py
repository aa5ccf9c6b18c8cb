"""Random masks: gates drawn for every (example, draw), exact given the gates."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.posterior import Layer, ParameterUses, SpikeAndSlab
from pacbayes.risk.drawn import Entries, drawn_layer
from pacbayes.risk.noise import BlockNoise

GATES_AT_ONCE = 4_000_000
"""Largest number of gates held at once; small enough for the caches."""

GATES_PER_NORMAL = 8
"""How many gates cost as much as one normal number that is drawn and used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedWeight:
    """The entries of one weight that can be non-zero, in a flat list.

    Attributes:
        outputs: number of rows of the weight.
        row: row of each entry, (k,).
        column: column of each entry, (k,).
        mean: its mean.
        variance: its variance.
        inclusion: its inclusion probability.
    """

    outputs: int
    row: Tensor
    column: Tensor
    mean: Tensor
    variance: Tensor
    inclusion: Tensor

    @classmethod
    def of(cls, posterior: SpikeAndSlab, name: str) -> Self:
        """Return the candidates of a weight of shape (outputs, inputs)."""
        kept = posterior.kept(name)
        row, column = kept.nonzero(as_tuple=True)
        return cls(
            outputs=kept.shape[0],
            row=row,
            column=column,
            mean=posterior.mean[name][kept],
            variance=posterior.scale[name][kept].square(),
            inclusion=posterior.inclusion[name][kept],
        )

    def moments(self, x: Tensor, gates: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and variances of the outputs given the gates, (B, outputs) each.

        Args:
            x: one input row per example, (B, inputs).
            gates: whether each candidate is open, (B, k).
        """
        example, entry = gates.nonzero(as_tuple=True)
        inputs = x[example, self.column[entry]]
        place = example * self.outputs + self.row[entry]
        centre = x.new_zeros(x.shape[0] * self.outputs)
        centre.index_add_(0, place, inputs * self.mean[entry])
        spread = x.new_zeros(x.shape[0] * self.outputs)
        spread.index_add_(0, place, inputs.square() * self.variance[entry])
        shape = (x.shape[0], self.outputs)
        return centre.reshape(shape), spread.reshape(shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """Per-example gates, layer by layer.

    A linear layer with one input row per example: the gates of its weight are drawn for each
    example, u < q with 24 uniform bits u and an inclusion q of 24 bits, so with probability q
    exactly. Given its gates the weights are independent Gaussians, and the outputs are drawn from
    their exact law (local reparametrization, Kingma, Salimans and Welling 2015); the law over
    random gates is no Gaussian, which is why they are drawn. Entries whose inclusion is zero take
    no part. Convolutions, and linear layers with several rows per example, draw an array of
    weights per example, gates included, and so do layers whose bias has random gates.
    """

    model: nn.Module
    posterior: SpikeAndSlab
    local: dict[str, GatedWeight]
    drawn: dict[str, Entries]
    normals: int
    chunk: int

    @classmethod
    def of(cls, model: nn.Module, posterior: SpikeAndSlab, found: list[Layer]) -> Self:
        """Return the design for a network whose layers are known."""
        names = [k.weight for k in found if k.local and not _has_random_bias(posterior, k)]
        local = {name: GatedWeight.of(posterior, name) for name in names}
        gates = sum(weight.inclusion.numel() for weight in local.values())
        outputs = sum(weight.outputs for weight in local.values())
        others = [k for k in found if k.weight not in local]
        parameters = [name for k in others for name in (k.weight, k.bias) if name is not None]
        drawn = [posterior.mean[k.weight].numel() for k in others]
        return cls(
            model=model,
            posterior=posterior,
            local=local,
            drawn={name: Entries.of(posterior, name) for name in parameters},
            normals=outputs + gates // GATES_PER_NORMAL + sum(drawn),
            chunk=max(1, GATES_AT_ONCE // max(gates, *drawn, 1)),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Sorted parameter names."""
        return tuple(sorted(self.posterior.mean))

    def forward(self, x: Tensor) -> Callable[[BlockNoise], Tensor]:
        """Return the function from noise to logits, each example through its own weights."""
        mean = self.posterior.mean

        def logits(noise: BlockNoise) -> Tensor:
            def handle(layer: Layer, inputs: Tensor) -> Tensor:
                if layer.weight not in self.local:
                    bias = None if layer.bias is None else self.drawn[layer.bias]
                    weight = self.drawn[layer.weight]
                    return drawn_layer(layer, inputs, noise, weight=weight, bias=bias)
                return self._linear(layer, inputs, noise)

            with ParameterUses(mean, examples=x.shape[0], handler=handle):
                out: Tensor = functional_call(self.model, {**mean, **self.posterior.buffers}, (x,))
            return out

        return logits

    def _linear(self, layer: Layer, x: Tensor, noise: BlockNoise) -> Tensor:
        weight = self.local[layer.weight]
        drawn = noise.uniform(layer.weight, x.shape[0], weight.inclusion.numel())
        centre, spread = weight.moments(x, drawn < weight.inclusion)
        if layer.bias is not None:
            centre = centre + self.posterior.mean[layer.bias]
            spread = spread + self.posterior.scale[layer.bias].square()
        return torch.addcmul(centre, spread.sqrt_(), noise.normal(layer.weight, *centre.shape))


def _has_random_bias(posterior: SpikeAndSlab, layer: Layer) -> bool:
    return layer.bias is not None and posterior.is_random(layer.bias)
