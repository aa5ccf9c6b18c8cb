"""Training a masked network by SGD or Adam, bit for bit repeatable on one machine."""

import copy
import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.data import Examples
from pacbayes.errors import UsageError
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """How to train one network.

    Attributes:
        epochs: passes over the training part.
        lr: first learning rate; it falls to zero along a cosine.
        optimizer: ``sgd`` or ``adam``.
        batch_size: examples per step.
        momentum: of SGD.
        weight_decay: L2 penalty.
    """

    epochs: int
    lr: float
    optimizer: Literal["sgd", "adam"] = "sgd"
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch_size < 1:
            raise UsageError("epochs must be at least 0 and batch size at least 1")
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise UsageError(f"lr must be positive, got {self.lr}")
        if self.optimizer not in ("sgd", "adam"):
            raise UsageError(f"optimizer must be sgd or adam, got {self.optimizer!r}")


def train(
    model: nn.Module,
    start: Tensors,
    mask: Mask,
    examples: Examples,
    part: IndexSet,
    *,
    plan: TrainPlan,
    seeds: Seeds,
) -> dict[str, Tensor]:
    """Return weights trained from ``start`` inside the mask, zero where it removes.

    Args:
        model: the network; it is copied and not modified.
        start: first weights by parameter name.
        mask: kept entries.
        examples: all training examples.
        part: indices of the examples to train on.
        plan: epochs, learning rate, optimiser.
        seeds: order of the batches and randomness inside the network.
    """
    network = copy.deepcopy(model).train()
    weights = {k: t.detach().clone().requires_grad_() for k, t in mask.apply(start).items()}
    kept = {name: tensor.float() for name, tensor in mask.items()}
    optimizer = _optimizer(list(weights.values()), plan)
    rows_of_part = torch.from_numpy(part.indices.copy())
    steps = plan.epochs * math.ceil(len(part) / plan.batch_size)
    step = 0
    with torch.random.fork_rng(devices=[]):
        for epoch in range(plan.epochs):
            generator = seeds.torch("train", epoch)
            torch.manual_seed(seeds.integer("inside", epoch))
            order = rows_of_part[torch.randperm(len(part), generator=generator)]
            for rows in order.split(plan.batch_size):
                fall = 0.5 * (1 + math.cos(math.pi * step / steps))
                optimizer.param_groups[0]["lr"] = plan.lr * fall
                logits = functional_call(network, weights, (examples.inputs[rows],))
                optimizer.zero_grad()
                loss = F.cross_entropy(logits, examples.labels[rows])
                loss.backward()
                for name, keep in kept.items():
                    gradient = weights[name].grad
                    if gradient is not None:
                        gradient.mul_(keep)
                optimizer.step()
                step += 1
    return {name: tensor.detach() for name, tensor in mask.apply(weights).items()}


def _optimizer(tensors: list[Tensor], plan: TrainPlan) -> torch.optim.Optimizer:
    if plan.optimizer == "adam":
        return torch.optim.Adam(tensors, lr=plan.lr, weight_decay=plan.weight_decay)
    return torch.optim.SGD(
        tensors,
        lr=plan.lr,
        momentum=plan.momentum,
        nesterov=plan.momentum > 0,
        weight_decay=plan.weight_decay,
    )
