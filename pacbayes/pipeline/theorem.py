"""From a fitted posterior to its certificate, by the theorem that was asked for."""

import math
from decimal import Decimal
from typing import Any, Final

from pacbayes.bounds import kl_inverse_upper
from pacbayes.certificate import CATONI_GRID, Certificate, Choice, issue
from pacbayes.errors import Problem, UsageError
from pacbayes.pipeline import evidence, preprocessing
from pacbayes.pipeline.counting import count_coded, count_drawn, count_gibbs, count_unseen
from pacbayes.pipeline.evidence import Evidence
from pacbayes.pipeline.recursive import count_recursive
from pacbayes.pipeline.stages import Stage, fit_stage
from pacbayes.posterior import Prior
from pacbayes.risk import count_errors
from pacbayes.runtime.devices import Place, repeatable
from pacbayes.runtime.environment import environment

COMPARED: Final = Choice(purpose="bounds compared: kl, catoni", choices=2)
GRID: Final = Choice(purpose="constant of Catoni's bound", choices=len(CATONI_GRID))


def certified(
    stage: Stage, probed: list[Problem], *, name: str
) -> tuple[Certificate, tuple[str, ...]]:
    """Return the certificate of one subject, and what the user should read beside it.

    Args:
        stage: what is certified, and the options.
        probed: what the probes of the network found.
        name: subject of the claim.

    Raises:
        UsageError: the theorem does not apply to this subject.
    """
    bound = stage.request.bound
    if bound == "recursive":
        counted, chain = count_recursive(stage)
        found = evidence.gather(stage, stage.subject.prior, counted, probed)
        return _issue(stage, found, name=name, bound=bound, stages=chain), counted.remarks
    if bound in ("test-set", "occam"):
        prior = stage.subject.prior
        counted = count_unseen(stage, prior) if bound == "test-set" else count_coded(stage)
    else:
        posterior, prior = fit_stage(stage)
        count = count_drawn if bound == "disintegrated" else count_gibbs
        counted = count(stage, posterior, prior)
    found = evidence.gather(stage, prior, counted, probed)
    return _issued(stage, prior, found, name=name), counted.remarks


def _issued(stage: Stage, prior: Prior, found: Evidence, *, name: str) -> Certificate:
    bound = stage.request.bound
    if bound in ("disintegrated", "test-set", "occam"):
        return _issue(stage, found, name=name, bound=bound)
    if bound == "catoni":
        return _by_catoni(stage, prior, found, name=name)
    if bound == "best":
        by_kl = _issue(stage, found, name=name, union=(COMPARED,))
        by_catoni = _by_catoni(stage, prior, found, name=name, union=(COMPARED,))
        return min(by_kl, by_catoni, key=lambda c: Decimal(c.risk_upper))
    return _issue(stage, found, name=name)


def _by_catoni(
    stage: Stage, prior: Prior, found: Evidence, *, name: str, union: tuple[Choice, ...] = ()
) -> Certificate:
    """Return the certificate by Catoni's bound, its constant on a paid grid or fixed before."""
    chosen = stage.request.catoni
    if chosen == "prior-part":
        chosen = _constant_of_prior_part(stage, prior)
    if chosen != "grid":
        return _issue(stage, found, name=name, union=union, bound="catoni", parameter=chosen)
    tried = [
        _issue(stage, found, name=name, union=(*union, GRID), bound="catoni", parameter=constant)
        for constant in CATONI_GRID
    ]
    return min(tried, key=lambda c: Decimal(c.risk_upper))


def _constant_of_prior_part(stage: Stage, prior: Prior) -> str:
    """Return the constant that would be best for the prior's own network, by the prior part alone.

    The bound is tightest at ``C = ln(p (1 - q) / (q (1 - p)))`` for the risk q and the bound p; the
    guess for q is the error rate on the prior part, for p its kl inverse at the share of delta.
    """
    if not len(prior.seen):
        raise UsageError("--catoni prior-part needs a prior part: give --split")
    sample = stage.data.train.part(prior.seen)
    counts = count_errors(stage.model, prior.mean, prior.buffers, sample)
    q = (counts.errors + 1) / (counts.trials + 2)
    price = -math.log(float(stage.confidence.theorem)) / len(stage.sample.labels)
    p = min(kl_inverse_upper(q=q, c=price), 1 - 1e-9)
    return f"{math.log(p * (1 - q) / (q * (1 - p))):.4f}"


def _issue(
    stage: Stage, found: Evidence, *, name: str, union: tuple[Choice, ...] = (), **theorem: Any
) -> Certificate:
    request = stage.request
    paid = preprocessing.choices(stage.data, request.declare)
    return issue(
        name=name,
        confidence=stage.confidence,
        data=found.data,
        prior=found.prior,
        posterior=found.posterior,
        draws=found.draws,
        conditions=found.conditions,
        references=found.references,
        priors_tried=request.priors_tried,
        union=[*paid, *stage.subject.choices, *union],
        environment=_environment(request.place),
        **theorem,
    )


def _environment(place: Place) -> dict[str, str | int]:
    """Return what the document says of the machine; threads are fewer where processes are more."""
    with repeatable():
        found = environment(device=place.device.type, dtype=str(place.dtype).removeprefix("torch."))
    return {key: value for key, value in found.items() if key != "threads"}
