"""Controls: what is left of a ticket when its weights or its connections are drawn anew."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from pacbayes.data import Data
from pacbayes.errors import UsageError
from pacbayes.pruning.plan import FindPlan
from pacbayes.pruning.train import State, train
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Tensors, Ticket

ControlName = Literal["reinit", "shuffle"]
CONTROLS: tuple[ControlName, ...] = ("reinit", "shuffle")


def shuffled(mask: Mask, *, seeds: Seeds) -> Mask:
    """Return a mask with the same number of kept entries in each tensor, at random places."""
    places = enumerate(mask)
    return Mask({name: _permuted(mask[name], seeds.torch("shuffle", i)) for i, name in places})


def redrawn(init: Tensors, fresh: Tensors, *, keep: Mask | None = None) -> dict[str, Tensor]:
    """Return fresh initial weights, except on a set of connections that keep theirs.

    Args:
        init: the ticket's initial weights.
        fresh: other initial weights of the same network.
        keep: the connections that keep their weights; none without it. Parameters that it does
            not name are fresh.

    Raises:
        InputError: the set does not fit the weights.
    """
    if keep is None:
        return {name: tensor.detach().clone() for name, tensor in fresh.items()}
    keep.require_fits(init)
    return {
        name: torch.where(keep[name], init[name], tensor) if name in keep else tensor.clone()
        for name, tensor in fresh.items()
    }


def control(
    kind: ControlName,
    ticket: Ticket,
    model: nn.Module,
    data: Data,
    *,
    fresh: nn.Module,
    plan: FindPlan,
    seeds: Seeds,
) -> Ticket:
    """Return a ticket's control, trained as the ticket was on the same examples.

    ``reinit`` keeps the mask and draws the initial weights anew (Frankle and Carbin 2019);
    ``shuffle`` keeps the initial weights and shuffles the mask within tensors. The shuffled mask
    depends on the ticket's through the numbers of kept entries, so it counts as having seen what
    the ticket's mask saw. The notes name the digest of the ticket.

    Args:
        kind: which control.
        ticket: must have initial weights and known provenance.
        model: the network; it is not modified.
        data: what the ticket was found on.
        fresh: the same network with other initial weights.
        plan: of the ticket.
        seeds: shuffling, order of the batches.

    Raises:
        UsageError: the ticket has no initial weights, or nobody knows what it has seen.
    """
    origin = ticket.provenance
    if ticket.init is None or origin.trained is None:
        raise UsageError("a control needs a ticket with initial weights and known provenance")
    mask, start, init_seen, first = ticket.mask, State.of(fresh), origin.init, 0
    if kind == "reinit":
        init_seen = IndexSet.none(origin.trained.total)
    else:
        mask = shuffled(mask, seeds=seeds)
        # Running statistics begin as in a new network: a ticket does not keep those of its start.
        start = State(weights=ticket.init, buffers=State.of(model).buffers)
        first = plan.rewind if isinstance(plan.rewind, int) else 0
    state = train(
        model,
        start,
        mask,
        data.train,
        origin.trained,
        plan=plan.train,
        seeds=seeds,
        first=first,
    )
    return replace(
        ticket,
        init=dict(start.weights),
        mask=mask,
        trained=state.weights,
        buffers=state.buffers,
        provenance=replace(origin, init=init_seen),
        notes={**ticket.notes, "control": kind, "of": ticket.digest},
    )


def _permuted(kept: Tensor, generator: torch.Generator) -> Tensor:
    order = torch.randperm(kept.numel(), generator=generator)
    return kept.reshape(-1)[order].reshape(kept.shape)
