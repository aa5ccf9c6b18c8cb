"""A convolutional network for small colour images whose first layer is fixed by hand."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pacbayes.errors import UsageError
from pacbayes.models.initial import draw_kaiming

STEPS = ((1.0, 1.0), (1.0, -1.0))
"""Sum and difference of two neighbours: the filters of Haar's wavelet."""
OPPONENTS = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0))
"""Brightness and two differences of red, green and blue; orthogonal."""

DAMPING = 1 / 9


class Damped(nn.Module):
    """Make features smaller, so that the layer after them learns as slowly as the others."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the features times a constant."""
        return DAMPING * x


def network(*, widths: str = "64-128-256", side: int = 32, classes: int = 10) -> nn.Sequential:
    """Return a fixed 2 by 2 filter bank and three or so groups of two 3 by 3 convolutions.

    The bank takes sums and differences of neighbouring pixels and of colours, each with both
    signs, and BatchNorm brings all of them to one size: nearly white inputs, which train fast,
    by arithmetic that has seen no data. Its weights are a parameter that training leaves alone.
    Each group halves the image after its first convolution; the largest value of each channel
    goes into one linear layer. Weights are Kaiming-normal, biases zero.

    Args:
        widths: channels of the groups, joined by ``-``.
        side: height and width of the images.
        classes: number of logits.

    Raises:
        UsageError: widths are no positive integers, or the image is halved away.

    References:
        The shape is that of Jordan (2024), "94% on CIFAR-10 in 3.29 seconds on a single GPU",
        whose first layer is whitened by the training images instead.

    Example:
        >>> net = network(widths="8-16")
        >>> tuple(net.conv2a.weight.shape), net.bank.weight.requires_grad
        ((16, 8, 3, 3), False)
    """
    texts = widths.split("-")
    sizes = [int(text) for text in texts if text.isascii() and text.isdecimal()]
    if len(sizes) != len(texts) or not all(sizes) or (side - 1) >> len(sizes) < 1:
        raise UsageError(f"expected widths such as 64-128-256, got {widths!r}")
    bank = filter_bank()
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    first = nn.Conv2d(bank.shape[1], len(bank), 2, bias=False)
    steps["bank"] = first
    steps["norm"] = nn.BatchNorm2d(len(bank))
    steps["relu"] = nn.ReLU()
    before = len(bank)
    for place, size in enumerate(sizes, start=1):
        steps[f"conv{place}a"] = nn.Conv2d(before, size, 3, padding=1, bias=False)
        steps[f"pool{place}"] = nn.MaxPool2d(2)
        steps[f"norm{place}a"] = nn.BatchNorm2d(size)
        steps[f"relu{place}a"] = nn.ReLU()
        steps[f"conv{place}b"] = nn.Conv2d(size, size, 3, padding=1, bias=False)
        steps[f"norm{place}b"] = nn.BatchNorm2d(size)
        steps[f"relu{place}b"] = nn.ReLU()
        before = size
    steps["pool"] = nn.AdaptiveMaxPool2d(1)
    steps["flatten"] = nn.Flatten()
    steps["damped"] = Damped()
    steps["fc"] = nn.Linear(before, classes)
    model = nn.Sequential(steps)
    draw_kaiming(model)
    first.weight.requires_grad_(False).copy_(bank)
    return model


def filter_bank() -> Tensor:
    """Return the filters of shape (24, 3, 2, 2): twelve orthonormal ones, then their negatives."""
    steps = F.normalize(torch.tensor(STEPS), dim=1)
    colours = F.normalize(torch.tensor(OPPONENTS), dim=1)
    bank = torch.einsum("oc,rh,sw->orschw", colours, steps, steps).reshape(-1, 3, 2, 2)
    return torch.cat([bank, -bank])
