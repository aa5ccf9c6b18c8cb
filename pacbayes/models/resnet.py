"""ResNet-20 for small images."""

from typing import Final

import torch.nn.functional as F
from torch import Tensor, nn

from pacbayes.models.images import image_sides
from pacbayes.models.norms import GROUPS, NormFactory, norm_factory

WIDTHS: Final = (16, 32, 64)
BLOCKS: Final = 3


class Block(nn.Module):
    """Two 3 by 3 convolutions beside a shortcut, ``relu(body(x) + shortcut(x))``.

    The shortcut is the identity, or a 1 by 1 convolution with normalisation where shapes change.
    Its weights are parameters like all others.

    Args:
        wide: channels of the input.
        narrow: channels of the output.
        stride: of the first convolution and of the shortcut.
        norm: makes the normalisation layers.
    """

    def __init__(self, wide: int, narrow: int, *, stride: int, norm: NormFactory) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(wide, narrow, 3, stride=stride, padding=1, bias=False)
        self.bn1 = norm(narrow)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, padding=1, bias=False)
        self.bn2 = norm(narrow)
        self.shortcut = nn.Sequential()
        if stride != 1 or wide != narrow:
            self.shortcut = nn.Sequential(
                nn.Conv2d(wide, narrow, 1, stride=stride, bias=False), norm(narrow)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet20(nn.Module):
    """The residual network of 20 layers for CIFAR, with 1 by 1 convolutions as shortcuts.

    A 3 by 3 convolution, three stages of three blocks with 16, 32 and 64 channels, the mean over
    the places, one linear layer: 272,474 parameters for 3 channels and 10 classes, 270,896 of them
    prunable in 22 tensors. Names are those of the published code of several lottery-ticket papers
    (``layer2.0.shortcut.0.weight``), so that its files can be read; normalisation layers are
    called ``bn`` there whatever their kind.

    Args:
        in_shape: channels, height, width.
        classes: number of logits.
        norm: ``batch`` or ``group``.
        groups: of GroupNorm.

    Raises:
        UsageError: the inputs are not images, or the normalisation is unknown.

    References:
        He, Zhang, Ren and Sun (2016), section 4.2, with shortcuts of type B.

    Example:
        >>> sum(p.numel() for p in ResNet20((3, 32, 32), 10).parameters())
        272474
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        classes: int,
        *,
        norm: str = "batch",
        groups: int = GROUPS,
    ) -> None:
        super().__init__()
        channels, _, _ = image_sides("resnet20", in_shape, smallest=4)
        make = norm_factory(norm, groups)
        first, second, third = WIDTHS
        self.conv1 = nn.Conv2d(channels, first, 3, padding=1, bias=False)
        self.bn1 = make(first)
        self.layer1 = _stage(first, first, stride=1, norm=make)
        self.layer2 = _stage(first, second, stride=2, norm=make)
        self.layer3 = _stage(second, third, stride=2, norm=make)
        self.fc = nn.Linear(third, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (B, classes)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.layer3(self.layer2(self.layer1(y)))
        logits: Tensor = self.fc(y.mean(dim=(2, 3)))
        return logits


def _stage(wide: int, narrow: int, *, stride: int, norm: NormFactory) -> nn.Sequential:
    first = Block(wide, narrow, stride=stride, norm=norm)
    rest = (Block(narrow, narrow, stride=1, norm=norm) for _ in range(BLOCKS - 1))
    return nn.Sequential(first, *rest)
