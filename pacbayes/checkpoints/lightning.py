"""Lightning checkpoints: the weights lie under ``state_dict``, the rest is not looked at."""

from collections.abc import Mapping
from typing import Any

VERSION = "pytorch-lightning_version"
REMEDY = (
    "where you trust it, load it and torch.save(checkpoint['state_dict'], FILE): "
    "hyper_parameters and callbacks of Lightning may hold any object"
)


def is_lightning(value: Mapping[Any, Any]) -> bool:
    """Return whether a dict is a Lightning checkpoint."""
    return VERSION in value and "state_dict" in value


def looks_like_lightning(pickled: bytes) -> bool:
    """Return whether a pickle that was not read is that of a Lightning checkpoint."""
    return VERSION.encode() in pickled
