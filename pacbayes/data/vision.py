"""The one place that imports torchvision."""

import contextlib
import functools
import importlib
import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pacbayes.data.mnist import FOLDERS
from pacbayes.errors import InputError

# torchvision registers fake kernels for these two when it is imported, and fails where its
# compiled half, which declares them, does not load: its published build needs CUDA's libraries.
SCHEMAS: Final = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@functools.cache
def torchvision() -> ModuleType:
    """Return torchvision, also where only the CPU build of torch is present.

    Raises:
        InputError: torchvision is not installed or does not fit torch.
    """
    try:
        with contextlib.suppress(RuntimeError):
            return importlib.import_module("torchvision")
        _forget()
        _declare()
        return importlib.import_module("torchvision")
    except (ImportError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"torchvision can't be imported: {text}") from error


def download(spec: str, root: Path) -> None:
    """Fetch MNIST or Fashion-MNIST into torchvision's layout under ``root``.

    Args:
        spec: ``mnist`` or ``fashion-mnist``.
        root: folder that receives ``MNIST/raw`` (``FashionMNIST/raw``).

    Raises:
        InputError: the files can't be fetched or stored.
    """
    torchvision()
    datasets = importlib.import_module("torchvision.datasets")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # results alone go to stdout
            getattr(datasets, FOLDERS[spec])(str(root), download=True)
    except (OSError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"{spec} can't be downloaded: {text}") from error


def _forget() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]


@functools.cache
def _declare() -> Any:
    """Return the declarations, which last as long as the object does."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    return library
