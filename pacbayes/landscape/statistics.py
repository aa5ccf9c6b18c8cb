"""Running statistics of batch normalisation, measured anew for given weights."""

import copy

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from pacbayes.data import Examples
from pacbayes.errors import UsageError
from pacbayes.pruning import State
from pacbayes.tickets import Tensors


@torch.no_grad()
def re_estimated(
    model: nn.Module, weights: Tensors, sample: Examples, *, batch: int = 1000
) -> State:
    """Return weights with the running statistics that they have on a sample.

    Between two networks the activations of an interpolated one shrink, and statistics that belong
    to neither end explain part of a barrier (Jordan et al. 2023). The mean and variance of each
    normalised channel are averages over batches; the last batch counts like the others.

    Networks without such layers keep their buffers.

    Args:
        model: the network; it is copied and not modified.
        weights: by parameter name.
        sample: examples that the statistics are measured on, at least 2.
        batch: examples per call of the network.

    Raises:
        UsageError: there are fewer than 2 examples.
    """
    network = copy.deepcopy(model).eval()
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    tracked = [layer for layer in layers if layer.running_mean is not None]
    if not tracked:
        return State(weights=dict(weights), buffers=State.of(model).buffers)
    if len(sample) < 2:
        raise UsageError("running statistics need at least 2 examples")
    device = next(network.parameters()).device
    placed = {name: tensor.to(device) for name, tensor in weights.items()}
    kind = next(iter(placed.values())).dtype
    network.to(kind)
    for layer in tracked:
        layer.reset_running_stats()
        layer.momentum = None  # torch's word for the plain average over batches
        layer.train()
    for rows in _pieces(len(sample), batch):
        functional_call(network, placed, (sample.inputs[rows].to(device, kind),))
    return State(weights=dict(weights), buffers=State.of(network).buffers)


def _pieces(count: int, batch: int) -> list[Tensor]:
    """Return row numbers in batches of about one size, none of a single example."""
    return list(torch.arange(count).tensor_split(max(1, count // batch)))
