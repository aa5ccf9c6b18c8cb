"""Probes: does the network hide state that a certificate could not account for?"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.data import Examples
from pacbayes.errors import Problem
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
    that depend on the rest of their batch, and outputs that are not one row of logits per example.
    """
    found = _batch_statistics(model)
    if found:
        return found
    network = copy.deepcopy(model).eval()
    state = {name: tensor.clone() for name, tensor in buffers.items()}
    x = sample.inputs[:PROBED].clone()

    def call(inputs: Tensor) -> Any:
        return functional_call(network, {**weights, **state}, (inputs,))

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
    if not torch.equal(call(x), logits):
        message = "two calls on the same input differ in eval mode: remove the randomness"
        found.append(Problem(condition="V29", message=message))
    elif _depends_on_batch(call, x, logits):
        message = "an example's logits depend on the other examples of its batch"
        found.append(Problem(condition="V5", message=message))
    classes = int(sample.labels.max()) + 1
    if logits.shape[1] < classes:
        message = f"the network has {logits.shape[1]} outputs but labels go up to {classes - 1}"
        found.append(Problem(condition="V22", message=message))
    return found


def _batch_statistics(model: nn.Module) -> list[Problem]:
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        or getattr(module, "running_mean", None) is not None
    ]
    if not names:
        return []
    message = (
        f"{names} are normalisation layers with batch statistics, which this version cannot "
        "account for: fold them into the weights or use GroupNorm"
    )
    return [Problem(condition="V5", message=message)]


def _depends_on_batch(call: Callable[[Tensor], Any], x: Tensor, logits: Tensor) -> bool:
    """Compare each row alone, and among changed neighbours, with the row in the batch."""
    scale = max(float(logits.abs().max()), 1e-6) if torch.isfinite(logits).all() else 1.0
    changed = x.clone()
    changed[1:] = changed[1:].flip(0) * 0.5 + 0.25
    for other in (call(x[:1]), call(changed)):
        difference = (other[0] - logits[0]).abs().max()
        if bool(difference > TOLERANCE * scale):
            return True
    return False
