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
    checked,
)
from pacbayes.data import Duplicates, Split, duplicates
from pacbayes.errors import Problem, UnsoundError
from pacbayes.models import statistics
from pacbayes.pipeline.conditions import conditions
from pacbayes.pipeline.counting import Counted
from pacbayes.pipeline.stages import Stage
from pacbayes.posterior import Prior
from pacbayes.risk import count_errors

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


def gather(stage: Stage, prior: Prior, counted: Counted, probed: list[Problem]) -> Evidence:
    """Return the evidence for one subject; counts the reference numbers on the way."""
    repeated = _duplicates(stage)
    return Evidence(
        data=_data_facts(stage, repeated),
        prior=counted.prior,
        posterior=counted.posterior,
        draws=counted.draws,
        references=_references(stage, prior, counted),
        conditions=[
            checked(c.id, counted.notes[c.id]) if _is_told(c, counted.notes) else c
            for c in _conditions(stage, prior, probed, repeated)
        ],
    )


def _is_told(condition: Condition, notes: dict[str, str]) -> bool:
    return condition.id in notes and condition.status == "checked"


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


def _references(stage: Stage, prior: Prior, counted: Counted) -> References:
    holdout, price = None, None
    if prior.kind in ("split", "given") and stage.request.bound != "test-set":
        counts = count_errors(stage.model, prior.mean, prior.buffers, stage.sample)
        holdout = counts.errors
    if prior.mask_price == "free" and prior.mask.kept < prior.mask.prunable:
        price = add_upper(count_prior_upper(m.numel(), int(m.sum())) for m in prior.mask.values())
    return References(
        holdout_errors=holdout,
        mask_price=price,
        test=counted.test,
    )
