"""What networks for images ask of their inputs."""

from pacbayes.errors import UsageError


def image_sides(network: str, in_shape: tuple[int, ...], *, smallest: int) -> tuple[int, int, int]:
    """Return channels, height and width.

    Args:
        network: named in messages.
        in_shape: shape of one input.
        smallest: least number of pixels on each side.

    Raises:
        UsageError: the inputs are not images, or smaller than that.
    """
    if len(in_shape) != 3:
        raise UsageError(f"{network} takes images (C, H, W), the data have shape {in_shape}")
    channels, height, width = in_shape
    if min(height, width) < smallest:
        raise UsageError(
            f"{network} takes images of at least {smallest} by {smallest} pixels, the data have "
            f"{height} by {width}; take lenet300 or mlp:..."
        )
    return channels, height, width
