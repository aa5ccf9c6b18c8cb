"""Fitting a posterior: means and scales that minimise an objective."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from pacbayes.errors import UsageError
from pacbayes.posterior.fixed_layers import after_fixed_layers
from pacbayes.posterior.noise import NoisePool, NoisyForward
from pacbayes.posterior.objectives import (
    OBJECTIVES,
    Objective,
    ObjectiveName,
    bounded_cross_entropy,
)
from pacbayes.posterior.prior import Prior
from pacbayes.posterior.spike_and_slab import SpikeAndSlab
from pacbayes.posterior.trainable import Trainable
from pacbayes.runtime.devices import CPU
from pacbayes.runtime.processes import add_up, shard
from pacbayes.runtime.progress import progress
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Tensors

CHOICE_PASSES = 2
"""Passes over the sample that estimate the risk of a state when two are compared."""
CHOICE_ROWS = 1000


class Sample(Protocol):
    """Examples in memory."""

    @property
    def inputs(self) -> Tensor:
        """Inputs, float32, of shape (N, *shape)."""

    @property
    def labels(self) -> Tensor:
        """Labels, int64, of shape (N,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitPlan:
    """How to fit.

    Attributes:
        objective: ``kl``, ``quad`` or ``catoni``.
        n: size of the certificate part, which divides the complexity.
        constant: nats that the theorem adds to the kl, ``ln(2 sqrt(n) / (w delta))``.
        epochs: passes over the fitting sample.
        batch_size: examples per step.
        lr: peak learning rate of Adam for the means.
        scale_lr: peak learning rate of Adam for the logarithms of the scales.
        start_scale: posterior scales start at this multiple of the prior's.
    """

    objective: ObjectiveName = "kl"
    n: int
    constant: float
    epochs: int
    batch_size: int = 250
    lr: float = 1e-3
    scale_lr: float = 1e-2
    start_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise UsageError(f"objective must be one of {sorted(OBJECTIVES)}")
        if self.epochs < 0 or self.batch_size < 1 or self.n < 1:
            raise UsageError("epochs must be at least 0, batch size and n at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A posterior with its prior, whose scales now lie on the grid.

    Attributes:
        posterior: the law that was fitted.
        prior: the prior, with its scales.
        risk_guess: its risk on the fitting sample, from draws that count for nothing else;
            ``None`` where there was nothing to choose.
    """

    posterior: SpikeAndSlab
    prior: Prior
    risk_guess: float | None = None


def fit(
    prior: Prior,
    start: Tensors,
    model: nn.Module,
    sample: Sample,
    *,
    plan: FitPlan,
    seeds: Seeds,
    journal: Path | None = None,
    device: torch.device = CPU.device,
    quiet: bool = False,
) -> Fitted:
    """Return a posterior that minimises the objective on a sample, or its start if that is better.

    Any posterior is allowed, whatever data it was fitted on: the bound holds for all of them at
    once. With a scale grid the prior's scale of each tensor follows its best value during fitting
    and is put on the grid at the end. One state per epoch is kept in ``journal``; a killed run
    resumes there and gives the same bits.

    Args:
        prior: fixed before the certificate part was looked at.
        start: first means by parameter name.
        model: the network, in eval mode; it is not modified.
        sample: examples to fit on.
        plan: objective, epochs, rates.
        seeds: randomness of batches and noise.
        journal: file for the state of the last finished epoch, or ``None``.
        device: where to compute; examples, weights and noise stay there until the end.
        quiet: no progress on stderr.
    """
    start = {name: tensor.to(device) for name, tensor in start.items()}
    state = Trainable.start(prior, start, scale=plan.start_scale)
    first = 0 if journal is None else state.resume(journal)
    mean = {name: tensor.to(device) for name, tensor in prior.mean.items()}
    buffers = {name: tensor.to(device) for name, tensor in prior.buffers.items()}
    network = model if device == CPU.device else copy.deepcopy(model).to(device)
    examples = sample.inputs.to(device), sample.labels.to(device)
    rest = after_fixed_layers(network, buffers, *examples)
    forward = NoisyForward.of(rest.model, mean, buffers=rest.buffers, x=rest.inputs[:4])
    objective = OBJECTIVES[plan.objective](n=plan.n, constant=plan.constant)
    optimizer = state.optimizer(lr=plan.lr, scale_lr=plan.scale_lr)
    state.restore_optimizer(optimizer)
    batches = math.ceil(len(sample.labels) / plan.batch_size)
    schedule = one_cycle(plan.epochs * batches)
    with progress("fit", plan.epochs, quiet=quiet) as bar:
        bar.advance(first)
        for epoch in range(first, plan.epochs):
            order = torch.randperm(len(sample.labels), generator=seeds.torch("fit", epoch))
            generator = seeds.torch("fit noise", epoch, shard().index)
            at_once = forward.normals(state.slabs, plan.batch_size)
            pool = NoisePool.of(generator, at_once=at_once, device=device)
            for step, rows in enumerate(order.split(plan.batch_size)):
                factor = schedule(epoch * batches + step)
                optimizer.param_groups[0]["lr"] = plan.lr * factor
                optimizer.param_groups[1]["lr"] = plan.scale_lr * factor
                batch = rest.inputs[rows], rest.labels[rows]
                value, kl = gradients(state, forward, batch, objective, pool)
                optimizer.step()
            if journal is not None:
                state.save(journal, optimizer, epoch=epoch + 1)
            bar.advance(1, note=f"objective {value:.4f} kl {kl:.0f}")
    del optimizer
    begun = Trainable.start(prior, start, scale=plan.start_scale)
    best, risk = _better(state, begun, forward, rest, objective=objective, seeds=seeds)
    return Fitted(posterior=best.posterior().to(CPU), prior=best.prior_on_grid(), risk_guess=risk)


def gradients(
    state: Trainable,
    forward: NoisyForward,
    examples: tuple[Tensor, Tensor],
    objective: Objective,
    pool: NoisePool,
) -> tuple[float, float]:
    """Set the gradients of the objective on a batch; return the objective and the divergence.

    Of several processes each takes its share of the batch, with noise of its own, and all get the
    gradients of the whole.
    """
    part = shard()
    inputs, labels = (tensor[part.index :: part.count] for tensor in examples)
    share = len(labels) / len(examples[1])
    divergence = state.refresh()
    if share:
        noise = pool.slice(forward.normals(state.slabs, len(labels)))
        loss = share * bounded_cross_entropy(forward(state.slabs, inputs, noise=noise), labels)
    else:
        loss = state.mean.new_zeros(())
    risk = loss.detach().clone()
    add_up(risk)
    kl = risk.new_tensor(divergence).requires_grad_()
    value = objective(risk.requires_grad_(), kl)
    value.backward()
    if share:
        loss.backward(gradient=risk.grad)
    for gradient in state.gradients:
        add_up(gradient if share else gradient.zero_())
    state.finish(slope=0.0 if kl.grad is None else float(kl.grad))
    return float(value.detach()), divergence


@torch.no_grad()
def _better(
    end: Trainable,
    start: Trainable,
    forward: NoisyForward,
    sample: Sample,
    *,
    objective: Objective,
    seeds: Seeds,
) -> tuple[Trainable, float]:
    """Return the state with the smaller objective, and its risk estimated with the 0-1 loss.

    The bound holds for all posteriors at once, so the choice is free; the draws that decide it are
    not the ones that are counted for the certificate.
    """
    values = []
    for state in (end, start):
        kl, wrong = state.refresh(), sample.labels.new_zeros(())
        blocks = torch.arange(len(sample.labels)).split(CHOICE_ROWS)
        generator = seeds.torch("choose", shard().index)
        at_once = forward.normals(state.slabs, CHOICE_ROWS)
        pool = NoisePool.of(generator, at_once=at_once, device=sample.labels.device)
        for block in [*shard().of(range(len(blocks)))] * CHOICE_PASSES:
            rows = blocks[block]
            noise = pool.slice(forward.normals(state.slabs, len(rows)))
            logits = forward(state.slabs, sample.inputs[rows], noise=noise)
            wrong += (logits.argmax(dim=1) != sample.labels[rows]).sum()
        add_up(wrong)
        risk = wrong.double() / (CHOICE_PASSES * len(sample.labels))
        values.append((float(objective(risk, risk.new_tensor(kl))), float(risk)))
    chosen = 0 if values[0][0] <= values[1][0] else 1
    return (end, start)[chosen], values[chosen][1]


def one_cycle(steps: int, *, warmup: float = 0.1) -> Callable[[int], float]:
    """Return ``step -> factor``: linear warm-up, then a cosine down to zero."""
    rising = max(1, int(steps * warmup))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, steps - rising)
        return 0.5 * (1 + math.cos(math.pi * done))

    return factor
