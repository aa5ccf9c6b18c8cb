"""Quantising a ticket: its kept weights become integers times one step per tensor."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from pacbayes.errors import UsageError
from pacbayes.posterior.fit import Sample, one_cycle
from pacbayes.posterior.network_code import LEVELS, STEPS, QuantisedTensor, step
from pacbayes.runtime.progress import progress
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Mask, Tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantisePlan:
    """How a ticket is quantised; all of it may use the certificate part, the code pays for it.

    Attributes:
        levels: largest integer magnitude of a weight array, 1 to 15.
        epochs: passes of training with the quantised weights in the forward pass.
        batch_size: examples per step.
        lr: peak learning rate of Adam.
    """

    levels: int = 3
    epochs: int = 5
    batch_size: int = 250
    lr: float = 1e-3

    def __post_init__(self) -> None:
        if not 1 <= self.levels < LEVELS:
            raise UsageError(f"levels of a code must be 1 to {LEVELS - 1}, got {self.levels}")
        if self.epochs < 0 or self.batch_size < 1:
            raise UsageError("epochs must be at least 0, batch size at least 1")


def quantise(
    weights: Tensors,
    mask: Mask,
    model: nn.Module,
    sample: Sample,
    *,
    plan: QuantisePlan,
    seeds: Seeds,
    quiet: bool = False,
) -> dict[str, QuantisedTensor]:
    """Return a quantised network near given weights, trained to err little once quantised.

    Steps are chosen once, where the squared error of the kept weights is least; then the weights
    are trained with rounding in the forward pass and the identity in its gradient (Bengio et al.
    2013). Removed entries stay zero.

    Args:
        weights: start, by parameter name.
        mask: what is kept.
        model: the network, in eval mode; it is not modified.
        sample: examples to train on, all of them if the code is to pay for everything.
        plan: levels, epochs, rates.
        seeds: order of the batches.
        quiet: no progress on stderr.
    """
    latent = {
        name: (w.detach().clone() * mask.of(name, w)).requires_grad_()
        for name, w in sorted(weights.items())
    }
    levels = {name: plan.levels if w.dim() > 1 else LEVELS - 1 for name, w in latent.items()}
    indices = {name: best_step(w.detach(), levels[name]) for name, w in latent.items()}
    kept = {name: mask.of(name, w).float() for name, w in latent.items()}
    optimizer = torch.optim.Adam(latent.values(), lr=plan.lr)
    batches = -(-len(sample.labels) // plan.batch_size)
    schedule = one_cycle(plan.epochs * batches)
    with progress("quantise", plan.epochs, quiet=quiet) as bar:
        for epoch in range(plan.epochs):
            order = torch.randperm(len(sample.labels), generator=seeds.torch("quantise", epoch))
            for place, rows in enumerate(order.split(plan.batch_size)):
                optimizer.param_groups[0]["lr"] = plan.lr * schedule(epoch * batches + place)
                rounded = {
                    name: _straight_through(w * kept[name], indices[name], levels[name])
                    for name, w in latent.items()
                }
                logits = functional_call(model, rounded, (sample.inputs[rows],))
                loss = cross_entropy(logits, sample.labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            bar.advance(1, note=f"loss {float(loss.detach()):.4f}")
    return {
        name: QuantisedTensor(
            symbols=_symbols(w.detach() * kept[name], indices[name], levels[name]),
            levels=levels[name],
            step_index=indices[name],
        )
        for name, w in latent.items()
    }


def best_step(weights: Tensor, levels: int) -> int:
    """Return the step index with the least squared rounding error on non-zero weights."""
    kept = weights[weights != 0]
    if not kept.numel():
        return STEPS - 1

    def error(index: int) -> float:
        rounded = _symbols(kept, index, levels).float() * step(index)
        return float((kept - rounded).square().sum())

    return min(range(STEPS), key=error)


def _symbols(weights: Tensor, index: int, levels: int) -> Tensor:
    return (weights / step(index)).round().clamp(-levels, levels).to(torch.int8)


def _straight_through(weights: Tensor, index: int, levels: int) -> Tensor:
    size = step(index)
    rounded = (weights / size).round().clamp(-levels, levels) * size
    return weights + (rounded - weights).detach()


def dequantised(network: Mapping[str, QuantisedTensor]) -> dict[str, Tensor]:
    """Return the float32 weights of a quantised network, by name."""
    return {name: tensor.weights for name, tensor in network.items()}
