"""A loss as a function of the weights: values, gradients, products with the Hessian."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.data import Examples
from pacbayes.data.loss import is_right
from pacbayes.errors import InputError, UsageError
from pacbayes.pruning import State
from pacbayes.tickets import Mask, Tensors, Ticket

LossName = Literal["error", "cross-entropy", "squared"]
Point = Ticket | State | Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """The mean loss of a network on a sample, as a function of its weights.

    It is computed in eval mode, in the number type of the weights, where the network's parameters
    lie, batch by batch; sums over batches are float64.

    Attributes:
        network: a copy of the network in eval mode.
        sample: the examples.
        loss: ``error`` (0-1, ties and non-finite logits are errors), ``cross-entropy`` or
            ``squared`` (half the squared distance of the logits from the unit vector of the label).
        batch: examples per call of the network.
    """

    network: nn.Module
    sample: Examples
    loss: LossName
    batch: int = 1000

    @classmethod
    def of(cls, model: nn.Module, sample: Examples, loss: LossName) -> "Surface":
        """Return the surface of a network, which is copied and not modified.

        Raises:
            UsageError: there is no such loss, or the sample is empty.
        """
        if loss not in get_args(LossName):
            raise UsageError(f"loss must be one of {list(get_args(LossName))}, got {loss!r}")
        if not len(sample):
            raise UsageError("the sample is empty")
        return cls(network=copy.deepcopy(model).eval(), sample=sample, loss=loss)

    @property
    def device(self) -> torch.device:
        """Where the network's parameters lie."""
        return next(self.network.parameters()).device

    @torch.no_grad()
    def losses(self, state: State) -> Tensor:
        """Return the loss of each example, float64 on the CPU.  # (N,)."""
        weights = self.moved(state.weights)
        parts = [each.double().cpu() for each in self._batches(weights, self.moved(state.buffers))]
        return torch.cat(parts)

    def value(self, state: State) -> float:
        """Return the mean loss; infinite where it is no number."""
        mean = float(self.losses(state).mean())
        return float("inf") if math.isnan(mean) else mean

    def gradient(self, state: State) -> tuple[float, dict[str, Tensor]]:
        """Return the mean loss and its gradient.

        Raises:
            UsageError: the loss has no gradient.
        """
        value, total = 0.0, {name: torch.zeros_like(t) for name, t in state.weights.items()}
        weights, buffers = self._leaves(state)
        leaves = list(weights.values())
        for each in self._batches(weights, buffers):
            part = each.sum() / len(self.sample)
            value += float(part.detach())
            if not part.requires_grad:
                continue  # the logits do not depend on any weight
            found = torch.autograd.grad(part, leaves, materialize_grads=True)
            for name, gradient in zip(weights, found, strict=True):
                total[name] += gradient.to(total[name].device)
        return value, total

    def product(self, state: State, direction: Tensors) -> dict[str, Tensor]:
        """Return the Hessian of the mean loss times a direction (Pearlmutter 1994).

        Kinks such as those of ReLU are taken as they stand, so this is the Hessian of the smooth
        piece that the weights lie on.

        Args:
            state: where the Hessian is taken.
            direction: one tensor per weight tensor, of the same shape.

        Raises:
            UsageError: the loss has no gradient.
        """
        total = {name: torch.zeros_like(t) for name, t in state.weights.items()}
        weights, buffers = self._leaves(state)
        along = self.moved(direction)
        leaves = list(weights.values())
        for each in self._batches(weights, buffers):
            part = each.sum() / len(self.sample)
            if not part.requires_grad:
                continue  # the logits do not depend on any weight
            first = torch.autograd.grad(part, leaves, create_graph=True, materialize_grads=True)
            slope = sum(
                ((g * along[name]).sum() for name, g in zip(weights, first, strict=True)),
                torch.zeros((), device=self.device),
            )
            if not slope.requires_grad:
                continue  # linear in the weights: the Hessian is zero
            second = torch.autograd.grad(slope, leaves, materialize_grads=True)
            for name, found in zip(weights, second, strict=True):
                total[name] += found.to(total[name].device)
        return total

    def moved(self, tensors: Tensors) -> dict[str, Tensor]:
        """Return copies of tensors where the network's parameters lie."""
        return {name: t.detach().to(self.device, copy=True) for name, t in tensors.items()}

    def _leaves(self, state: State) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        if self.loss == "error":
            raise UsageError("the 0-1 loss has no gradient; choose cross-entropy or squared")
        weights = {name: t.requires_grad_() for name, t in self.moved(state.weights).items()}
        return weights, self.moved(state.buffers)

    def _batches(self, weights: Tensors, buffers: Tensors) -> Iterator[Tensor]:
        kind = next(iter(weights.values())).dtype
        fixed = {n: b.to(kind) if b.is_floating_point() else b for n, b in buffers.items()}
        for rows in torch.arange(len(self.sample)).split(self.batch):
            inputs = self.sample.inputs[rows].to(self.device, kind)
            labels = self.sample.labels[rows].to(self.device)
            logits = functional_call(self.network, {**weights, **fixed}, (inputs,))
            yield _LOSSES[self.loss](logits, labels)


def state_of(point: Point, model: nn.Module) -> State:
    """Return the weights and buffers of a ticket, a state or plain weights.

    Buffers that the point does not bring along are the network's own.

    Raises:
        InputError: the names or shapes are not those of the network's parameters.
    """
    if isinstance(point, Ticket):
        weights, buffers = point.trained, point.buffers
    elif isinstance(point, State):
        weights, buffers = point.weights, point.buffers
    else:
        weights, buffers = dict(point), {}
    own = State.of(model)
    odd = [
        name
        for name in {*own.weights, *weights}
        if _shape(own.weights, name) != _shape(weights, name)
    ]
    odd += [name for name in buffers if _shape(own.buffers, name) != _shape(buffers, name)]
    if odd:
        raise InputError(f"the weights do not fit the network: {sorted(odd)}")
    # In the network's own order: that in which a file gives its tensors changes between readings.
    ordered = {name: weights[name] for name in own.weights}
    return State(weights=ordered, buffers={**own.buffers, **buffers})


def mask_of(point: Point, model: nn.Module) -> Mask:
    """Return the mask of a ticket; the full one for weights that come without."""
    if isinstance(point, Ticket):
        return point.mask
    return Mask.full(state_of(point, model).weights)


def _shape(tensors: Tensors, name: str) -> tuple[int, ...] | None:
    return tuple(tensors[name].shape) if name in tensors else None


def _error(logits: Tensor, labels: Tensor) -> Tensor:
    return (~is_right(logits, labels)).to(logits.dtype)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, reduction="none")


def _squared(logits: Tensor, labels: Tensor) -> Tensor:
    wanted = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return 0.5 * (logits - wanted).square().sum(dim=1)


_LOSSES: dict[LossName, Callable[[Tensor, Tensor], Tensor]] = {
    "error": _error,
    "cross-entropy": _cross_entropy,
    "squared": _squared,
}
