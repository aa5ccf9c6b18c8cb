"""The stages of one certification, each leaving a file that a killed run goes on from."""

import hashlib
import json
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from sys import stderr
from typing import Self

import torch
from safetensors import safe_open
from torch import nn

from pacbayes import __version__
from pacbayes.bounds import Confidence
from pacbayes.certificate import evaluation_root
from pacbayes.data import Data, Examples, items_digest
from pacbayes.errors import InputError, UsageError
from pacbayes.pipeline.request import CertifyRequest
from pacbayes.pipeline.subject import Subject
from pacbayes.posterior import FitPlan, Fitted, Prior, SpikeAndSlab, fit, fit_gates
from pacbayes.risk import Counts, default_draws, draws_for_slack, evaluate, evaluate_shard
from pacbayes.risk.journal import shard_path
from pacbayes.runtime.files import write_json, write_tensors
from pacbayes.runtime.processes import Shard, agree, is_first
from pacbayes.runtime.reading import read_json
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import digest

EPOCHS = {"split": 5, "init": 40, "zero": 40, "given": 5, "gates": 12}
RATES = {"split": 1e-4, "init": 1e-3, "zero": 1e-3, "given": 1e-4, "gates": 8e-3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What every stage of one subject needs.

    Attributes:
        subject: what is certified.
        model: the network.
        data: the data.
        sample: the certificate part, in the order of its indices.
        confidence: how delta is shared.
        folder: where the stages leave their files.
        request: the options.
        n: what fitting divides the divergence by, where it is not the size of the sample.
    """

    subject: Subject
    model: nn.Module
    data: Data
    sample: Examples
    confidence: Confidence
    folder: Path
    request: CertifyRequest
    n: int | None = None

    @property
    def certificate_sha256(self) -> str:
        """Digest of the contents of the certificate part."""
        return items_digest(self.sample.items)


def union_weight(prior: Prior, *choices: int) -> Fraction:
    """Return the exact union weight of the choices on the prior's side, its grids and others."""
    weight = Fraction(1, math.prod(choices))
    for grid, index in (
        (prior.grid, prior.grid_index),
        (prior.inclusion_grid, prior.inclusion_index),
    ):
        weight *= Fraction(1) if grid is None else grid.weight ** len(index)
    return weight


@dataclass(frozen=True, slots=True, kw_only=True)
class FitFiles:
    """Where a fit leaves its results, and which fit it is.

    Attributes:
        record: ``posterior.json``.
        stored: ``posterior.safetensors``.
        inputs: digest of all that the fit depends on.
    """

    record: Path
    stored: Path
    inputs: str

    @classmethod
    def of(cls, stage: Stage, plan: FitPlan) -> Self:
        """Return the files of one stage's fit."""
        return cls(
            record=stage.folder / "posterior.json",
            stored=stage.folder / "posterior.safetensors",
            inputs=_fit_digest(stage, plan),
        )

    @property
    def finished(self) -> bool:
        """Whether the same fit was finished before."""
        there = self.record.exists() and self.stored.exists()
        return there and read_json(self.record)["inputs"] == self.inputs


def fit_stage(stage: Stage) -> tuple[SpikeAndSlab, Prior]:
    """Fit the posterior, or read it back where the same fit was finished before."""
    prior, plan = stage.subject.prior, _fit_plan(stage)
    files = FitFiles.of(stage, plan)
    if agree(files.finished):
        return _read_fitted(files.record, files.stored, prior)
    journal = stage.folder / f"fit-{files.inputs[:12]}.safetensors"
    fitted = _fit(stage, plan, journal)
    write_tensors(files.stored, fitted.posterior.tensors(), {"schema": "pacbayes/posterior/1"})
    facts = {
        "schema": "pacbayes/posterior/1",
        "inputs": files.inputs,
        "posterior_sha256": fitted.posterior.digest,
        "prior_sha256": fitted.prior.digest,
        "prior_kind": prior.kind,
        "grid_index": fitted.prior.grid_index,
        "inclusion_index": fitted.prior.inclusion_index,
        "risk_guess": fitted.risk_guess,
    }
    write_json(files.record, facts)
    journal.unlink(missing_ok=True)
    # Processes on other machines may have rounded otherwise: what the first wrote counts.
    agree(None)
    if not is_first():
        return _read_fitted(files.record, files.stored, prior)
    return fitted.posterior, fitted.prior


def read_fit(stage: Stage) -> tuple[SpikeAndSlab, Prior]:
    """Return the posterior that was fitted before.

    Raises:
        InputError: it was not.
    """
    files = FitFiles.of(stage, _fit_plan(stage))
    if not files.finished:
        raise InputError(f"{files.record}: no posterior of this request; run evaluate --fit-only")
    return _read_fitted(files.record, files.stored, stage.subject.prior)


def _fit(stage: Stage, plan: FitPlan, journal: Path) -> Fitted:
    subject, request, prior = stage.subject, stage.request, stage.subject.prior
    if plan.epochs == 0 and prior.grid is None and digest(subject.start) == digest(prior.mean):
        return Fitted(posterior=as_posterior(prior), prior=prior)
    seeds = Seeds(request.seed).child(f"fit {subject.role}")
    if prior.inclusion_grid is not None:
        return fit_gates(
            prior,
            subject.start,
            subject.ticket.mask,
            stage.model,
            stage.sample,
            plan=plan,
            seeds=seeds,
            journal=journal,
            quiet=request.quiet,
        )
    return fit(
        prior,
        subject.start,
        stage.model,
        stage.sample,
        plan=plan,
        seeds=seeds,
        journal=journal,
        device=request.place.device,
        quiet=request.quiet,
    )


def _fit_plan(stage: Stage) -> FitPlan:
    request, prior, n = stage.request, stage.subject.prior, stage.n or len(stage.sample.labels)
    choices = [c.choices for c in stage.subject.choices]
    price = stage.confidence.theorem * union_weight(prior, request.priors_tried, *choices)
    kind = prior.kind if prior.inclusion_grid is None else "gates"
    return FitPlan(
        objective=request.objective,
        n=n,
        constant=math.log(2 * math.sqrt(n)) - _log(price),
        epochs=EPOCHS[kind] if request.epochs is None else request.epochs,
        batch_size=request.batch_size,
        lr=request.lr or RATES[kind],
        scale_lr=10 * (request.lr or RATES[kind]),
    )


def _log(price: Fraction) -> float:
    """Return ln of a price; a grid for each of 161 tensors makes it too small for a float."""
    return math.log(price.numerator) - math.log(price.denominator)


def _fit_digest(stage: Stage, plan: FitPlan) -> str:
    facts = [
        stage.subject.prior.digest,
        digest(stage.subject.start),
        stage.certificate_sha256,
        repr(plan),
        stage.request.seed,
        stage.request.model,
        sorted(stage.request.model_args.items()),
        repr(stage.data.transform),
        __version__,
    ]
    if stage.subject.prior.inclusion_grid is not None:
        facts.append(stage.subject.ticket.mask.digest)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _read_fitted(record: Path, stored: Path, prior: Prior) -> tuple[SpikeAndSlab, Prior]:
    facts = read_json(record)
    with safe_open(stored, framework="pt") as tensors:
        posterior = SpikeAndSlab.from_tensors({k: tensors.get_tensor(k) for k in tensors.keys()})
    if prior.grid is not None:
        prior = prior.on_grid({k: prior.grid.value(j) for k, j in facts["grid_index"].items()})
    if prior.inclusion_grid is not None:
        index = facts["inclusion_index"]
        prior = prior.on_inclusion_grid(
            {k: prior.inclusion_grid.value(j) for k, j in index.items()}
        )
    if (posterior.digest, prior.digest) != (facts["posterior_sha256"], facts["prior_sha256"]):
        raise InputError(f"{stored}: was changed after the fit; remove it to fit again")
    return posterior, prior


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Error counts of one posterior under one prior."""

    counts: Counts
    draws: int


def evaluate_stage(
    stage: Stage, posterior: SpikeAndSlab, prior: Prior, *, draws: int, label: str
) -> Evaluation:
    """Count errors on the certificate part, with noise that no option can change."""
    counts = evaluate(
        posterior,
        stage.model,
        stage.sample,
        draws=draws,
        root=_root(stage, posterior, prior, draws=draws),
        journal=stage.folder / f"{label}-draws.json",
        memory=stage.request.memory,
        place=stage.request.place,
        quiet=stage.request.quiet,
    )
    return Evaluation(counts=counts, draws=draws)


def evaluate_stage_shard(
    stage: Stage, posterior: SpikeAndSlab, prior: Prior, part: Shard, *, draws: int
) -> Path:
    """Count the errors of one shard and return the file that holds them."""
    journal = stage.folder / "posterior-draws.json"
    evaluate_shard(
        posterior,
        stage.model,
        stage.sample,
        part,
        draws=draws,
        root=_root(stage, posterior, prior, draws=draws),
        journal=journal,
        memory=stage.request.memory,
        place=stage.request.place,
        quiet=stage.request.quiet,
    )
    return shard_path(journal, part)


def _root(stage: Stage, posterior: SpikeAndSlab, prior: Prior, *, draws: int) -> int:
    root = evaluation_root(
        posterior_sha256=posterior.digest,
        prior_sha256=prior.digest,
        certificate_sha256=stage.certificate_sha256,
        draws=draws,
    )
    return int(root, 16)


def draws_for(stage: Stage, posterior: SpikeAndSlab) -> int:
    """Return the number of draws per example, fixed before the first draw.

    With a slack it follows from the risk that fitting ended with, whose draws are not counted.

    Raises:
        UsageError: a slack is asked for, and no fit has left a guess of the risk.
    """
    slack = stage.request.slack
    if slack is None:
        return stage.request.draws or default_draws(stage.model, posterior, stage.sample)
    record = stage.folder / "posterior.json"
    guess = read_json(record).get("risk_guess") if record.exists() else None
    if guess is None:
        raise UsageError("--slack needs a fit, which leaves a guess of the risk; give --draws")
    n, delta = len(stage.sample.labels), stage.confidence.draws
    draws = draws_for_slack(slack, risk_guess=guess, n=n, delta=delta)
    if not stage.request.quiet and is_first():
        stderr.write(f"{draws} draws for a slack of {slack} at a risk of about {guess:.4f}\n")
    return draws


def as_posterior(prior: Prior) -> SpikeAndSlab:
    """Return the prior as a posterior: the law whose divergence is zero up to the mask's price."""
    inclusion = {name: prior.mask.of(name, mean).float() for name, mean in prior.mean.items()}
    scale = {
        name: torch.full_like(mean, prior.scale[name]) * inclusion[name]
        for name, mean in prior.mean.items()
    }
    return SpikeAndSlab(
        mean=dict(prior.mean), scale=scale, inclusion=inclusion, buffers=dict(prior.buffers)
    )
