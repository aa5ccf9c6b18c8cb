"""LeNet-5 for images of 12 by 12 pixels or more."""

from collections import OrderedDict

from torch import nn

from pacbayes.errors import UsageError

KERNEL = 5


def lenet5(in_shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """Return LeNet-5 with ReLU and max-pooling: 6 and 16 channels, then 120, 84, classes.

    Convolutions are 5 by 5. Images below 32 pixels are padded by 2 in the first convolution, so
    that 28 by 28 and 32 by 32 both arrive as 16 by 5 by 5, as in the original. (The larger variant
    of Caffe, with 20, 50 and 500, is another network: give it as ``module:function``.) Parameters
    are ``conv1.weight`` to ``fc3.bias``.

    Args:
        in_shape: channels, height, width.
        classes: number of logits.

    Raises:
        UsageError: the inputs are not images, or smaller than 12 by 12.

    References:
        LeCun, Bottou, Bengio, Haffner (1998), section II.B; ReLU and max-pooling are later habits.

    Example:
        >>> lenet5((1, 28, 28), 10).fc1.in_features
        400
    """
    if len(in_shape) != 3:
        raise UsageError(f"lenet5 takes images (C, H, W), the data have shape {in_shape}")
    channels, *sides = in_shape
    padding = 0 if min(sides) >= 32 else 2
    left = [_side(side, padding) for side in sides]
    if min(left) < 1:
        raise UsageError(
            f"lenet5 takes images of at least 12 by 12 pixels, the data have {sides[0]} by "
            f"{sides[1]}; take lenet300 or mlp:..."
        )
    steps: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(channels, 6, KERNEL, padding=padding),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, KERNEL),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(16 * left[0] * left[1], 120),
        relu3=nn.ReLU(),
        fc2=nn.Linear(120, 84),
        relu4=nn.ReLU(),
        fc3=nn.Linear(84, classes),
    )
    return nn.Sequential(steps)


def _side(side: int, padding: int) -> int:
    """Return the side that is left after two convolutions and two poolings."""
    return ((side + 2 * padding - KERNEL + 1) // 2 - KERNEL + 1) // 2
