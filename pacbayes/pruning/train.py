"""Training a masked network by SGD, Adam or SAM, bit for bit repeatable on one machine."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.data import Examples
from pacbayes.errors import UsageError
from pacbayes.pruning.batches import Batches
from pacbayes.pruning.rates import Rates, Schedule
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """How to train one network.

    Attributes:
        epochs: passes over the training part.
        lr: learning rate after warmup; see :class:`Rates` for the four fields after it.
        schedule: ``cosine``, ``milestones`` or ``constant``.
        warmup: steps of linear rise.
        milestones: epochs after which the rate falls by ``gamma``.
        gamma: that factor.
        optimizer: ``sgd`` or ``sam`` (both with Nesterov momentum), or ``adam``.
        rho: radius of SAM's ascent step.
        batch_size: examples per step.
        momentum: of SGD and SAM.
        weight_decay: L2 penalty.
    """

    epochs: int
    lr: float
    schedule: Schedule = "cosine"
    warmup: int = 0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    optimizer: Literal["sgd", "adam", "sam"] = "sgd"
    rho: float = 0.05
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch_size < 1:
            raise UsageError("epochs must be at least 0 and batch size at least 1")
        if self.optimizer not in ("sgd", "adam", "sam"):
            raise UsageError(f"optimizer must be sgd, adam or sam, got {self.optimizer!r}")
        if not (0 <= self.momentum < 1 and self.weight_decay >= 0 and self.rho > 0):
            raise UsageError(
                "momentum must lie in [0, 1), weight decay must not be negative, rho positive"
            )
        _ = self.rates  # refuses what it does not accept

    @property
    def rates(self) -> Rates:
        """The learning rate as a function of the step."""
        return Rates(
            lr=self.lr,
            schedule=self.schedule,
            warmup=self.warmup,
            milestones=self.milestones,
            gamma=self.gamma,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """A network at one moment.

    Attributes:
        weights: by parameter name.
        buffers: running statistics and the like, by name.
    """

    weights: dict[str, Tensor]
    buffers: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, model: nn.Module) -> "State":
        """Return copies of a network's parameters and buffers."""
        return cls(
            weights={name: t.detach().clone() for name, t in model.named_parameters()},
            buffers={name: t.detach().clone() for name, t in model.named_buffers()},
        )


def train(
    model: nn.Module,
    start: State,
    mask: Mask,
    examples: Examples,
    part: IndexSet,
    *,
    plan: TrainPlan,
    seeds: Seeds,
    first: int = 0,
    last: int | None = None,
) -> State:
    """Return the state after training from ``start`` inside the mask, zero where it removes.

    Args:
        model: the network; it is copied and not modified.
        start: weights and buffers before step ``first``.
        mask: kept entries.
        examples: all training examples.
        part: indices of the examples to train on.
        plan: epochs, learning rate, optimiser.
        seeds: order of the batches and randomness inside the network.
        first: step of the plan to begin with, for a late start.
        last: step to stop before; ``None`` trains to the end of the plan.
    """
    network = copy.deepcopy(model).train()
    weights = {k: t.clone().requires_grad_() for k, t in mask.apply(start.weights).items()}
    buffers = {name: tensor.detach().clone() for name, tensor in start.buffers.items()}
    kept = {name: mask[name].to(weights[name].dtype) for name in mask}
    optimizer = optimizer_for(list(weights.values()), plan)
    batches = Batches(part=part, size=plan.batch_size, epochs=plan.epochs, seeds=seeds)
    steps = batches.steps if last is None else last

    def masked_gradient(statistics: Tensors, rows: Tensor) -> None:
        optimizer.zero_grad()
        inputs = _in_fast_layout(examples.inputs[rows])
        logits = functional_call(network, {**weights, **statistics}, (inputs,))
        F.cross_entropy(logits, examples.labels[rows]).backward()
        for name, keep in kept.items():
            gradient = weights[name].grad
            if gradient is not None:
                gradient.mul_(keep)

    with torch.random.fork_rng(devices=[]):
        for step, rows in batches.between(first, steps):
            rate = plan.rates.at(step, steps=batches.steps, per_epoch=batches.per_epoch)
            optimizer.param_groups[0]["lr"] = rate
            masked_gradient(buffers, rows)
            if plan.optimizer == "sam":
                copies = {name: tensor.clone() for name, tensor in buffers.items()}
                with _at_worst_point(list(weights.values()), plan.rho):
                    masked_gradient(copies, rows)
            optimizer.step()
    found = {name: tensor.detach() for name, tensor in mask.apply(weights).items()}
    return State(weights=found, buffers=buffers)


def _in_fast_layout(inputs: Tensor) -> Tensor:
    """Return images with their channels last in memory, which convolutions like better."""
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.ndim == 4 else inputs


@contextmanager
def _at_worst_point(weights: list[Tensor], rho: float) -> Iterator[None]:
    """Move to the worst point near by for the block, then back (Foret et al. 2021, SAM).

    The gradient is masked already, so the ascent stays inside the subnetwork. The second pass sees
    copies of the running statistics, which therefore move once per step.
    """
    moved = [(tensor, tensor.grad) for tensor in weights if tensor.grad is not None]
    before = [tensor.detach().clone() for tensor, _ in moved]
    norm = math.sqrt(sum(float(gradient.square().sum()) for _, gradient in moved))
    with torch.no_grad():
        for tensor, gradient in moved:
            tensor.add_(gradient, alpha=rho / norm if norm > 0 else 0.0)
    yield
    with torch.no_grad():
        for (tensor, _), old in zip(moved, before, strict=True):
            tensor.copy_(old)


def optimizer_for(tensors: list[Tensor], plan: TrainPlan) -> torch.optim.Optimizer:
    """Return the optimiser of a plan; for SAM the one that takes its steps."""
    if plan.optimizer == "adam":
        return torch.optim.Adam(tensors, lr=plan.lr, weight_decay=plan.weight_decay)
    return torch.optim.SGD(
        tensors,
        lr=plan.lr,
        momentum=plan.momentum,
        nesterov=plan.momentum > 0,
        weight_decay=plan.weight_decay,
    )
