"""The one place that imports torchvision."""

import contextlib
import functools
import importlib
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pacbayes.data.arrays import Array
from pacbayes.data.mnist import FOLDERS
from pacbayes.errors import InputError, UsageError

if TYPE_CHECKING:
    from torch import nn

# torchvision registers fake kernels for these two when it is imported, and fails where its
# compiled half, which declares them, does not load: its published build needs CUDA's libraries.
SCHEMAS: Final = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
DATASETS: Final = {**FOLDERS, "cifar10": "CIFAR10", "cifar100": "CIFAR100"}


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
    """Fetch MNIST, Fashion-MNIST, CIFAR-10 or CIFAR-100 into torchvision's layout under ``root``.

    Args:
        spec: ``mnist``, ``fashion-mnist``, ``cifar10`` or ``cifar100``.
        root: folder that receives ``MNIST/raw`` (``FashionMNIST/raw``, ``cifar-10-batches-py``,
            ``cifar-100-python``).

    Raises:
        InputError: the files can't be fetched or stored.
    """
    torchvision()
    datasets = importlib.import_module("torchvision.datasets")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # results alone go to stdout
            getattr(datasets, DATASETS[spec])(str(root), download=True)
    except (OSError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"{spec} can't be downloaded: {text}") from error


def cifar(spec: str, root: Path, *, train: bool) -> tuple[Array, Array]:
    """Return pictures (N, 3, 32, 32) and labels of CIFAR in torchvision's layout.

    Its files are pickles; torchvision opens them only if their checksums are the published ones.

    Args:
        spec: ``cifar10`` or ``cifar100``.
        root: folder that holds ``cifar-10-batches-py`` or ``cifar-100-python``.
        train: the training examples, else those for testing.

    Raises:
        InputError: files are missing or not those that were published.
    """
    torchvision()
    datasets = importlib.import_module("torchvision.datasets")
    try:
        found = getattr(datasets, DATASETS[spec])(str(root), train=train)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{root}: the files of {spec} are not those that were published"
        ) from error
    return np.ascontiguousarray(found.data.transpose(0, 3, 1, 2)), np.array(found.targets)


def network(name: str, *, classes: int, args: Mapping[str, Any]) -> "nn.Module":
    """Return one of torchvision's networks with freshly drawn weights, never pre-trained ones.

    Args:
        name: as ``torchvision.models.list_models()`` gives it, for example ``resnet18``.
        classes: number of logits.
        args: keyword arguments of the network's function.

    Raises:
        UsageError: there is no such network, or it does not take these arguments.
    """
    torchvision()
    models = importlib.import_module("torchvision.models")
    if name not in models.list_models(module=models):
        raise UsageError(f"torchvision:{name} is none of torchvision.models.list_models()")
    if {"weights", "weights_backbone"} & set(args):
        raise UsageError(
            "torchvision's pre-trained weights have seen data that nobody lists; train the "
            "network, or give a checkpoint"
        )
    try:
        model: nn.Module = models.get_model(name, weights=None, num_classes=classes, **args)
    except (TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise UsageError(f"torchvision:{name} does not take these arguments: {text}") from error
    return model


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
