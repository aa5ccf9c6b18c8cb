"""Fitting a posterior: means and scales that minimise an objective."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from pacbayes.errors import UsageError
from pacbayes.posterior.noise import NoisyForward
from pacbayes.posterior.objectives import (
    OBJECTIVES,
    Objective,
    ObjectiveName,
    bounded_cross_entropy,
)
from pacbayes.posterior.prior import Prior
from pacbayes.posterior.spike_and_slab import SpikeAndSlab
from pacbayes.posterior.trainable import Trainable
from pacbayes.runtime.progress import progress
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Tensors

CHOICE_PASSES = 4
"""Passes over the sample that estimate the risk of a state when two are compared."""


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
        objective: ``kl`` or ``quad``.
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
    """A posterior with its prior, whose scales now lie on the grid."""

    posterior: SpikeAndSlab
    prior: Prior


def fit(
    prior: Prior,
    start: Tensors,
    model: nn.Module,
    sample: Sample,
    *,
    plan: FitPlan,
    seeds: Seeds,
    journal: Path | None = None,
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
        quiet: no progress on stderr.
    """
    first_state = Trainable.start(prior, start, scale=plan.start_scale)
    state = Trainable.start(prior, start, scale=plan.start_scale)
    first = 0 if journal is None else state.resume(journal)
    forward = NoisyForward.of(model, state.mean, prior.buffers, sample.inputs[:4])
    objective = OBJECTIVES[plan.objective](n=plan.n, constant=plan.constant)
    optimizer = state.optimizer(lr=plan.lr, scale_lr=plan.scale_lr)
    state.restore_optimizer(optimizer)
    batches = math.ceil(len(sample.labels) / plan.batch_size)
    schedule = one_cycle(plan.epochs * batches)
    with progress("fit", plan.epochs, quiet=quiet) as bar:
        bar.advance(first)
        for epoch in range(first, plan.epochs):
            generator = seeds.torch("fit", epoch)
            order = torch.randperm(len(sample.labels), generator=generator)
            for step, rows in enumerate(order.split(plan.batch_size)):
                factor = schedule(epoch * batches + step)
                optimizer.param_groups[0]["lr"] = plan.lr * factor
                optimizer.param_groups[1]["lr"] = plan.scale_lr * factor
                variances = state.variances()
                logits = forward(state.mean, variances, sample.inputs[rows], generator=generator)
                risk = bounded_cross_entropy(logits, sample.labels[rows])
                kl = state.kl(variances)
                loss = objective(risk, kl)
                optimizer.zero_grad()
                loss.backward()
                state.mask_gradients()
                optimizer.step()
            if journal is not None:
                state.save(journal, optimizer, epoch=epoch + 1)
            bar.advance(1, note=f"objective {float(loss.detach()):.4f} kl {float(kl.detach()):.0f}")
    best = _better(state, first_state, forward, sample, objective=objective, seeds=seeds)
    return Fitted(posterior=best.posterior(), prior=best.prior_on_grid())


@torch.no_grad()
def _better(
    end: Trainable,
    start: Trainable,
    forward: NoisyForward,
    sample: Sample,
    *,
    objective: Objective,
    seeds: Seeds,
) -> Trainable:
    """Return the state with the smaller objective, its risk estimated with the 0-1 loss.

    The bound holds for all posteriors at once, so the choice is free; the draws that decide it are
    not the ones that are counted for the certificate.
    """
    values = []
    for state in (end, start):
        generator = seeds.torch("choose")
        wrong, variances = 0, state.variances()
        for _ in range(CHOICE_PASSES):
            for rows in torch.arange(len(sample.labels)).split(1000):
                logits = forward(state.mean, variances, sample.inputs[rows], generator=generator)
                wrong += int((logits.argmax(dim=1) != sample.labels[rows]).sum())
        risk = torch.tensor(wrong / (CHOICE_PASSES * len(sample.labels)), dtype=torch.float64)
        values.append(float(objective(risk, state.kl(variances).double())))
    return end if values[0] <= values[1] else start


def one_cycle(steps: int, *, warmup: float = 0.1) -> Callable[[int], float]:
    """Return ``step -> factor``: linear warm-up, then a cosine down to zero."""
    rising = max(1, int(steps * warmup))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, steps - rising)
        return 0.5 * (1 + math.cos(math.pi * done))

    return factor
