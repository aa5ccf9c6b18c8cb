"""Issuing: from evidence to a document that the checker has accepted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import Any

from pacbayes.bounds import Confidence, decimal_up
from pacbayes.bounds.binomial import LARGEST_TRIALS
from pacbayes.certificate import checker
from pacbayes.certificate.conditions import Condition, in_order, problems
from pacbayes.certificate.decimals import decimal_text, float_up, kl_total, plain, ratio_text
from pacbayes.certificate.document import Certificate, canonical, self_hash
from pacbayes.certificate.facts import (
    Choice,
    DataFacts,
    DrawFacts,
    PosteriorFacts,
    PriorFacts,
    References,
    StageFacts,
    ToolFacts,
)
from pacbayes.certificate.pricing import SINGLE, TRIED, BoundId, Pricing, recursive_upper
from pacbayes.certificate.tool import this_tool
from pacbayes.errors import InputError, Problem, UnsoundError, UsageError, VerificationError

DESIGN, ONE_NETWORK = "fresh-weights", "one-network"
_ATTEMPTS = 12


def evaluation_root(
    *,
    posterior_sha256: str,
    prior_sha256: str,
    certificate_sha256: str,
    draws: int,
    design: str = DESIGN,
) -> str:
    """Return the root of the evaluation's randomness, in hex.

    It is derived from what is certified and from nothing else, so nobody can hunt for a lucky seed.
    """
    parts = ["pacbayes/evaluate/1", posterior_sha256, prior_sha256, certificate_sha256]
    return sha256("\n".join([*parts, design, str(draws)]).encode()).hexdigest()


def issue(
    *,
    name: str,
    confidence: Confidence,
    data: DataFacts,
    prior: PriorFacts,
    posterior: PosteriorFacts,
    draws: DrawFacts,
    conditions: Sequence[Condition],
    references: References | None = None,
    priors_tried: int = 1,
    union: Sequence[Choice] = (),
    bound: BoundId = "pb-kl-maurer",
    parameter: str | None = None,
    stages: Sequence[StageFacts] = (),
    environment: Mapping[str, str | int] | None = None,
    tool: ToolFacts | None = None,
) -> Certificate:
    """Return the certificate that follows from the evidence, accepted by the checker.

    All published risks are proposed by ``bounds`` and rounded up; the checker then judges the
    final bytes, and a proposal that it finds too low or too loose is moved by units in the last
    place until it agrees.

    Args:
        name: stable subject of the claim, MODEL/DATA/ROLE.
        confidence: how delta is shared between theorem and draws.
        data: the data that the claim is about.
        prior: the prior.
        posterior: the posterior with its itemised divergence.
        draws: error counts of the predictor on the certificate part.
        conditions: what is known about each of V1 to V32, in any order.
        references: numbers shown beside the claim.
        priors_tried: how many priors were tried on this certificate part, this one included.
        union: further choices on the prior's side; grids and tried priors are added here.
        bound: the theorem; it decides whether the predictor is the randomised (Gibbs) classifier
            or one network.
        parameter: Catoni's constant, a decimal string.
        stages: the stages of a recursive bound, in order.
        environment: informative facts, strings and integers.
        tool: the issuing program; found by itself when ``None``.

    Raises:
        UnsoundError: validity conditions are violated or not stated; carries all of them.
        InputError: a field has the wrong form (names it).
        UsageError: a delta that is no finite decimal, an impossible number of priors, or more
            trials than the binomial tail is summed for.
        VerificationError: evidence and document contradict each other (names the field).
    """
    found = [*problems(conditions), *_structural_problems(data, prior, conditions)]
    if found:
        raise UnsoundError(found)
    if draws.trials > LARGEST_TRIALS:
        raise UsageError(f"{draws.trials} trials are more than can be bounded; take fewer draws")
    choices = _all_choices(prior, posterior, priors_tried, union)
    draft = _Draft(
        name=name,
        pricing=Pricing(
            n=data.n,
            bound=bound,
            parameter=parameter,
            theorem=confidence.delta if bound in SINGLE else confidence.theorem,
            draws=Fraction(0) if bound in SINGLE else confidence.draws,
            weight=math.prod((Fraction(1, c.choices) for c in choices), start=Fraction(1)),
            tried=priors_tried,
            counts=max(1, sum(len(stage.errors) for stage in stages)),
        ),
        stages=tuple(stages),
        data=data,
        prior=prior,
        posterior=posterior,
        draws=draws,
        references=references or References(),
        sections={
            "schema": checker.SCHEMA,
            "tool": (tool or this_tool()).to_json(),
            "union": [choice.to_json() for choice in choices],
            "conditions": in_order(conditions),
            "environment": dict(environment or {}),
        },
    )
    return _accepted(draft)


def _structural_problems(
    data: DataFacts, prior: PriorFacts, conditions: Sequence[Condition]
) -> list[Problem]:
    """Return what the facts themselves say against a certificate."""
    found = []
    if prior.seen.count + data.n > data.total:
        message = "the prior has seen certificate examples; use another split or --prior init"
        found.append(Problem(condition="V1", message=message))
    if prior.mask_price == "free" and prior.mask_seen.count + data.n > data.total:
        message = "the mask has seen certificate examples; charge it or use another split"
        found.append(Problem(condition="V4", message=message))
    many = 1000 * data.duplicates_within > data.n or data.duplicates_across > 0
    if many and not any(c.id == "V9" and c.status == "declared" for c in conditions):
        message = (
            f"{data.duplicates_within} duplicates within the certificate part and "
            f"{data.duplicates_across} across the split; remove them or declare V9"
        )
        found.append(Problem(condition="V9", message=message))
    if not data.description:
        message = "the distribution is not described; give the data a description"
        found.append(Problem(condition="V32", message=message))
    return found


def _all_choices(
    prior: PriorFacts, posterior: PosteriorFacts, priors_tried: int, union: Sequence[Choice]
) -> list[Choice]:
    """Return the choices paid for: grids per tensor, priors tried, and the given ones."""
    if priors_tried < 1:
        raise UsageError(f"priors_tried must be at least 1, got {priors_tried}")
    choices = []
    if prior.grid is not None:
        size = int(prior.grid["size"])
        choices += [
            Choice(purpose=f"prior scale of {t.name}", choices=size) for t in posterior.tensors
        ]
    if prior.inclusion_grid is not None:
        size = int(prior.inclusion_grid["size"])
        choices += [
            Choice(purpose=f"prior inclusion of {t.name}", choices=size)
            for t in posterior.tensors
            if t.inclusion_index is not None
        ]
    if priors_tried > 1:
        choices.append(Choice(purpose=TRIED, choices=priors_tried))
    return [*choices, *union]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """Everything that a document is written from."""

    name: str
    pricing: Pricing
    data: DataFacts
    prior: PriorFacts
    posterior: PosteriorFacts
    draws: DrawFacts
    stages: tuple[StageFacts, ...]
    references: References
    sections: dict[str, Any] = field(default_factory=dict)

    def document(self, moves: Mapping[str, int]) -> dict[str, Any]:
        """Return the document, some of its risks moved by units in the last place."""
        pricing, draws = self.pricing, self.draws
        kl_upper = kl_total([item for t in self.posterior.tensors for item in t.items])
        counted = _moved(pricing.draws_upper(draws.errors, draws.trials), moves, "mc.risk_upper")
        stages = [self._stage(place, moves) for place in range(len(self.stages))]
        if stages:
            claimed = recursive_upper(stages)
        else:
            claimed = pricing.theorem_upper(
                risk_upper=counted, kl_upper=kl_upper, errors=draws.errors
            )
        counts = {"errors": draws.errors, "trials": draws.trials, "risk_upper": counted}
        document = {
            **self.sections,
            "name": self.name,
            "bound": {"id": pricing.bound, "parameter": pricing.parameter},
            "predictor": "single" if pricing.single else "gibbs",
            "loss": {"id": "zero-one", "ties": "error", "nonfinite": "error", "margin_tau": "0"},
            "claim": {
                "risk_upper": _moved(claimed, moves, "claim.risk_upper"),
                "delta_total": decimal_text(pricing.delta),
            },
            "delta_shares": self._shares(),
            "data": self.data.to_json(),
            "prior": self.prior.to_json(),
            "posterior": {
                "sha256": self.posterior.sha256,
                "checkpoint_sha256": self.posterior.checkpoint_sha256,
                "network_sha256": self.posterior.network_sha256,
                "family": "point" if pricing.single else "spike-and-slab",
                "tensors": [tensor.to_json() for tensor in self.posterior.tensors],
                "kl_upper": kl_upper,
            },
            "stages": stages,
            "mc": self._evaluation(counts),
            "evidence": {"id": pricing.bound, "n": pricing.n, "kl_upper": kl_upper, **counts},
            "reference": self._reference(moves),
        }
        document["claim"]["statement"] = checker.statement(document)
        return {**document, "self_sha256": self_hash(document)}

    def _shares(self) -> list[dict[str, str]]:
        shares = {"theorem": self.pricing.theorem}
        if not self.pricing.single:
            shares["draws"] = self.pricing.draws
        return [{"purpose": k, "share": ratio_text(share)} for k, share in shares.items()]

    def _evaluation(self, counts: Mapping[str, Any]) -> dict[str, Any]:
        single = self.pricing.single
        design = ONE_NETWORK if single else DESIGN
        root = evaluation_root(
            posterior_sha256=self.posterior.sha256,
            prior_sha256=self.prior.sha256,
            certificate_sha256=self.data.certificate_sha256,
            draws=self.draws.draws,
            design=design,
        )
        return {
            "design": design,
            "method": "exact" if single else "binomial",
            "draws": self.draws.draws,
            "root_sha256": root,
            **counts,
        }

    def _stage(self, place: int, moves: Mapping[str, int]) -> dict[str, Any]:
        """Return the entry of one stage: each count with its own upper values."""
        stage, pricing = self.stages[place], self.pricing
        parts = []
        for i, errors in enumerate(stage.errors):
            name = f"stages[{place}].parts[{i}]"
            counted = pricing.draws_upper(errors, stage.trials)
            counted = _moved(counted, moves, f"{name}.mc_risk_upper")
            events = len(self.stages) * len(stage.errors)
            upper = pricing.kl_upper(counted, stage.kl_upper, n=stage.n, parts=events)
            upper = _moved(upper, moves, f"{name}.risk_upper")
            parts.append({"errors": errors, "mc_risk_upper": counted, "risk_upper": upper})
        return {
            "n": stage.n,
            "indices_sha256": stage.indices_sha256,
            "posterior_sha256": stage.posterior_sha256,
            "kl_upper": stage.kl_upper,
            "gamma": stage.gamma,
            "trials": stage.trials,
            "parts": parts,
        }

    def _reference(self, moves: Mapping[str, int]) -> dict[str, Any]:
        given, pricing = self.references, self.pricing
        section: dict[str, Any] = {"holdout": None, "mask_price": None, "test": None}
        if given.holdout_errors is not None:
            upper = pricing.holdout_upper(given.holdout_errors)
            section["holdout"] = {
                "errors": given.holdout_errors,
                "n": pricing.n,
                "risk_upper": _moved(upper, moves, "reference.holdout.risk_upper"),
            }
        if given.mask_price is not None:
            section["mask_price"] = {"nats": given.mask_price}
        if given.test is not None:
            section["test"] = {"errors": given.test[0], "trials": given.test[1]}
        return section


def _accepted(draft: _Draft) -> Certificate:
    """Return the draft's document once the checker accepts its bytes."""
    moves: dict[str, int] = {}
    for _ in range(_ATTEMPTS):
        document = draft.document(moves)
        try:
            checker.check(canonical(document))
        except checker.Malformed as error:
            raise InputError(f"certificate cannot be issued: {error}") from error
        except checker.Rejected as error:
            if error.move == 0:
                raise VerificationError(f"certificate cannot be issued: {error}") from error
            moves[error.field] = moves.get(error.field, 0) + error.move
        else:
            return Certificate(document=document)
    raise VerificationError(f"certificate cannot be issued: no value fits {sorted(moves)}")


def _moved(text: str, moves: Mapping[str, int], field_name: str) -> str:
    """Return a risk moved up (or down) by the ulps asked for."""
    count = moves.get(field_name, 0)
    if count == 0:
        return text
    value, towards = float_up(text), 1.0 if count > 0 else 0.0
    for _ in range(abs(count)):
        value = math.nextafter(value, towards)
    return plain(decimal_up(value))
