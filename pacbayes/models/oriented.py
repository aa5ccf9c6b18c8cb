"""A network whose first layers are fixed by hand: edges by orientation, then cosines.

Images are straightened by their moments, filtered by small oriented derivatives, rectified,
divided by the local contrast, blurred and thinned out, and written in cosine waves over space and
orientation; one linear layer reads the result. Nothing but that layer is learned: the rest is
arithmetic without data, like a pooling layer. In cosine waves neighbouring features are nearly
uncorrelated, so that a Gaussian with independent weights wastes few nats.

Initial weights are small and fall with frequency, so that pruning by initial magnitude
(``--method magnitude-init``) keeps low frequencies: a mask that has seen no data.

References:
    Freeman and Roth (1995), Dalal and Triggs (2005): histograms of oriented gradients.
    Bruna and Mallat (2013): rectified, averaged wavelets. LeCun et al. (1998): moments of digits.
"""

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pacbayes.errors import UsageError

FILTER = 5
CONTRAST = 0.1
GAIN = 200.0


class Straighten(nn.Module):
    """Undo slant and shift of each image, by its second and first moments."""

    def forward(self, x: Tensor) -> Tensor:
        """Return images of the same shape, sheared about their centre of mass."""
        across = torch.linspace(-1, 1, x.shape[3], device=x.device)
        down = torch.linspace(-1, 1, x.shape[2], device=x.device)
        ink = x.mean(dim=1)
        total = ink.sum((1, 2)).clamp(min=1e-6)
        centre_x = (ink * across).sum((1, 2)) / total
        centre_y = (ink * down[:, None]).sum((1, 2)) / total
        dx = across[None, None, :] - centre_x[:, None, None]
        dy = down[None, :, None] - centre_y[:, None, None]
        spread = (ink * dy.square()).sum((1, 2)) / total
        slant = ((ink * dx * dy).sum((1, 2)) / total / spread.clamp(min=1e-6)).clamp(-1, 1)
        one, zero = torch.ones_like(slant), torch.zeros_like(slant)
        rows = [torch.stack([one, slant, centre_x], 1), torch.stack([zero, one, centre_y], 1)]
        grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=True)
        return F.grid_sample(x, grid, align_corners=True)


class Edges(nn.Module):
    """Strength of edges by orientation, relative to the local contrast, on a thinner grid.

    Filters are computed in each call, which is cheap, so that the network has no buffers.
    """

    def __init__(self, channels: int, orientations: int, *, blur: float, step: int) -> None:
        super().__init__()
        self.channels, self.orientations = channels, orientations
        self.blur, self.step = blur, step

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of shape (B, channels * orientations, H / step, W / step)."""
        angles = [math.pi * place / self.orientations for place in range(self.orientations)]
        bank = torch.stack([_derivative(angle) for angle in angles])
        filters = bank[:, None].repeat(self.channels, 1, 1, 1)
        h = F.conv2d(x, filters, padding=FILTER // 2, groups=self.channels).abs()
        window = _gaussian(self.blur)
        energy = _filtered(h.square().sum(1, keepdim=True), window, 1).clamp(min=0).sqrt()
        return _filtered(h / (energy + CONTRAST), window, self.step)


class Cosines(nn.Module):
    """Standardise each example and write it in orthonormal cosine waves."""

    def forward(self, x: Tensor) -> Tensor:
        """Return features of shape (B, maps * rows * columns), mean square about one."""
        maps, rows, columns = x.shape[1:]
        x = F.layer_norm(x, x.shape[1:])
        x = _cosines(rows) @ (x @ _cosines(columns).T)
        return torch.einsum("nouv,po->npuv", x, _cosines(maps)).flatten(1)


class WithColours(nn.Module):
    """Cosine waves of the edges beside those of the averaged colours: sum and two differences."""

    def __init__(self, edges: Edges) -> None:
        super().__init__()
        self.edges, self.waves = edges, Cosines()

    def forward(self, x: Tensor) -> Tensor:
        """Return features of shape (B, (maps + 3) * rows * columns)."""
        mixed = torch.einsum("nchw,oc->nohw", x, _opponents())
        colours = F.avg_pool2d(mixed, self.edges.step, ceil_mode=True)
        return torch.cat([self.waves(self.edges(x)), self.waves(colours)], dim=1)


class Classes(nn.Module):
    """From classes - 1 coordinates to logits: the corners of a simplex.

    What all logits share never changes the largest one, so no weight is spent on it.
    """

    def __init__(self, classes: int, *, gain: float) -> None:
        super().__init__()
        self.classes, self.gain = classes, gain

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (B, classes)."""
        return self.gain * (x @ _corners(self.classes))


def network(
    *,
    channels: int = 1,
    side: int = 28,
    classes: int = 10,
    orientations: int = 4,
    blur: float = 1.5,
    step: int = 2,
    decay: float = 1.5,
    straighten: bool = True,
    colours: bool = False,
) -> nn.Sequential:
    """Return the network; its only parameters are ``fc.weight`` (classes - 1, features).

    Args:
        channels: of the images.
        side: their height and width.
        classes: number of logits.
        orientations: edge filters per channel.
        blur: standard deviation of the averaging windows, in pixels.
        step: distance of the points that are kept of each map.
        decay: initial weights fall with frequency r as ``(1 + r)^-decay``.
        straighten: undo slant and shift first.
        colours: read averaged colours too; for three channels.

    Raises:
        UsageError: the images are smaller than the step, or not of three colours.

    Example:
        >>> net = network(orientations=2, step=4)
        >>> net(torch.zeros(3, 1, 28, 28)).shape, net.fc.weight.shape
        (torch.Size([3, 10]), torch.Size([9, 98]))
    """
    if step < 1 or side < step:
        raise UsageError(f"step must lie between 1 and the side {side}, got {step}")
    if colours and channels != 3:
        raise UsageError(f"colours need three channels, got {channels}")
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    if straighten:
        steps["straighten"] = Straighten()
    left, maps = (side - 1) // step + 1, channels * orientations
    edges = Edges(channels, orientations, blur=blur, step=step)
    if colours:
        steps["features"], maps = WithColours(edges), maps + channels
    else:
        steps["edges"], steps["cosines"] = edges, Cosines()
    head = nn.Linear(maps * left * left, classes - 1, bias=False)
    _draw_small(head.weight, (maps, left, left), decay)
    steps["fc"] = head
    steps["classes"] = Classes(classes, gain=GAIN / math.sqrt(maps * left * left))
    return nn.Sequential(steps)


@torch.no_grad()
def _draw_small(weight: Tensor, shape: tuple[int, int, int], decay: float) -> None:
    waves = torch.arange(shape[1]).float()
    radius = (waves[:, None].square() + waves.square()).sqrt()
    size = (0.01 * (1 + radius) ** -decay).expand(shape).flatten()
    weight.copy_(torch.randn(weight.shape) * size)


def _opponents() -> Tensor:
    """Return the sum of three colours and two differences, as rows of unit length."""
    rows = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])
    return F.normalize(rows, dim=1)


def _derivative(angle: float, deviation: float = 0.8) -> Tensor:
    """Return a derivative of a Gaussian in one direction, of unit norm."""
    places = torch.arange(FILTER) - (FILTER - 1) / 2
    y, x = torch.meshgrid(places, places, indexing="ij")
    bell = torch.exp(-(x.square() + y.square()) / (2 * deviation**2))
    found = bell * (x * math.cos(angle) + y * math.sin(angle))
    return found / found.square().sum().sqrt()


def _gaussian(deviation: float) -> Tensor:
    """Return a square window of unit sum."""
    places = torch.arange(2 * int(2 * deviation) + 1) - int(2 * deviation)
    bell = torch.exp(-places.square() / (2 * deviation**2))
    bell = bell / bell.sum()
    return bell[:, None] * bell


def _filtered(maps: Tensor, window: Tensor, step: int) -> Tensor:
    """Return each map averaged under the window, every ``step``-th point."""
    examples, count, rows, columns = maps.shape
    flat = maps.reshape(examples * count, 1, rows, columns)
    padding = window.shape[0] // 2
    out = F.conv2d(flat, window[None, None], stride=step, padding=padding)
    return out.reshape(examples, count, *out.shape[2:])


def _corners(classes: int) -> Tensor:
    """Return the corners of a regular simplex as columns, (classes - 1, classes).

    Rows are orthonormal and sum to zero (Helmert's basis).
    """
    basis = torch.zeros(classes - 1, classes)
    for row in range(1, classes):
        basis[row - 1, :row] = 1.0
        basis[row - 1, row] = -float(row)
        basis[row - 1] /= math.sqrt(row * (row + 1))
    return basis


def _cosines(size: int) -> Tensor:
    """Return the orthonormal matrix of the discrete cosine transform II."""
    places = torch.arange(size).float()
    matrix = torch.cos(math.pi * (places[None] + 0.5) * places[:, None] / size)
    matrix[0] /= math.sqrt(2)
    return matrix * math.sqrt(2 / size)
