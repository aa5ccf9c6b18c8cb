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
from pacbayes.certificate.document import Certificate, canonical, self_hash, statement
from pacbayes.certificate.facts import (
    Choice,
    DataFacts,
    DrawFacts,
    PosteriorFacts,
    PriorFacts,
    References,
    ToolFacts,
)
from pacbayes.certificate.pricing import TRIED, Constant, Pricing
from pacbayes.certificate.tool import this_tool
from pacbayes.errors import InputError, Problem, UnsoundError, UsageError, VerificationError

DESIGN = "fresh-weights"
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
    constant: Constant = "2sqrt(n)",
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
        draws: error counts of the Gibbs classifier on the certificate part.
        conditions: what is known about each of V1 to V32, in any order.
        references: numbers shown beside the claim.
        priors_tried: how many priors were tried on this certificate part, this one included.
        union: further choices on the prior's side; grids and tried priors are added here.
        constant: constant of the theorem.
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
            theorem=confidence.theorem,
            draws=confidence.draws,
            weight=math.prod((Fraction(1, c.choices) for c in choices), start=Fraction(1)),
            tried=priors_tried,
            constant=constant,
        ),
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
    """Return the choices paid for: one grid per tensor, priors tried, and the given ones."""
    if priors_tried < 1:
        raise UsageError(f"priors_tried must be at least 1, got {priors_tried}")
    choices = []
    if prior.grid is not None:
        size = int(prior.grid["size"])
        choices += [
            Choice(purpose=f"prior scale of {t.name}", choices=size) for t in posterior.tensors
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
    references: References
    sections: dict[str, Any] = field(default_factory=dict)

    def document(self, moves: Mapping[str, int]) -> dict[str, Any]:
        """Return the document, some of its risks moved by units in the last place."""
        pricing, draws, data = self.pricing, self.draws, self.data
        kl_upper = kl_total([item for t in self.posterior.tensors for item in t.items])
        delta = decimal_text(pricing.delta)
        counted = _moved(pricing.draws_upper(draws.errors, draws.trials), moves, "mc.risk_upper")
        claimed = _moved(pricing.theorem_upper(counted, kl_upper), moves, "claim.risk_upper")
        root = evaluation_root(
            posterior_sha256=self.posterior.sha256,
            prior_sha256=self.prior.sha256,
            certificate_sha256=data.certificate_sha256,
            draws=draws.draws,
        )
        counts = {"errors": draws.errors, "trials": draws.trials, "risk_upper": counted}
        document = {
            **self.sections,
            "name": self.name,
            "bound": {"id": "pb-kl-maurer", "constant": pricing.constant},
            "predictor": "gibbs",
            "loss": {"id": "zero-one", "ties": "error", "nonfinite": "error", "margin_tau": "0"},
            "claim": {
                "risk_upper": claimed,
                "delta_total": delta,
                "statement": statement(self.name, data.n, delta, claimed),
            },
            "delta_shares": [
                {"purpose": "theorem", "share": ratio_text(pricing.theorem)},
                {"purpose": "draws", "share": ratio_text(pricing.draws)},
            ],
            "data": data.to_json(),
            "prior": self.prior.to_json(),
            "posterior": {
                "sha256": self.posterior.sha256,
                "checkpoint_sha256": self.posterior.checkpoint_sha256,
                "family": "spike-and-slab",
                "tensors": [tensor.to_json() for tensor in self.posterior.tensors],
                "kl_upper": kl_upper,
            },
            "mc": {
                "design": DESIGN,
                "method": "binomial",
                "draws": draws.draws,
                "root_sha256": root,
                **counts,
            },
            "evidence": {"id": "pb-kl-maurer", "n": data.n, "kl_upper": kl_upper, **counts},
            "reference": self._reference(moves),
        }
        return {**document, "self_sha256": self_hash(document)}

    def _reference(self, moves: Mapping[str, int]) -> dict[str, Any]:
        given, pricing = self.references, self.pricing
        section: dict[str, Any] = {"holdout": None, "zero_kl": None, "mask_price": None}
        section["test"] = None
        if given.holdout_errors is not None:
            upper = pricing.holdout_upper(given.holdout_errors)
            section["holdout"] = {
                "errors": given.holdout_errors,
                "n": pricing.n,
                "risk_upper": _moved(upper, moves, "reference.holdout.risk_upper"),
            }
        if given.zero_kl is not None:
            errors, trials = given.zero_kl
            counted = pricing.draws_upper(errors, trials)
            counted = _moved(counted, moves, "reference.zero_kl.mc_risk_upper")
            upper = pricing.theorem_upper(counted, "0")
            section["zero_kl"] = {
                "errors": errors,
                "trials": trials,
                "mc_risk_upper": counted,
                "risk_upper": _moved(upper, moves, "reference.zero_kl.risk_upper"),
            }
        if self.prior.mask_price == "count":
            nats = kl_total([tensor.mask for tensor in self.posterior.tensors])
            section["mask_price"] = {"nats": nats}
        elif given.mask_price is not None:
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
