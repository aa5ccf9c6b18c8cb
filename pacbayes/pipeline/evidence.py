"""The evidence of one certificate, gathered from the files and tensors of its stages."""

from dataclasses import dataclass

import torch

from pacbayes.bounds import add_upper, count_prior_upper
from pacbayes.certificate import (
    Condition,
    DataFacts,
    DrawFacts,
    PosteriorFacts,
    PriorFacts,
    References,
    Seen,
    TensorFacts,
)
from pacbayes.data import Duplicates, Split, duplicates
from pacbayes.errors import Problem, UnsoundError
from pacbayes.models import statistics
from pacbayes.pipeline.conditions import conditions
from pacbayes.pipeline.stages import Evaluation, Stage
from pacbayes.posterior import Prior, SpikeAndSlab, divergence
from pacbayes.risk import count_errors, evaluate
from pacbayes.tickets import IndexSet, tensor_digest

TEST_ROOT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a certificate is issued from."""

    data: DataFacts
    prior: PriorFacts
    posterior: PosteriorFacts
    draws: DrawFacts
    references: References
    conditions: list[Condition]


def require_sound(stage: Stage, probed: list[Problem]) -> None:
    """Refuse before any expensive work, with all problems at once.

    Raises:
        UnsoundError: a validity condition is violated.
    """
    found = _conditions(stage, stage.subject.prior, probed, _duplicates(stage))
    problems = [
        Problem(condition=c.id, message=c.note or c.title) for c in found if c.status == "violated"
    ]
    if not len(stage.subject.certificate):
        message = "no example is left for the certificate; take a smaller --split, or --all-data"
        problems.append(Problem(condition="V21", message=message))
    if problems:
        raise UnsoundError(problems)


def gather(
    stage: Stage,
    posterior: SpikeAndSlab,
    prior: Prior,
    evaluation: Evaluation,
    probed: list[Problem],
) -> Evidence:
    """Return the evidence for one subject; counts the reference numbers on the way."""
    repeated = _duplicates(stage)
    return Evidence(
        data=_data_facts(stage, repeated),
        prior=_prior_facts(prior),
        posterior=_posterior_facts(stage, posterior, prior),
        draws=DrawFacts(
            draws=evaluation.draws,
            errors=evaluation.counts.errors,
            trials=evaluation.counts.trials,
        ),
        references=_references(stage, posterior, prior),
        conditions=_conditions(stage, prior, probed, repeated),
    )


def _conditions(
    stage: Stage, prior: Prior, probed: list[Problem], repeated: Duplicates
) -> list[Condition]:
    return conditions(
        stage.subject,
        prior,
        stage.data,
        repeated,
        probed=probed,
        from_code=_from_code(stage, prior),
        request=stage.request,
    )


def _from_code(stage: Stage, prior: Prior) -> list[str]:
    """Return the buffers with values of the network's code; what that has seen nobody can tell."""
    counted = statistics(stage.model)
    return [
        name
        for name, value in stage.model.named_buffers()
        if name not in prior.buffers
        or (name not in counted and torch.equal(prior.buffers[name], value))
    ]


def _duplicates(stage: Stage) -> Duplicates:
    part, seen = stage.subject.certificate, stage.subject.prior.seen
    split = Split(prior=seen.minus(part), certificate=part, description={"for": "duplicates"})
    return duplicates(stage.data.train, split)


def _seen(indices: IndexSet) -> Seen:
    return Seen(count=len(indices), indices_sha256=indices.digest)


def _data_facts(stage: Stage, repeated: Duplicates) -> DataFacts:
    data, part = stage.data, stage.subject.certificate
    return DataFacts(
        name=data.name,
        description=data.description,
        total=len(data.train.labels),
        n=len(part),
        classes=data.classes,
        items_sha256=data.digest,
        certificate_sha256=stage.certificate_sha256,
        indices_sha256=part.digest,
        duplicates_within=repeated.within,
        duplicates_across=repeated.across,
        transform=data.transform.text,
        transform_mean=data.transform.mean,
        transform_std=data.transform.std,
        transform_source=data.transform.source,
        label_noise=stage.subject.ticket.notes.get("label_noise"),
    )


def _prior_facts(prior: Prior) -> PriorFacts:
    return PriorFacts(
        kind=prior.kind,
        sha256=prior.digest,
        seen=_seen(prior.seen),
        mask_seen=_seen(prior.mask_seen),
        mask_price=prior.mask_price,
        grid=None if prior.grid is None else prior.grid.to_json(),
        inclusion_grid=None if prior.inclusion_grid is None else prior.inclusion_grid.to_json(),
    )


def _posterior_facts(stage: Stage, posterior: SpikeAndSlab, prior: Prior) -> PosteriorFacts:
    tensors = tuple(
        TensorFacts(
            name=item.name,
            dtype=str(posterior.mean[item.name].dtype).removeprefix("torch."),
            shape=tuple(posterior.mean[item.name].shape),
            sha256=tensor_digest(posterior.mean[item.name]),
            n_weights=item.entries,
            n_active=item.kept,
            prior_scale=repr(prior.scale[item.name]),
            grid_index=prior.grid_index.get(item.name),
            inclusion_index=prior.inclusion_index.get(item.name),
            mask=item.mask,
            mean=item.mean,
            scale=item.scale,
        )
        for item in divergence(posterior, prior).tensors
    )
    return PosteriorFacts(
        sha256=posterior.digest,
        checkpoint_sha256=stage.subject.checkpoint_sha256,
        tensors=tensors,
    )


def _references(stage: Stage, posterior: SpikeAndSlab, prior: Prior) -> References:
    holdout, price = None, None
    if prior.kind in ("split", "given"):
        counts = count_errors(stage.model, prior.mean, prior.buffers, stage.sample)
        holdout = counts.errors
    if prior.mask_price == "free" and prior.mask.kept < prior.mask.prunable:
        price = add_upper(count_prior_upper(m.numel(), int(m.sum())) for m in prior.mask.values())
    return References(
        holdout_errors=holdout,
        mask_price=price,
        test=_test_counts(stage, posterior),
    )


def _test_counts(stage: Stage, posterior: SpikeAndSlab) -> tuple[int, int] | None:
    """Count Gibbs errors on the test examples, for information only."""
    if stage.data.test is None or not len(stage.data.test.labels):
        return None
    with torch.no_grad():
        counts = evaluate(
            posterior, stage.model, stage.data.test, draws=1, root=TEST_ROOT, quiet=True
        )
    return counts.errors, counts.trials
