"""Layers that keep running statistics, and the same function with other statistics."""

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

NAMES: Final = ("running_mean", "running_var", "num_batches_tracked")


def tracking_layers(model: nn.Module) -> dict[str, _NormBase]:
    """Return the normalisation layers that keep running statistics, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, _NormBase) and module.running_mean is not None
    }


def statistics(model: nn.Module) -> frozenset[str]:
    """Return the names of the buffers that hold running statistics.

    Example:
        >>> sorted(statistics(nn.BatchNorm1d(3)))
        ['num_batches_tracked', 'running_mean', 'running_var']
    """
    layers = tracking_layers(model)
    return frozenset(_joined(layer, name) for layer in layers for name in NAMES)


def gain_and_shift(
    name: str, layer: _NormBase, weights: Mapping[str, Tensor], buffers: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Return a and b of the map ``x -> a x + b`` that a layer is in eval mode, in float64.

    With gain g, shift s, running mean m and variance v: ``a = g / sqrt(v + eps)`` and
    ``b = s - a m``.

    Args:
        name: of the layer.
        layer: gives eps.
        weights: parameters of the network.
        buffers: its buffers.
    """
    mean = buffers[_joined(name, "running_mean")].double()
    variance = buffers[_joined(name, "running_var")].double()
    gain = weights.get(_joined(name, "weight"), torch.ones_like(mean)).double()
    shift = weights.get(_joined(name, "bias"), torch.zeros_like(mean)).double()
    slope = gain / (variance + layer.eps).sqrt()
    return slope, shift - slope * mean


def with_other_statistics(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    buffers: Mapping[str, Tensor],
    *,
    others: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Return the weights that make the same function of a network with other statistics.

    Gains become ``a sqrt(v' + eps)`` and shifts ``b + a m'``, for a and b of
    :func:`gain_and_shift`. Layers without gain and shift can't be compensated and are left alone.

    Args:
        model: the network.
        weights: its parameters.
        buffers: its buffers.
        others: the statistics that take their place.
    """
    found = dict(weights)
    for name, layer in tracking_layers(model).items():
        if not layer.affine:
            continue
        slope, offset = gain_and_shift(name, layer, weights, buffers)
        variance = others[_joined(name, "running_var")].double()
        mean = others[_joined(name, "running_mean")].double()
        gain, shift = _joined(name, "weight"), _joined(name, "bias")
        found[gain] = (slope * (variance + layer.eps).sqrt()).to(weights[gain].dtype)
        found[shift] = (offset + slope * mean).to(weights[shift].dtype)
    return found


DEVIATIONS: Final = 32
"""Values of a coded standard deviation: ``2^(j / 2 - 10)`` for j in [0, 32)."""

PLACES: Final = 32
"""Values of a coded mean, in standard deviations: ``(j - 16) / 4`` for j in [0, 32)."""


def coded(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return the statistics of a fixed code that are nearest to the given ones.

    Each channel has one of ``DEVIATIONS * PLACES`` pairs, declared here before any data are seen:
    the deviation goes to the nearest value in logarithm, then the mean to the nearest quarter of
    that deviation; both are clipped to the code.

    Args:
        mean: running means.  # (C,)
        variance: running variances, not negative.  # (C,)

    Example:
        >>> coded(torch.tensor([0.3]), torch.tensor([1.0]))
        (tensor([0.2500]), tensor([1.]))
    """
    smallest = math.pow(2.0, -10)
    deviation = variance.double().sqrt().clamp(min=smallest)
    step = (2 * (deviation.log2() + 10)).round().clamp(0, DEVIATIONS - 1)
    near = torch.exp2(step / 2 - 10)
    half = PLACES // 2
    place = (4 * mean.double() / near).round().clamp(-half, half - 1)
    return (place / 4 * near).to(mean.dtype), near.square().to(variance.dtype)


def _joined(layer: str, name: str) -> str:
    return f"{layer}.{name}" if layer else name
