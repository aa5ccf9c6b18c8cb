"""From the text of ``--model`` to a network with initial weights."""

import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from pacbayes.data import vision
from pacbayes.errors import InputError, UsageError
from pacbayes.models.initial import draw_kaiming
from pacbayes.models.mlp import mlp
from pacbayes.models.named import named_network
from pacbayes.runtime.functions import user_code
from pacbayes.runtime.seeds import Seeds

ACCEPTED: Final = (
    "lenet300, lenet5, conv2, conv4, conv6, resnet20, vgg16, mlp:IN-HIDDEN-...-CLASSES, "
    "torchvision:NAME, module:function"
)


def build_model(
    spec: str,
    *,
    in_shape: tuple[int, ...],
    classes: int,
    args: Mapping[str, str] | None = None,
    seed: int,
) -> nn.Module:
    """Return a network in eval mode, float32 on the CPU, with initial weights from the seed.

    Our own networks start from Kaiming-normal weights and zero biases; the user's from whatever
    their function draws.

    The global random states of torch, NumPy and ``random`` are the same before and after.

    Args:
        spec: ``lenet300`` (inputs-300-100-classes), ``lenet5``, ``conv2``, ``conv4``, ``conv6``,
            ``resnet20``, ``vgg16``, ``mlp:784-300-100-10``, ``torchvision:NAME``, or
            ``module:function``.
        in_shape: shape of one input.
        classes: number of logits that the network must give.
        args: keyword arguments, as texts; numbers, ``true`` and ``false`` are converted.
            ``resnet20`` and ``vgg16`` take ``norm`` (``batch`` or ``group``) and ``groups``;
            torchvision's networks and functions whatever they take.
        seed: names the initial weights.

    Raises:
        UsageError: the text names no network, or the network does not fit the data.
        InputError: the user's function is missing, raised, or returned something else.

    Example:
        >>> model = build_model("mlp:4-3-2", in_shape=(4,), classes=2, seed=1)
        >>> {name: tuple(w.shape) for name, w in weights(model).items()}["fc1.weight"]
        (3, 4)
    """
    with _random_state(Seeds(seed).integer("model")):
        model, ours = _build(spec, in_shape, classes, args or {})
        if ours:
            draw_kaiming(model)
        model = model.to(device="cpu", dtype=torch.float32).eval()
        _require_fits(model, spec, in_shape, classes)
    return model


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of the parameters by name; a tied parameter appears once, by its first name."""
    return {name: tensor.detach().clone() for name, tensor in model.named_parameters()}


def buffers(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of the buffers (running statistics and the like) by name."""
    return {name: tensor.detach().clone() for name, tensor in model.named_buffers()}


def _build(
    spec: str, in_shape: tuple[int, ...], classes: int, args: Mapping[str, str]
) -> tuple[nn.Module, bool]:
    """Return the network, and whether it is one of ours."""
    values = {key: _value(text) for key, text in args.items()}
    ours = named_network(spec, in_shape=in_shape, classes=classes, args=values)
    if ours is not None:
        return ours, True
    name, _, rest = spec.partition(":")
    if name == "mlp":
        if args:
            raise UsageError("mlp takes no arguments; its sizes are in its name")
        return mlp(_sizes(spec, rest, math.prod(in_shape), classes)), True
    if name == "torchvision" and rest:
        return vision.network(rest, classes=classes, args=values), False
    if name and rest and ":" not in rest:
        return _user_model(spec, values), False
    raise UsageError(f"--model {spec!r} names no network; accepted: {ACCEPTED}")


def _sizes(spec: str, rest: str, size: int, classes: int) -> list[int]:
    texts = rest.split("-")
    if len(texts) < 2 or not all(t.isascii() and t.isdecimal() and 0 < int(t) for t in texts):
        raise UsageError(f"expected mlp:IN-HIDDEN-...-CLASSES with positive sizes, got {spec!r}")
    sizes = [int(text) for text in texts]
    if (sizes[0], sizes[-1]) != (size, classes):
        raise UsageError(
            f"{spec} takes {sizes[0]} inputs and gives {sizes[-1]} classes, "
            f"the data have {size} and {classes}"
        )
    return sizes


def _user_model(spec: str, args: Mapping[str, Any]) -> nn.Module:
    with user_code(spec) as function:
        model = function(**args)
    if not isinstance(model, nn.Module):
        raise InputError(f"{spec} must return a torch.nn.Module, got {type(model).__name__}")
    return model


def _value(text: str) -> int | float | bool | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _require_fits(model: nn.Module, spec: str, in_shape: tuple[int, ...], classes: int) -> None:
    """Refuse a network that does not map the data's inputs to one logit per class."""
    try:
        with torch.no_grad():
            logits: Any = model(torch.zeros(2, *in_shape))
    except Exception as error:
        text = " ".join(str(error).split())
        raise UsageError(f"{spec} does not take inputs of shape {in_shape}: {text}") from error
    if not isinstance(logits, Tensor) or tuple(logits.shape) != (2, classes):
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise UsageError(f"{spec} gives {found} for 2 inputs, the data ask for {(2, classes)}")
    if not any(True for _ in model.parameters()):
        raise UsageError(f"{spec} has no parameters")


@contextmanager
def _random_state(seed: int) -> Iterator[None]:
    """Run a block with the global random states set from ``seed``, and restore them after."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - restored
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            np.random.set_state(np.random.RandomState(seed % 2**32).get_state())  # noqa: NPY002
            random.seed(seed)
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002 - the user's function may have used it
        random.setstate(python_state)
