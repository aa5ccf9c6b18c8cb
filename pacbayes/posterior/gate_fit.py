"""Fitting a posterior whose mask is random: means, scales and inclusion probabilities."""

import math
from pathlib import Path

import torch
from torch import nn

from pacbayes.posterior.fit import FitPlan, Fitted, Sample, one_cycle
from pacbayes.posterior.gates import Gates
from pacbayes.posterior.objectives import OBJECTIVES, bounded_cross_entropy
from pacbayes.posterior.prior import Prior
from pacbayes.posterior.relaxed import RelaxedForward
from pacbayes.runtime.progress import progress
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Mask, Tensors

PRESSURE = 1.0
"""What the objective grows by when the mean inclusion is twice the ticket's density."""

GATE_RATE = 5.0
"""Peak rate of the log-odds, relative to that of the log-scales."""


def fit_gates(
    prior: Prior,
    start: Tensors,
    mask: Mask,
    model: nn.Module,
    sample: Sample,
    *,
    plan: FitPlan,
    seeds: Seeds,
    journal: Path | None = None,
    quiet: bool = False,
) -> Fitted:
    """Return a posterior with a random mask that minimises the objective on a sample.

    The mean inclusion is held at the ticket's density or below by a penalty. Training replaces the
    gates by the first two moments of what they let through (a relaxation);
    the law that is returned has real gates, which evaluation draws. Any posterior is allowed,
    whatever data it was fitted on: the bound holds for all of them at once. Prior scales and
    inclusions follow their best values and are put on their grids at the end. One state per epoch
    is kept in ``journal``; a killed run resumes there and gives the same bits.

    Args:
        prior: has gates, and scales on a grid.
        start: first means by parameter name.
        mask: entries whose gates start near one; its density limits the mean inclusion.
        model: the network, in eval mode; it is not modified.
        sample: examples to fit on.
        plan: objective, epochs, rates.
        seeds: randomness of batches and noise.
        journal: file for the state of the last finished epoch, or ``None``.
        quiet: no progress on stderr.
    """
    state = Gates.start(prior, start, mask, scale=plan.start_scale)
    first = 0 if journal is None else state.resume(journal)
    forward = RelaxedForward.of(model, state.mean, prior.buffers, sample.inputs[:4])
    objective = OBJECTIVES[plan.objective](n=plan.n, constant=plan.constant)
    rates = (plan.lr, plan.scale_lr, GATE_RATE * plan.scale_lr)
    optimizer = state.optimizer(lr=rates[0], scale_lr=rates[1], gate_lr=rates[2])
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
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * factor
                inclusion = state.inclusions()
                mean, variance = state.moments(inclusion)
                logits = forward(mean, variance, sample.inputs[rows], generator=generator)
                risk, kl = bounded_cross_entropy(logits, sample.labels[rows]), state.kl(inclusion)
                kept = torch.stack([q.sum() for q in inclusion.values()]).sum()
                excess = torch.relu(kept / max(mask.kept, 1) - 1)
                loss = objective(risk, kl) + PRESSURE * excess
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if journal is not None:
                state.save(journal, optimizer, epoch=epoch + 1)
            note = f"objective {float(loss.detach()):.4f} kl {float(kl.detach()):.0f}"
            bar.advance(1, note=f"{note} kept {float(kept.detach()):.0f}")
    return Fitted(posterior=state.posterior(), prior=state.prior_on_grid())
