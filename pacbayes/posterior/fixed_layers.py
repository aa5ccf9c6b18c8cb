"""The layers at the start of a network that have no parameters: the same in every draw."""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.tickets import Tensors

ROWS = 500
GROWTH = 4
"""Outputs may have this many times the entries of the inputs; more would not fit in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is left of a network after its fixed layers.

    Attributes:
        model: the layers from the first one with parameters on.
        buffers: its buffers, by name.
        inputs: what the fixed layers give for the inputs.
        labels: of the examples, as they were.
    """

    model: nn.Module
    buffers: dict[str, Tensor]
    inputs: Tensor
    labels: Tensor


@torch.no_grad()
def after_fixed_layers(model: nn.Module, buffers: Tensors, inputs: Tensor, labels: Tensor) -> Rest:
    """Return the rest of a network with the inputs that its fixed layers make for it.

    A ``Sequential`` network often begins with layers that no draw of the weights changes:
    flattening, transforms, fixed filters. Their outputs are computed once. Names of parameters
    stay. Any other network comes back as it is, with its inputs.

    Args:
        model: in eval mode; it is not modified.
        buffers: its buffers.
        inputs: all inputs, of shape (N, *shape).
        labels: of shape (N,).

    Example:
        >>> net = nn.Sequential(OrderedDict(flat=nn.Flatten(), fc=nn.Linear(4, 2)))
        >>> rest = after_fixed_layers(net, {}, torch.zeros(3, 2, 2), torch.zeros(3).long())
        >>> [name for name, _ in rest.model.named_parameters()], tuple(rest.inputs.shape)
        (['fc.weight', 'fc.bias'], (3, 4))
    """
    unchanged = Rest(model=model, buffers=dict(buffers), inputs=inputs, labels=labels)
    # Code of a subclass, and hooks, may do anything with the layers.
    if type(model) is not nn.Sequential or model._forward_hooks or model._forward_pre_hooks:
        return unchanged
    children = list(model.named_children())
    fixed = 0
    while fixed < len(children) and not any(True for _ in children[fixed][1].parameters()):
        fixed += 1
    if not 0 < fixed < len(children):
        return unchanged
    first = nn.Sequential(OrderedDict(children[:fixed])).eval()
    rest = nn.Sequential(OrderedDict(children[fixed:])).eval()
    theirs = {name: buffers[name] for name, _ in first.named_buffers()}
    ours = {name: buffers[name] for name, _ in rest.named_buffers()}

    def outputs(rows: Tensor) -> Tensor:
        found: Tensor = functional_call(first, theirs, (rows,))
        return found

    if outputs(inputs[:1]).numel() > GROWTH * inputs[:1].numel():
        return unchanged
    found = torch.cat([outputs(rows) for rows in inputs.split(ROWS)])
    return Rest(model=rest, buffers=ours, inputs=found, labels=labels)
