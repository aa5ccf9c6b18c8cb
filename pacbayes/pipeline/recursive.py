"""Recursive PAC-Bayes: a chain of posteriors, each the prior of the next, on growing data."""

import hashlib
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from pacbayes.certificate import DrawFacts, PosteriorFacts, StageFacts
from pacbayes.errors import UsageError
from pacbayes.pipeline.counting import Counted, facts, gibbs_test, prior_facts
from pacbayes.pipeline.stages import Stage, evaluate_stage, fit_stage
from pacbayes.posterior import Prior, SpikeAndSlab, divergence
from pacbayes.risk.pairs import evaluate_pairs
from pacbayes.runtime.files import require_writable
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet

STEPS = 4_000
"""Fitting steps of a stage, where the user gives no epochs."""

TRIALS = 300_000
RATES = (2e-3, 1e-3)
"""Peak learning rates of the first stage and of later ones, where the user gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """One finished stage of the chain."""

    posterior: SpikeAndSlab
    facts: StageFacts


def parts_of(indices: IndexSet, count: int, *, seeds: Seeds) -> tuple[IndexSet, ...]:
    """Return disjoint parts of which each, from the second on, is as large as all before it.

    The last is half of all examples, as in Wu et al. (2024).

    Raises:
        UsageError: there are fewer than two parts, or too few examples for them.
    """
    if count < 2 or len(indices) < 2**count:
        raise UsageError(f"--parts must be 2 or more, and each needs examples; got {count}")
    order = seeds.numpy("recursive parts").permutation(indices.indices)
    ends = [len(order) >> (count - 1 - place) for place in range(count)]
    starts = [0, *ends[:-1]]
    return tuple(
        IndexSet.of(sorted(order[a:b].tolist()), total=indices.total)
        for a, b in zip(starts, ends, strict=True)
    )


def count_recursive(stage: Stage) -> tuple[Counted, tuple[StageFacts, ...]]:
    """Return the counts of the last posterior, and what every stage of the chain contributes.

    Stage t fits on the parts up to t around the posterior before, and is counted on every example
    that the posterior before has not seen. The first prior is at the initial weights, with fixed
    scales: the root mean square of each initial tensor.

    Raises:
        UsageError: the prior is not at initial weights, or its mask has seen data.
    """
    request, first = stage.request, _first_prior(stage)
    parts = parts_of(
        stage.subject.certificate, request.parts, seeds=Seeds(request.seed).child("recursive")
    )
    prior, seen, unseen = first, first.seen, stage.subject.certificate
    links: list[_Link] = []
    for place, part in enumerate(parts):
        before = links[-1].posterior if links else None
        prior = first if before is None else _as_prior(before, first, seen=seen)
        seen = seen.union(part)
        links.append(_link(stage, prior, before, place=place, seen=seen, unseen=unseen))
        unseen = unseen.minus(part)
    last = links[-1].posterior
    counts = evaluate_stage(stage, last, first, draws=1, label="posterior").counts
    tensors = tuple(
        replace(
            facts(item.name, last.mean[item.name], kept=item.kept, prior=first),
            prior_scale=None,
            mask=item.mask,
            mean=item.mean,
            scale=item.scale,
        )
        for item in divergence(last, prior).tensors
    )
    counted = Counted(
        prior=prior_facts(first),
        posterior=PosteriorFacts(
            sha256=last.digest, checkpoint_sha256=stage.subject.checkpoint_sha256, tensors=tensors
        ),
        draws=DrawFacts(draws=1, errors=counts.errors, trials=counts.trials),
        test=gibbs_test(stage, last),
        notes={
            "V1": "each prior has not seen the examples that its stage is counted on",
            "V2": "scales of the first prior from initial weights, of others from the one before",
            "V13": f"gamma = {request.gamma}, fixed beforehand",
        },
    )
    return counted, tuple(link.facts for link in links)


def _first_prior(stage: Stage) -> Prior:
    prior = stage.subject.prior
    if prior.kind != "init" or prior.mask_price != "free" or len(prior.seen):
        raise UsageError(
            "--bound recursive starts from initial weights and a mask that have seen no data: "
            "find with --split 0 and --levels 0, or --method random or synflow"
        )
    scale = {}
    for name, mean in prior.mean.items():
        kept = mean[prior.mask.of(name, mean)].double()
        rms = float(kept.square().mean().sqrt()) if kept.numel() else 0.0
        scale[name] = max(rms, 1e-3)
    return replace(prior, scale=scale, grid=None, grid_index={})


def _link(
    stage: Stage,
    prior: Prior,
    before: SpikeAndSlab | None,
    *,
    place: int,
    seen: IndexSet,
    unseen: IndexSet,
) -> _Link:
    """Fit one posterior on what may be seen so far, and count it on what its prior has not seen."""
    request, sample = stage.request, stage.data.train.part(seen)
    steps = math.ceil(len(sample.labels) / request.batch_size)
    fitting = replace(
        stage,
        subject=replace(stage.subject, prior=prior, start=prior.mean, certificate=seen),
        sample=sample,
        n=len(unseen),
        folder=stage.folder / f"part_{place + 1}",
        request=replace(
            request,
            epochs=math.ceil(STEPS / steps) if request.epochs is None else request.epochs,
            lr=request.lr or RATES[min(place, 1)],
        ),
    )
    require_writable(fitting.folder)
    posterior, _ = fit_stage(fitting)
    if place + 1 < request.parts:
        posterior = _with_one_scale(posterior)
    counting = stage.data.train.part(unseen)
    draws = max(1, math.ceil(TRIALS / len(unseen)))
    earlier = posterior if before is None else before
    names = [posterior.digest, earlier.digest, unseen.digest, str(draws)]
    root = hashlib.sha256("\n".join(["pacbayes/evaluate-pairs/1", *names]).encode()).hexdigest()
    found = evaluate_pairs(
        posterior,
        earlier,
        stage.model,
        counting,
        draws=draws,
        root=int(root, 16),
        quiet=request.quiet,
    )
    return _Link(
        posterior=posterior,
        facts=StageFacts(
            n=len(unseen),
            indices_sha256=unseen.digest,
            posterior_sha256=posterior.digest,
            kl_upper=divergence(posterior, prior).total,
            gamma="0" if before is None else _decimal(request.gamma),
            trials=found.trials,
            errors=(found.errors,) if before is None else found.counts,
        ),
    )


def _with_one_scale(posterior: SpikeAndSlab) -> SpikeAndSlab:
    """Return the posterior with the geometric mean of each tensor's scales, as priors have them."""
    scale = {}
    for name, tensor in posterior.scale.items():
        kept = posterior.kept(name)
        flat = torch.zeros_like(tensor)
        if bool(kept.any()):
            flat[kept] = tensor[kept].double().log().mean().exp().float()
        scale[name] = flat
    return replace(posterior, scale=scale)


def _as_prior(posterior: SpikeAndSlab, first: Prior, *, seen: IndexSet) -> Prior:
    """Return a posterior with one scale per tensor as the prior of the next stage."""
    scale = {name: _scale(t) for name, t in posterior.scale.items()}
    return replace(first, kind="given", mean=dict(posterior.mean), scale=scale, seen=seen)


def _scale(tensor: Tensor) -> float:
    return float(tensor.max()) or 1.0


def _decimal(gamma: str) -> str:
    value = Fraction(gamma)
    if not 0 < value < 1:
        raise UsageError(f"--gamma must lie in (0, 1), got {gamma}")
    return gamma
