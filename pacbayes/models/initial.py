"""Initial weights of our own networks."""

import torch
from torch import nn


@torch.no_grad()
def draw_kaiming(model: nn.Module) -> None:
    """Draw Kaiming-normal weights and set biases to zero, in place, from torch's generator.

    Weights of linear and convolution layers are ``N(0, 2 / fan_in)`` (He et al. 2015), the
    initialization of the lottery-ticket papers. Their spread also suits a prior at init: the
    posterior can move far in relation to its own noise.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
