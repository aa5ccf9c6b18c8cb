"""Counting the errors of one network."""

import copy

import torch
from torch import nn
from torch.func import functional_call

from pacbayes.data import Examples
from pacbayes.data.loss import is_right
from pacbayes.risk.counts import Counts
from pacbayes.tickets import Tensors


@torch.no_grad()
def count_errors(model: nn.Module, weights: Tensors, buffers: Tensors, sample: Examples) -> Counts:
    """Return the errors of one network on a sample; ties and non-finite logits count as errors.

    Args:
        model: the network; it is copied, put in eval mode and not modified.
        weights: parameters by name.
        buffers: non-parameter state by name.
        sample: the examples, each counted once.
    """
    network = copy.deepcopy(model).eval()
    right = 0
    for rows in torch.arange(len(sample.labels)).split(1000):
        logits = functional_call(network, {**weights, **buffers}, (sample.inputs[rows],))
        right += int(is_right(logits, sample.labels[rows]).sum())
    return Counts(errors=len(sample.labels) - right, trials=len(sample.labels))
