"""Arrays of weights really drawn for each example, and the layers that go through them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pacbayes.posterior import Layer, SpikeAndSlab
from pacbayes.risk.noise import BlockNoise


def drawn_layer(posterior: SpikeAndSlab, layer: Layer, x: Tensor, noise: BlockNoise) -> Tensor:
    """Return a layer's outputs with a weight array really drawn for each example."""
    weight = draw(posterior, layer.weight, x.shape[0], noise)
    bias = None if layer.bias is None else draw(posterior, layer.bias, x.shape[0], noise)
    return _apply_each(layer, x, weight, bias)


def is_local(layer: Layer) -> bool:
    """Return whether the outputs' law given the inputs is an independent Gaussian for each."""
    return layer.op == "linear" and layer.rows == 2


def draw(posterior: SpikeAndSlab, name: str, rows: int, noise: BlockNoise) -> Tensor:
    """Return one array per example, (B, *shape), gates included; only kept ones consume noise."""
    mean, scale, kept = posterior.mean[name], posterior.scale[name], posterior.kept(name)
    slab = mean[kept] + scale[kept] * noise.normal(name, rows, int(kept.sum()))
    if posterior.is_random(name):
        slab = slab * (noise.uniform(name, *slab.shape) < posterior.inclusion[name][kept])
    if bool(kept.all()):
        return slab.reshape(rows, *mean.shape)
    drawn = torch.zeros(rows, mean.numel())
    drawn[:, kept.reshape(-1)] = slab
    return drawn.reshape(rows, *mean.shape)


def _apply_each(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Apply a layer with one weight array per example."""
    examples = x.shape[0]
    if layer.op == "linear":
        flat = x.reshape(examples, -1, x.shape[-1])
        out = torch.bmm(flat, weight.transpose(1, 2))
        out = out if bias is None else out + bias[:, None]
        return out.reshape(*x.shape[:-1], weight.shape[1])
    stride, padding, dilation, groups = layer.options
    out = F.conv2d(
        x.reshape(1, examples * x.shape[1], *x.shape[2:]),
        weight.reshape(-1, *weight.shape[2:]),
        None if bias is None else bias.reshape(-1),
        stride,
        padding,
        dilation,
        groups * examples,
    )
    return out.reshape(examples, weight.shape[1], *out.shape[2:])
