"""Conv-2, Conv-4 and Conv-6: small copies of VGG from the first lottery-ticket paper."""

from collections import OrderedDict
from typing import Final

from torch import nn

from pacbayes.models.images import image_sides

CHANNELS: Final = {2: (64,), 4: (64, 128), 6: (64, 128, 256)}
HIDDEN: Final = 256


def conv_net(depth: int, in_shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """Return Conv-2, Conv-4 or Conv-6: pairs of 3 by 3 convolutions, then 256, 256, classes.

    Pairs have 64, 128 and 256 channels, each followed by 2 by 2 max-pooling; there is no
    normalisation. On CIFAR-10 they have 4,301,642, 2,425,930 and 2,262,602 parameters. The paper
    prints 4.3 M, 2.4 M and 1.7 M; the last does not follow from its own layer sizes, which give
    2,261,184 weights without biases, as Zhou et al. (2019) count them. Parameters are
    ``conv1.weight`` to ``fc3.bias``.

    Args:
        depth: number of convolutions: 2, 4 or 6.
        in_shape: channels, height, width.
        classes: number of logits.

    Raises:
        UsageError: the inputs are not images, or too small for the pooling.

    References:
        Frankle and Carbin (2019), figure 2; Zhou, Lan, Liu and Yosinski (2019).

    Example:
        >>> sum(p.numel() for p in conv_net(2, (3, 32, 32), 10).parameters())
        4301642
    """
    widths = CHANNELS[depth]
    channels, height, width = image_sides(f"conv{depth}", in_shape, smallest=2 ** len(widths))
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    place = 0
    for pair, wide in enumerate(widths, start=1):
        for _ in range(2):
            place += 1
            steps[f"conv{place}"] = nn.Conv2d(channels, wide, 3, padding=1)
            steps[f"relu{place}"] = nn.ReLU()
            channels = wide
        steps[f"pool{pair}"] = nn.MaxPool2d(2)
        height, width = height // 2, width // 2
    steps["flatten"] = nn.Flatten()
    steps["fc1"] = nn.Linear(channels * height * width, HIDDEN)
    steps[f"relu{place + 1}"] = nn.ReLU()
    steps["fc2"] = nn.Linear(HIDDEN, HIDDEN)
    steps[f"relu{place + 2}"] = nn.ReLU()
    steps["fc3"] = nn.Linear(HIDDEN, classes)
    return nn.Sequential(steps)
