"""Probes: does the network hide state that a certificate could not account for?"""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.data import Examples
from pacbayes.errors import Problem
from pacbayes.risk.unregistered import unregistered
from pacbayes.tickets import Tensors

PROBED = 16
TOLERANCE = 1e-3
"""Largest relative change of a logit that other batch sizes may cause by rounding alone."""


@torch.no_grad()
def problems(
    model: nn.Module, weights: Tensors, buffers: Tensors, sample: Examples
) -> list[Problem]:
    """Return every way in which the network is not a function of one example and its weights.

    Looked for: batch statistics, randomness that eval mode leaves on, buffers that change, rows
    that depend on the rest of their batch, weights beside the parameters, and outputs that are not
    one row of logits per example. The network is called at the given weights and at some around
    them: at a prior of zeros all logits are equal and nothing shows.
    """
    found = _batch_statistics(model)
    if found:
        return found
    network = copy.deepcopy(model).eval()
    state = {name: tensor.clone() for name, tensor in buffers.items()}
    x = sample.inputs[:PROBED].clone()

    def at(point: Tensors) -> Callable[[Tensor], Any]:
        return lambda inputs: functional_call(network, {**point, **state}, (inputs,))

    call = at(weights)
    try:
        logits = call(x)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        line = str(error).splitlines()[0]
        message = f"the network cannot be called on inputs of shape {tuple(x.shape)}: {line}"
        return [Problem(condition="V24", message=message)]
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        message = f"the network returns {shape}; it must return logits (examples, classes)"
        return [Problem(condition="V24", message=message)]
    if not torch.equal(x, sample.inputs[:PROBED]):
        message = "the network changes its inputs in place; let its first operation make a copy"
        return [Problem(condition="V10", message=message)]
    changed = [name for name, tensor in state.items() if not torch.equal(tensor, buffers[name])]
    if changed:
        message = f"buffers {changed} change in eval mode; freeze them before certifying"
        found.append(Problem(condition="V5", message=message))
    around = at(_around(weights))
    odd = _behaviour(call, x) or _behaviour(around, x)
    found += odd or _hidden_weights(network, around, x)
    classes = int(sample.labels.max()) + 1
    if logits.shape[1] < classes:
        message = f"the network has {logits.shape[1]} outputs but labels go up to {classes - 1}"
        found.append(Problem(condition="V22", message=message))
    return found


def _around(weights: Tensors) -> dict[str, Tensor]:
    """Return weights moved by noise of the size of initial weights, always the same."""
    generator = torch.Generator().manual_seed(0)
    moved = {}
    for name in sorted(weights):
        tensor = weights[name]
        inputs = tensor[0].numel() if tensor.ndim > 1 and len(tensor) else 1
        noise = torch.randn(tensor.shape, generator=generator).to(tensor)
        moved[name] = tensor + noise / math.sqrt(max(inputs, 1))
    return moved


def _behaviour(call: Callable[[Tensor], Any], x: Tensor) -> list[Problem]:
    """Return whether a call is random, or a row depends on the rest of its batch."""
    logits = call(x)
    if not torch.equal(call(x).nan_to_num(), logits.nan_to_num()):
        message = "two calls on the same input differ in eval mode: remove the randomness"
        return [Problem(condition="V29", message=message)]
    if _depends_on_batch(call, x, logits):
        message = "an example's logits depend on the other examples of its batch"
        return [Problem(condition="V5", message=message)]
    return []


def _hidden_weights(network: nn.Module, call: Callable[[Tensor], Any], x: Tensor) -> list[Problem]:
    """Return whether the network computes with weights that drawing does not replace.

    Its own parameters are spoiled last: a network that uses them shows it, because a functional
    call replaces them all.
    """
    names = unregistered(network)
    if names:
        message = (
            f"{names} hold tensors or modules that are not registered, so no kl covers them; use "
            "nn.Parameter, register_buffer, nn.ModuleList or nn.ModuleDict"
        )
        return [Problem(condition="V24", message=message)]
    before = call(x)
    for parameter in network.parameters():
        parameter.fill_(math.nan)
    if torch.equal(call(x).nan_to_num(), before.nan_to_num()):
        return []
    message = "the network keeps its first parameters and uses them whatever weights are drawn"
    return [Problem(condition="V24", message=message)]


def _batch_statistics(model: nn.Module) -> list[Problem]:
    """Return whether a layer uses the statistics of its batch in eval mode too."""
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None
    ]
    if not names:
        return []
    message = (
        f"{names} normalise by the statistics of their batch: keep running statistics "
        "(track_running_stats=True) or use GroupNorm"
    )
    return [Problem(condition="V5", message=message)]


def _depends_on_batch(call: Callable[[Tensor], Any], x: Tensor, logits: Tensor) -> bool:
    """Compare a row alone and among changed neighbours, and all in reverse, with the batch."""
    scale = max(float(logits.abs().max()), 1e-6) if torch.isfinite(logits).all() else 1.0
    changed = x.clone()
    changed[1:] = changed[1:].flip(0) * 0.5 + 0.25
    for other in (call(x[:1]), call(changed)):
        difference = (other[0] - logits[0]).abs().max()
        if bool(difference > TOLERANCE * scale):
            return True
    difference = (call(x.flip(0)).flip(0) - logits).abs().max()
    return bool(difference > TOLERANCE * scale)
