"""How a network uses its parameters, seen from outside by intercepting the functional call."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from pacbayes.errors import PacBayesError
from pacbayes.posterior.pooling import MAX_POOLS, max_pool2d
from pacbayes.tickets import Tensors

_PROPERTIES = ("shape", "dtype", "device", "ndim", "layout", "requires_grad", "is_cuda")
METADATA = (
    *(getattr(Tensor, name).__get__ for name in _PROPERTIES),
    Tensor.size,
    Tensor.dim,
    Tensor.numel,
    Tensor.is_floating_point,
    torch.is_floating_point,
)


class UnsupportedUseError(PacBayesError):
    """A parameter is used in a way that needs really drawn weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One call that consumes a weight and perhaps a bias, each for the first and only time.

    Attributes:
        op: the operation; ``norm`` is a normalisation of channels, each with a gain and an offset.
        weight: name of the weight.
        bias: name of the bias, or ``None``.
        rows: number of axes of the input; two for a plain linear layer.
        options: stride, padding, dilation and groups of a convolution; the function from input,
            gain and offset to the output of a normalisation.
    """

    op: Literal["linear", "conv2d", "norm"]
    weight: str
    bias: str | None
    rows: int
    options: tuple[Any, ...] = ()

    @property
    def local(self) -> bool:
        """Whether each example meets the weight once: a linear layer on one row per example."""
        return self.op == "linear" and self.rows == 2


class ParameterUses(TorchFunctionMode):
    """Calls ``handler(layer, x)`` instead of each layer that uses the given parameters.

    Recognised are ``linear``, ``conv2d``, ``group_norm``, and ``batch_norm`` with running
    statistics, whose weight and bias are parameters as they are, used once in the whole call, on
    an input whose first axis is the examples. Reading a parameter's
    shape or type is allowed; anything else raises :class:`UnsupportedUseError`. Max-pooling gives
    the same values faster.
    """

    def __init__(
        self,
        parameters: Tensors,
        *,
        examples: int,
        handler: Callable[[Layer, Tensor], Tensor],
    ) -> None:
        super().__init__()
        self._names = {id(tensor): name for name, tensor in parameters.items()}
        self._examples = examples
        self._handler = handler
        self.used: set[str] = set()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Route the calls that touch a parameter; pass all others on."""
        kwargs = kwargs or {}
        touched = [
            self._names[id(leaf)] for leaf in _leaves(args, kwargs) if id(leaf) in self._names
        ]
        if not touched and func in MAX_POOLS:
            return max_pool2d(*args, **kwargs)
        if not touched or func in METADATA:
            return func(*args, **kwargs)
        repeated = self.used.intersection(touched)
        if repeated or len(set(touched)) != len(touched):
            raise UnsupportedUseError(f"{sorted(repeated or touched)} are used more than once")
        self.used.update(touched)
        if func is F.linear:
            return self._linear(*args, **kwargs)
        if func in (F.conv2d, torch.conv2d):
            return self._conv2d(*args, **kwargs)
        if func is F.batch_norm:
            return self._batch_norm(*args, **kwargs)
        if func is F.group_norm:
            return self._group_norm(*args, **kwargs)
        name = getattr(func, "__name__", str(func))
        raise UnsupportedUseError(f"{touched} are used by {name}")

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        layer = Layer(op="linear", rows=x.ndim, **self._require(x, weight, bias))
        return self._handler(layer, x)

    def _conv2d(  # noqa: PLR0917 (the order of torch's own arguments)
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        options = (stride, padding, dilation, groups)
        names = self._require(x, weight, bias)
        return self._handler(Layer(op="conv2d", rows=x.ndim, options=options, **names), x)

    def _batch_norm(  # noqa: PLR0917 (the order of torch's own arguments)
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if training or running_mean is None or running_var is None:
            raise UnsupportedUseError("a layer normalises with statistics of the batch")

        def norm(inputs: Tensor, gain: Tensor | None, offset: Tensor | None) -> Tensor:
            return F.batch_norm(
                inputs, running_mean, running_var, gain, offset, False, momentum, eps
            )

        names = self._require(x, weight, bias)
        return self._handler(Layer(op="norm", rows=x.ndim, options=(norm,), **names), x)

    def _group_norm(
        self,
        x: Tensor,
        num_groups: int,
        weight: Tensor,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> Tensor:
        def norm(inputs: Tensor, gain: Tensor | None, offset: Tensor | None) -> Tensor:
            return F.group_norm(inputs, num_groups, gain, offset, eps)

        names = self._require(x, weight, bias)
        return self._handler(Layer(op="norm", rows=x.ndim, options=(norm,), **names), x)

    def _require(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> dict[str, Any]:
        if id(x) in self._names or x.ndim < 2 or x.shape[0] != self._examples:
            raise UnsupportedUseError("the input's first axis is not the examples")
        names = {
            "weight": self._names.get(id(weight)),
            "bias": None if bias is None else self._names.get(id(bias)),
        }
        if names["weight"] is None or (bias is not None and names["bias"] is None):
            raise UnsupportedUseError("a layer mixes a parameter with another tensor")
        return names


def _leaves(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
    """Yield the arguments of a call; looking into plain tensors and numbers would take longer."""
    for argument in (*args, *kwargs.values()):
        if argument is None or isinstance(argument, Tensor | int | float):
            yield argument
        else:
            yield from tree_leaves(argument)


def apply_layer(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the layer's output for given weights, the same for every example."""
    if layer.op == "linear":
        return F.linear(x, weight, bias)
    if layer.op == "norm":
        normalised: Tensor = layer.options[0](x, weight, bias)
        return normalised
    stride, padding, dilation, groups = layer.options
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)


def layers(model: nn.Module, parameters: Tensors, buffers: Tensors, x: Tensor) -> list[Layer]:
    """Return the layers that use the parameters, each parameter exactly once.

    Raises:
        UnsupportedUseError: a parameter is used twice, not at all, or by another operation.
    """
    found: list[Layer] = []

    def record(layer: Layer, inputs: Tensor) -> Tensor:
        found.append(layer)
        bias = None if layer.bias is None else parameters[layer.bias]
        return apply_layer(layer, inputs, parameters[layer.weight], bias)

    uses = ParameterUses(parameters, examples=x.shape[0], handler=record)
    with torch.no_grad(), uses:
        functional_call(model, {**parameters, **buffers}, (x,))
    unused = sorted(set(parameters) - uses.used)
    if unused:
        raise UnsupportedUseError(f"{unused} are not seen in use")
    return found
