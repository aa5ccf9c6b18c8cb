"""What becomes of running statistics, which are weights that no posterior covers.

They decide predictions and come from data, so they must be of the prior, or paid for, or gone:

* ``prior-split``: they stay as they are, equal in prior and posterior, and what they saw counts as
  seen by the prior. So they are free exactly where they are disjoint from the certificate part.
* ``fold``: every layer ``x -> a x + b`` goes into the convolution or linear layer before it, and
  the folded network is the one that is certified. Nothing but parameters is left, all of them in
  the divergence. The posterior may have any means, so trained weights are folded with the trained
  statistics whatever those saw; folded weights that enter a prior have seen what weights and
  statistics have seen. Initial weights are folded with the statistics of a new network, zero and
  one, which have seen nothing.
* ``charge``: each channel's mean and variance become one of the pairs of a fixed code
  (:func:`~pacbayes.models.statistics.coded`). The prior is the mixture of the priors at all codes,
  each with weight 1 / pairs, so the bound pays ``ln pairs`` nats per channel, listed in the union.
  Gains and shifts of the trained weights make up for the rounding; they are in the divergence.
"""

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor, nn

from pacbayes.certificate import Choice
from pacbayes.models import buffers, folding, statistics
from pacbayes.models.statistics import (
    DEVIATIONS,
    PLACES,
    coded,
    tracking_layers,
    with_other_statistics,
)
from pacbayes.pipeline.request import BatchNorm
from pacbayes.pipeline.subject import Subject
from pacbayes.tickets import IndexSet, Ticket

PER_ENTRY: Final = 9
"""Channels per union entry: counts in a certificate stay below 10^36."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A ticket whose running statistics are accounted for.

    Attributes:
        ticket: as it is certified.
        model: its network.
        choices: what is paid for the statistics.
        note: what was done, for condition V5; empty where there was nothing to do.
        remarks: sentences that the user should read beside the number.
    """

    ticket: Ticket
    model: nn.Module
    choices: tuple[Choice, ...] = ()
    note: str = ""
    remarks: tuple[str, ...] = ()


def settled(
    ticket: Ticket, model: nn.Module, mode: BatchNorm, *, in_shape: tuple[int, ...], total: int
) -> Settled:
    """Return the ticket and network that are certified in place of the given ones.

    Args:
        ticket: with known provenance.
        model: the network as built from its name, with fresh statistics.
        mode: see the module.
        in_shape: shape of one input.
        total: number of training examples.

    Raises:
        UsageError: a layer can't be folded.
    """
    ticket = _without_fresh_buffers(ticket, model, total=total)
    if not tracking_layers(model) or mode == "prior-split":
        return Settled(ticket=ticket, model=model)
    return (_folded if mode == "fold" else _charged)(ticket, model, in_shape=in_shape, total=total)


def _without_fresh_buffers(ticket: Ticket, model: nn.Module, *, total: int) -> Ticket:
    """Return the ticket, whose buffers have seen nothing if they are those of a new network."""
    fresh = buffers(model)
    same = all(
        name in fresh and torch.equal(fresh[name], tensor)
        for name, tensor in ticket.buffers.items()
    )
    return ticket.with_provenance(buffers=IndexSet.none(total)) if same else ticket


def _folded(ticket: Ticket, model: nn.Module, *, in_shape: tuple[int, ...], total: int) -> Settled:
    fold = folding(model, in_shape)
    init = ticket.init
    trained = ticket.mask.apply(fold.weights(ticket.trained, ticket.buffers))
    left = fold.other_buffers(ticket.buffers)
    origin = ticket.provenance
    changed = replace(
        ticket,
        init=None if init is None else fold.weights(init, buffers(model)),
        trained=trained,
        buffers=left,
        provenance=replace(
            origin,
            trained=origin.seen("trained", total=total).union(origin.seen("buffers", total=total)),
            buffers=origin.buffers if left else IndexSet.none(total),
        ),
    )
    note = f"{len(fold.into)} layers with running statistics were folded into those before them"
    remark = (
        "BatchNorm was folded into the layers before it; the certified network is the folded one."
    )
    return Settled(ticket=changed, model=fold.model, note=note, remarks=(remark,))


def _charged(ticket: Ticket, model: nn.Module, *, in_shape: tuple[int, ...], total: int) -> Settled:
    codes, choices = dict(ticket.buffers), []
    for name in tracking_layers(model):
        prefix = f"{name}." if name else ""
        mean, variance = f"{prefix}running_mean", f"{prefix}running_var"
        codes[mean], codes[variance] = coded(ticket.buffers[mean], ticket.buffers[variance])
        codes[f"{prefix}num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
        choices += _choices(name, len(codes[mean]))
    trained = with_other_statistics(model, ticket.trained, ticket.buffers, others=codes)
    others = set(codes) - statistics(model)
    origin = ticket.provenance
    changed = replace(
        ticket,
        trained=trained,
        buffers=codes,
        provenance=replace(
            origin,
            trained=origin.seen("trained", total=total).union(origin.seen("buffers", total=total)),
            buffers=origin.buffers if others else IndexSet.none(total),
        ),
    )
    nats = _nats(choices)
    note = f"running statistics were coded in {DEVIATIONS * PLACES} pairs a channel and charged"
    remark = f"The code of the running statistics costs {nats:.1f} nats."
    return Settled(
        ticket=changed, model=model, choices=tuple(choices), note=note, remarks=(remark,)
    )


def _choices(layer: str, channels: int) -> list[Choice]:
    """Return the union entries of one layer, at most ``PER_ENTRY`` channels each."""
    found = []
    for first in range(0, channels, PER_ENTRY):
        last = min(first + PER_ENTRY, channels) - 1
        count = last - first + 1
        purpose = f"running statistics of {layer or 'the network'}, channels {first} to {last}"
        found.append(Choice(purpose=purpose, choices=(DEVIATIONS * PLACES) ** count))
    return found


def _nats(choices: list[Choice]) -> float:
    return float(sum(torch.tensor(float(c.choices), dtype=torch.float64).log() for c in choices))


def accounted(subject: Subject, found: Settled, *, checkpoint_sha256: str) -> Subject:
    """Return the subject with what its statistics cost and what is to be said of them.

    A prior that was trained afresh has statistics of its own, from the prior part, and owes
    nothing for those of the checkpoint.

    Args:
        subject: chosen for the settled ticket.
        found: the settled ticket.
        checkpoint_sha256: digest of the ticket as it was handed over.
    """
    subject = replace(subject, checkpoint_sha256=checkpoint_sha256)
    if not _same(subject.prior.buffers, found.ticket.buffers):
        return subject
    return replace(
        subject,
        choices=(*subject.choices, *found.choices),
        statistics=found.note,
        remarks=(*subject.remarks, *found.remarks),
    )


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return set(one) == set(other) and all(torch.equal(t, other[name]) for name, t in one.items())
