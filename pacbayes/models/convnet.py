"""A convolutional network of any width, normalised without parameters."""

from collections import OrderedDict

from torch import nn

from pacbayes.errors import UsageError
from pacbayes.models.initial import draw_kaiming

GROUPS = 8


def network(
    *,
    widths: str = "32-64-128",
    hidden: int = 128,
    channels: int = 1,
    side: int = 28,
    classes: int = 10,
) -> nn.Sequential:
    """Return 3 by 3 convolutions with halving in between, a hidden layer and a linear one.

    Groups of channels, and the hidden layer, are standardised for each example: no running
    statistics and no gains, so that weights and biases are all there is to account for. Parameters
    are ``conv1.weight`` to ``fc2.bias``, Kaiming-normal with zero biases.

    Args:
        widths: channels of the convolutions, joined by ``-``, each a multiple of 8.
        hidden: units of the hidden layer.
        channels: of the images.
        side: their height and width.
        classes: number of logits.

    Raises:
        UsageError: a width is not a multiple of 8, or the image is halved away.

    Example:
        >>> net = network(widths="8-16", hidden=4)
        >>> tuple(net.fc1.weight.shape)
        (4, 784)
    """
    texts = widths.split("-")
    sizes = [int(text) for text in texts if text.isascii() and text.isdecimal()]
    left = side >> len(sizes)
    if len(sizes) != len(texts) or any(not s or s % GROUPS for s in sizes) or left < 1:
        raise UsageError(f"expected widths such as 32-64, multiples of {GROUPS}, got {widths!r}")
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    before = channels
    for place, size in enumerate(sizes, start=1):
        steps[f"conv{place}"] = nn.Conv2d(before, size, 3, padding=1)
        steps[f"norm{place}"] = nn.GroupNorm(GROUPS, size, affine=False)
        steps[f"relu{place}"] = nn.ReLU()
        steps[f"pool{place}"] = nn.MaxPool2d(2)
        before = size
    steps["flatten"] = nn.Flatten()
    steps["fc1"] = nn.Linear(before * left * left, hidden)
    steps["norm"] = nn.LayerNorm(hidden, elementwise_affine=False)
    steps["relu"] = nn.ReLU()
    steps["fc2"] = nn.Linear(hidden, classes)
    model = nn.Sequential(steps)
    draw_kaiming(model)
    return model
