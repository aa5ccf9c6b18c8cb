"""What is certified: a ticket with its prior, its certificate part and where fitting starts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from pacbayes.certificate import Choice
from pacbayes.data import Data, Split
from pacbayes.errors import InputError, Problem, UnsoundError
from pacbayes.pipeline.request import CertifyRequest, PriorChoice
from pacbayes.posterior import INCLUSIONS, Prior
from pacbayes.tickets import IndexSet, Ticket

Role = Literal["ticket", "dense"]
TrainPrior = Callable[[Ticket, Split], Ticket]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One certificate to be made.

    Attributes:
        role: ``ticket`` or ``dense``.
        ticket: the ticket that was handed over, with its provenance filled in.
        prior: the prior, scales not yet chosen where they lie on a grid.
        certificate: indices that the claim rests on.
        start: first means for fitting.
        declared: what only the user's word says, by condition.
        choices: what the prior took from the certificate part, to be paid for.
        buffers_seen: indices that the buffers of prior and posterior have seen.
        statistics: how running statistics were folded or charged; empty where they were not.
        checkpoint_sha256: digest of the ticket as it was handed over, statistics and all.
        remarks: sentences that the user should read beside the number.
    """

    role: Role
    ticket: Ticket
    prior: Prior
    certificate: IndexSet
    start: dict[str, Tensor]
    declared: dict[str, str]
    remarks: tuple[str, ...]
    buffers_seen: IndexSet
    choices: tuple[Choice, ...] = ()
    statistics: str = ""
    checkpoint_sha256: str = ""


def known_provenance(
    ticket: Ticket, data: Data, split: Split | None, request: CertifyRequest
) -> Ticket:
    """Return the ticket with every index set filled in.

    A ticket of ours carries its index sets. A foreign file counts as having seen everything unless
    the user says otherwise; a file given with ``--init`` counts as drawn without data, because
    that is what the option means.

    Raises:
        InputError: the ticket was found on other data.
        UnsoundError: ``--trained-on prior-part`` without index lists, or a ticket that was found
            under other normalisation constants, which nobody would pay for.
    """
    total = len(data.train.labels)
    origin = ticket.provenance
    if origin.data is not None:
        if origin.data != data.digest:
            raise InputError(
                f"{request.path}: the ticket was found on other training data "
                f"({origin.data[:12]} instead of {data.digest[:12]})"
            )
        under = ticket.notes.get("normalize", request.normalize)
        if under not in ("none", request.normalize):
            message = (
                f"the ticket was found under --normalize {under}, and its weights have seen those "
                "constants; certify it under the same ones"
            )
            raise UnsoundError([Problem(condition="V6", message=message)])
        return ticket
    nothing = IndexSet.none(total)
    init = nothing if ticket.init is not None else None
    if request.trained_on == "all":
        return ticket.with_provenance(data=data.digest, init=init)
    seen = nothing
    if request.trained_on == "prior-part":
        if split is None or request.split_file is None:
            message = "--trained-on prior-part needs the index lists: give --split-file"
            raise UnsoundError([Problem(condition="V1", message=message)])
        seen = split.prior
    return ticket.with_provenance(
        data=data.digest, init=init, mask=seen, trained=seen, buffers=seen
    )


def choose_subject(
    ticket: Ticket,
    *,
    role: Role,
    foreign: bool,
    split: Split | None,
    request: CertifyRequest,
    total: int,
    train_prior: TrainPrior,
) -> Subject:
    """Return the subject that a request asks for, with the prior that its provenance allows.

    Args:
        ticket: with known provenance.
        role: ``ticket`` or ``dense``.
        foreign: whether the ticket was made by another tool.
        split: prior part and certificate part, where the user asked for them.
        request: the options.
        total: number of training examples.
        train_prior: trains a fresh ticket of the same density on a split's prior part.

    Raises:
        UnsoundError: no valid prior of the asked kind exists.
    """
    unseen = ticket.provenance.seen("trained", total=total).complement()
    kind = request.prior or _default_prior(ticket, split, unseen, request)
    declared = {}
    if foreign and request.trained_on != "all":
        note = f"--trained-on {request.trained_on}: the checkpoint's training data"
        # Scales, a free mask and buffers come from the checkpoint and rest on the same word.
        declared = dict.fromkeys(_rest_on(ticket, kind, request), note)
    if kind == "split":
        return _split_subject(
            ticket,
            role=role,
            foreign=foreign,
            split=split,
            unseen=unseen,
            request=request,
            total=total,
            train_prior=train_prior,
            declared=declared,
        )
    if foreign and kind == "init":
        declared["V1"] = "--init: the initial weights were drawn without any data"
    return _data_free_subject(
        ticket,
        role=role,
        foreign=foreign,
        kind=kind,
        request=request,
        total=total,
        declared=declared,
    )


def _rest_on(ticket: Ticket, kind: PriorChoice, request: CertifyRequest) -> list[str]:
    """Return the conditions that rest on what the user says a checkpoint has seen."""
    found = ["V1", "V5"]
    found += ["V2"] if kind == "split" else []
    dense = ticket.mask.kept == ticket.mask.prunable
    return found if dense or request.all_data else [*found, "V3", "V4"]


def _default_prior(
    ticket: Ticket, split: Split | None, unseen: IndexSet, request: CertifyRequest
) -> PriorChoice:
    if (
        request.gates == "none"
        and not request.all_data
        and (len(unseen) or (split is not None and len(split.prior)))
    ):
        return "split"
    return "zero" if ticket.init is None else "init"


def _split_subject(
    ticket: Ticket,
    *,
    role: Role,
    foreign: bool,
    split: Split | None,
    unseen: IndexSet,
    request: CertifyRequest,
    total: int,
    train_prior: TrainPrior,
    declared: dict[str, str],
) -> Subject:
    if len(unseen):
        prior = Prior.from_split(ticket, total=total, relative_scale=request.prior_scale)
        if not len(prior.seen):
            prior = replace(prior, kind="given")
        certificate = prior.seen.complement() if split is None else split.certificate
        return Subject(
            role=role,
            ticket=ticket,
            prior=prior,
            certificate=certificate,
            start=prior.mean,
            declared=declared,
            remarks=(),
            buffers_seen=_state_seen(ticket, total),
        )
    if split is None or not len(split.prior):
        message = (
            "--prior split needs a prior part: these weights have seen every example (or nobody "
            "said what they saw); give --split 0.5 to train a fresh prior, or --trained-on"
        )
        raise UnsoundError([Problem(condition="V1", message=message)])
    fresh = train_prior(ticket, split)
    prior = Prior.from_split(fresh, total=total, relative_scale=request.prior_scale)
    remark = (
        "The checkpoint counts as trained on all examples, so it cannot be the prior: prior and "
        f"mask were trained afresh on the prior part ({len(split.prior)} examples) at the same "
        "density, and the certified posterior lies around that network."
    )
    start = ticket.trained if request.start == "trained" else prior.mean
    # The density of the fresh mask is a number that the checkpoint's mask has from all examples.
    entries = ticket.mask.prunable
    took = foreign and ticket.mask.kept < entries
    paid = Choice(purpose="density of the checkpoint's mask", choices=entries + 1)
    return Subject(
        role=role,
        ticket=ticket,
        prior=prior,
        certificate=split.certificate,
        start=fresh.mask.apply(start),
        declared=declared,
        remarks=(remark,),
        buffers_seen=_state_seen(fresh, total),
        choices=(paid,) if took else (),
    )


def _data_free_subject(
    ticket: Ticket,
    *,
    role: Role,
    foreign: bool,
    kind: PriorChoice,
    request: CertifyRequest,
    total: int,
    declared: dict[str, str],
) -> Subject:
    nothing = IndexSet.none(total)
    dense = ticket.mask.kept == ticket.mask.prunable
    centre = ticket.provenance.seen("init", total=total) if kind == "init" else nothing
    mask_seen = nothing if dense else ticket.provenance.seen("mask", total=total)
    state_seen = _state_seen(ticket, total)
    _require_free_state(state_seen, request, total=total)
    centre = centre.union(state_seen)
    free_part = centre.union(mask_seen).complement()
    gated = request.gates == "learned" and role == "ticket"
    charge = not gated and not dense and (request.all_data or not len(free_part))
    make = Prior.at_init if kind == "init" else Prior.at_zero
    prior = make(ticket, total=total, charge_mask=charge, gates=INCLUSIONS if gated else None)
    start = request.start or ("trained" if foreign else "prior")
    means = prior.mean
    if start == "trained":
        means = {
            k: torch.where(ticket.mask.of(k, w), ticket.trained[k], w) for k, w in means.items()
        }
    remarks = []
    if charge and not request.all_data:
        remarks.append(
            "The mask has seen every example (or nobody said what it saw), so its positions are "
            "coded and charged."
        )
    return Subject(
        role=role,
        ticket=ticket,
        prior=prior,
        certificate=centre.complement() if charge or gated else free_part,
        start=means,
        declared=declared,
        remarks=tuple(remarks),
        buffers_seen=state_seen,
    )


def _state_seen(ticket: Ticket, total: int) -> IndexSet:
    if not ticket.buffers:
        return IndexSet.none(total)
    return ticket.provenance.seen("buffers", total=total)


def _require_free_state(seen: IndexSet, request: CertifyRequest, *, total: int) -> None:
    """Refuse buffers that leave no example, or not those that were asked for."""
    if not len(seen) or (len(seen) < total and not request.all_data):
        return
    message = (
        f"running statistics (buffers) have seen {len(seen)} of the {total} examples: give "
        "--batchnorm fold or --batchnorm charge, or --prior split, whose statistics are of the "
        "prior part"
    )
    raise UnsoundError([Problem(condition="V5", message=message)])
