"""Our own networks by name."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from torch import nn

from pacbayes.errors import UsageError
from pacbayes.models.conv import conv_net
from pacbayes.models.lenet import lenet5
from pacbayes.models.mlp import mlp
from pacbayes.models.resnet import ResNet20
from pacbayes.models.vgg import vgg16

Shape = tuple[int, ...]

PLAIN: Final[dict[str, Callable[[Shape, int], nn.Module]]] = {
    "lenet300": lambda in_shape, classes: mlp([math.prod(in_shape), 300, 100, classes]),
    "lenet5": lenet5,
    "conv2": partial(conv_net, 2),
    "conv4": partial(conv_net, 4),
    "conv6": partial(conv_net, 6),
}
NORMED: Final[dict[str, Callable[..., nn.Module]]] = {"resnet20": ResNet20, "vgg16": vgg16}
ARGUMENTS: Final = ("norm", "groups")


def named_network(
    name: str, *, in_shape: Shape, classes: int, args: Mapping[str, Any]
) -> nn.Module | None:
    """Return one of our networks, with weights that are still to be drawn; ``None`` for others.

    Args:
        name: ``lenet300``, ``lenet5``, ``conv2``, ``conv4``, ``conv6``, ``resnet20``, ``vgg16``.
        in_shape: shape of one input.
        classes: number of logits.
        args: ``norm`` and ``groups`` for networks with normalisation; nothing for others.

    Raises:
        UsageError: the network does not take these arguments or these inputs.

    Example:
        >>> named_network("vgg19", in_shape=(3, 32, 32), classes=10, args={}) is None
        True
    """
    if name in PLAIN:
        if args:
            others = f"{', '.join(NORMED)}, torchvision:NAME and module:function"
            raise UsageError(f"{name} takes no arguments; --model-args is for {others}")
        return PLAIN[name](in_shape, classes)
    if name not in NORMED:
        return None
    unknown = [key for key in args if key not in ARGUMENTS]
    if unknown:
        raise UsageError(f"{name} takes --model-args {', '.join(ARGUMENTS)}, got {unknown[0]!r}")
    return NORMED[name](in_shape, classes, **args)
