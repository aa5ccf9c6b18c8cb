"""Fully connected networks."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Return a fully connected network with ReLU between its layers.

    Inputs are flattened. Layers are called ``fc1``, ``fc2`` and so on, so their parameters are
    ``fc1.weight``, ``fc1.bias``, ...

    Args:
        sizes: inputs, hidden layers, classes; at least two numbers.

    Example:
        >>> [name for name, _ in mlp([4, 3, 2]).named_parameters()]
        ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']
    """
    steps: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    last = len(sizes) - 1
    for place, (wide, narrow) in enumerate(pairwise(sizes), start=1):
        steps[f"fc{place}"] = nn.Linear(wide, narrow)
        if place < last:
            steps[f"relu{place}"] = nn.ReLU()
    return nn.Sequential(steps)
