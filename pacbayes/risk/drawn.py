"""Arrays of weights really drawn for each example, and the layers that go through them."""

import math
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from pacbayes.posterior import Layer, SpikeAndSlab, Support
from pacbayes.risk.noise import BlockNoise

AT_ONCE = 63
"""Examples in one grouped convolution; more or fewer are slower."""
SUITED_CHANNELS = 8
"""Convolutions of several channels are faster when they are filled up to a multiple of this."""
LARGEST_PATCHES = 30_000_000
"""Numbers in the patches that are kept for one block of examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """The law of the kept entries of one parameter.

    Attributes:
        name: of the parameter.
        support: the kept entries, k of them.
        mean: means of the slabs.  # (k,)
        scale: standard deviations of the slabs.  # (k,)
        inclusion: probabilities of random gates; ``None`` where all are one.  # (k,)
    """

    name: str
    support: Support
    mean: Tensor
    scale: Tensor
    inclusion: Tensor | None

    @classmethod
    def of(cls, posterior: SpikeAndSlab, name: str) -> Self:
        """Return the kept entries of a parameter."""
        support = Support.of(posterior.kept(name))
        gates = support.gather(posterior.inclusion[name]) if posterior.is_random(name) else None
        return cls(
            name=name,
            support=support,
            mean=support.gather(posterior.mean[name]),
            scale=support.gather(posterior.scale[name]),
            inclusion=gates,
        )

    def draw(self, rows: int, noise: BlockNoise) -> Tensor:
        """Return one array per example, (B, *shape), gates included; only kept ones use noise."""
        normal = noise.normal(self.name, rows, self.support.count)
        slab = torch.addcmul(self.mean, self.scale, normal, out=normal)
        if self.inclusion is not None:
            slab.mul_(noise.uniform(self.name, *slab.shape) < self.inclusion)
        return self.support.spread(slab)


def drawn_layer(
    layer: Layer,
    x: Tensor,
    noise: BlockNoise,
    *,
    weight: Entries,
    bias: Entries | None,
    patches: Tensor | None = None,
) -> Tensor:
    """Return a layer's outputs with weights really drawn for each example.

    Args:
        layer: the layer.
        x: its inputs.
        noise: where the weights come from.
        weight: law of the weight.
        bias: law of the bias.
        patches: what :func:`patches_of` returned for these inputs, if it was called.
    """
    rows = x.shape[0]
    kernels = weight.draw(rows, noise)
    shape: tuple[int, ...]
    offsets = None if bias is None else bias.draw(rows, noise)
    if layer.op == "linear":
        flat = x.reshape(rows, -1, x.shape[-1])
        out = torch.bmm(flat, kernels.transpose(1, 2)).reshape(*x.shape[:-1], kernels.shape[1])
        shape = (rows, *(1,) * (x.ndim - 2), -1)
    else:
        shape = (rows, -1, *(1,) * (x.ndim - 2))
        if layer.op == "norm":
            gains, out = kernels.view(shape), layer.options[0](x, None, None)
            return (
                out * gains if offsets is None else torch.addcmul(offsets.view(shape), gains, out)
            )
        out = _convolution(layer, x, kernels, patches)
    return out if offsets is None else out.add_(offsets.view(shape))


def patches_of(layer: Layer, x: Tensor, kernel: torch.Size) -> Tensor | None:
    """Return the patches that a convolution's kernels meet, or ``None`` where they do not pay.

    A convolution with one kernel per example is then a product of two matrices for each example.
    Cutting out the patches costs more than the product, so this pays for inputs that are used many
    times.

    Args:
        layer: the layer.
        x: its inputs, (B, channels, height, width).
        kernel: shape of the weight.

    Returns:
        Shape (B, channels * kernel height * kernel width, places).
    """
    if layer.op != "conv2d" or x.ndim != 4 or math.prod(kernel[2:]) * x.numel() > LARGEST_PATCHES:
        return None
    stride, padding, dilation, groups = layer.options
    if groups != 1 or isinstance(padding, str):
        return None
    return F.unfold(x, kernel[2:], dilation=dilation, padding=padding, stride=stride)


def _convolution(layer: Layer, x: Tensor, kernels: Tensor, patches: Tensor | None) -> Tensor:
    """Return a convolution with kernels of shape (B, out, in, height, width), one per example."""
    stride, padding, dilation, groups = layer.options
    if patches is not None:
        blank = x.new_empty(1, *x.shape[1:], device="meta")
        kernel = kernels[0].to("meta")
        sides = F.conv2d(blank, kernel, None, stride, padding, dilation).shape[2:]
        return torch.bmm(kernels.flatten(2), patches).view(*kernels.shape[:2], *sides)
    missing = -x.shape[1] % SUITED_CHANNELS
    if groups == 1 and 0 < missing < x.shape[1]:
        x = F.pad(x, (0, 0, 0, 0, 0, missing))
        kernels = F.pad(kernels, (0, 0, 0, 0, 0, missing))
    found = []
    for part, kernel in zip(x.split(AT_ONCE), kernels.split(AT_ONCE), strict=True):
        joined = part.reshape(1, -1, *x.shape[2:])
        flat = kernel.reshape(-1, *kernel.shape[2:])
        total = groups * len(part)
        out = F.conv2d(joined, flat, None, stride, padding, dilation, total)
        found.append(out.view(len(part), kernels.shape[1], *out.shape[2:]))
    return found[0] if len(found) == 1 else torch.cat(found)
