"""VGG-16 for small images."""

from collections import OrderedDict
from typing import Final

from torch import nn

from pacbayes.models.images import image_sides
from pacbayes.models.norms import GROUPS, norm_factory

STAGES: Final = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
SMALLEST: Final = 2 ** len(STAGES)


def vgg16(
    in_shape: tuple[int, ...], classes: int, *, norm: str = "batch", groups: int = GROUPS
) -> nn.Sequential:
    """Return VGG-16 in the form used for CIFAR: 13 convolutions and one linear layer.

    Every 3 by 3 convolution, without bias, is followed by normalisation and ReLU; five times 2 by
    2 max-pooling; the mean over what places are left; 512 to classes. For 3 channels and 10
    classes it has 14,724,042 parameters, 14,710,464 of them in convolutions. Parameters are
    ``conv1.weight``, ``bn1.weight`` and so on to ``fc.bias``; normalisation layers are called
    ``bn`` whatever their kind.

    Args:
        in_shape: channels, height, width; 32 pixels or more.
        classes: number of logits.
        norm: ``batch`` or ``group``.
        groups: of GroupNorm.

    Raises:
        UsageError: the inputs are not images of that size, or the normalisation is unknown.

    References:
        Simonyan and Zisserman (2015), configuration D, without the two hidden linear layers.

    Example:
        >>> vgg16((3, 32, 32), 10).conv13
        Conv2d(512, 512, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
    """
    channels, _, _ = image_sides("vgg16", in_shape, smallest=SMALLEST)
    make = norm_factory(norm, groups)
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    place = 0
    for stage, (wide, count) in enumerate(STAGES, start=1):
        for _ in range(count):
            place += 1
            steps[f"conv{place}"] = nn.Conv2d(channels, wide, 3, padding=1, bias=False)
            steps[f"bn{place}"] = make(wide)
            steps[f"relu{place}"] = nn.ReLU()
            channels = wide
        steps[f"pool{stage}"] = nn.MaxPool2d(2)
    steps["mean"] = nn.AdaptiveAvgPool2d(1)
    steps["flatten"] = nn.Flatten()
    steps["fc"] = nn.Linear(channels, classes)
    return nn.Sequential(steps)
