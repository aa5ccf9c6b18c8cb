"""Rewind points: do their descendants stay connected under SGD noise and under a push?"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from pacbayes.data import Examples
from pacbayes.data.items import ordered_digest
from pacbayes.errors import UsageError
from pacbayes.landscape.barriers import Barrier, BufferRule, Reference, barrier
from pacbayes.landscape.sampled import Sampled
from pacbayes.landscape.subspace import Subspace
from pacbayes.landscape.surface import LossName, state_of
from pacbayes.pruning import State, TrainPlan, train
from pacbayes.runtime.files import require_writable, write_tensors
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Tensors, Ticket, digest

Disturbance = Literal["sgd", "push"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """Barriers between pairs of networks trained from one rewind point. An estimate.

    Attributes:
        disturbance: what told the two apart: ``sgd`` (order of the batches) or ``push`` (a random
            step away from the rewind point).
        length: of that step; 0 for ``sgd``.
        height: of the barriers, with the interval of the pairs.
        barriers: one per pair.
    """

    disturbance: Disturbance
    length: float
    height: Sampled
    barriers: tuple[Barrier, ...]

    @classmethod
    def of(
        cls, disturbance: Disturbance, length: float, barriers: Sequence[Barrier]
    ) -> "Robustness":
        """Return the summary of the barriers of several pairs, at least two."""
        return cls(
            disturbance=disturbance,
            length=length,
            height=Sampled.of([found.height for found in barriers]),
            barriers=tuple(barriers),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Retraining:
    """How a ticket is trained again from its rewind point.

    Attributes:
        examples: all training examples.
        part: indices of those that training sees.
        plan: epochs, learning rate, optimiser.
        first: step of the plan to begin with, for a late rewind point.
    """

    examples: Examples
    part: IndexSet
    plan: TrainPlan
    first: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the examples seen, in their order, and of the plan."""
        seen = self.examples.items[self.part.indices]
        facts = [ordered_digest(seen), repr(self.plan), self.first]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def gap(ticket: Ticket, following: Ticket) -> float:
    """Return the distance between two successive pruned rewind points.

    That is the norm of the initial weights that the second mask removes from the first: the length
    of the push of Paul et al. (2023).

    Raises:
        UsageError: a ticket has no initial weights.
    """
    if ticket.init is None or following.init is None:
        raise UsageError("rewind points need initial weights")
    first, second = ticket.mask.apply(ticket.init), following.mask.apply(following.init)
    parts = [(first[name] - second[name]).double().norm() for name in first]
    return float(torch.stack(parts).norm())


def descendants(
    model: nn.Module,
    ticket: Ticket,
    *,
    retraining: Retraining,
    disturbance: Disturbance,
    length: float = 0.0,
    number: int = 0,
    seed: int = 1,
    journal: Path | None = None,
) -> tuple[State, State]:
    """Return two networks trained from a ticket's rewind point.

    With ``sgd`` both start there and see the batches in different orders; with ``push`` the second
    starts a random step of the given length away, along the kept entries, and sees the same orders.

    Args:
        model: the network; running statistics start as they are in it.
        ticket: its initial weights and mask are the rewind point.
        retraining: how both are trained.
        disturbance: ``sgd`` or ``push``.
        length: of the push, not negative.
        number: of the pair; each has its own orders and push.
        seed: of everything.
        journal: folder that keeps finished pairs; the same request finds its own there.

    Raises:
        UsageError: the ticket has no initial weights, or an argument is outside its range.
    """
    if ticket.init is None:
        raise UsageError("a rewind point needs initial weights, and this ticket has none")
    if disturbance not in get_args(Disturbance) or not 0 <= length < float("inf"):
        raise UsageError("disturbance must be sgd or push, its length finite and not negative")
    seeds = Seeds(seed).child(f"pair {number}")
    start = state_of(ticket.mask.apply(ticket.init), model)
    other, orders = start, (seeds.child("one"), seeds.child("two"))
    if disturbance == "push":
        other, orders = _pushed(start, ticket, length, seeds), (seeds, seeds)

    def trained(place: int) -> State:
        return train(
            model,
            (start, other)[place],
            ticket.mask,
            retraining.examples,
            retraining.part,
            plan=retraining.plan,
            seeds=orders[place],
            first=retraining.first,
        )

    if journal is None:
        return trained(0), trained(1)
    facts = [ticket.digest, retraining.digest, disturbance, repr(length), number, seed]
    facts.append(digest({**start.weights, **start.buffers}))
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return (
        _remembered(journal / f"{key[:24]}-0.safetensors", key, lambda: trained(0)),
        _remembered(journal / f"{key[:24]}-1.safetensors", key, lambda: trained(1)),
    )


def _remembered(path: Path, key: str, make: Callable[[], State]) -> State:
    """Return what an earlier call left in the file, or make and leave it."""
    if path.is_file():
        try:
            with safe_open(path, framework="pt") as stored:
                known = (stored.metadata() or {}).get("request") == key
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}
        except SafetensorError:
            known, tensors = False, {}
        if known:
            return State(weights=_under("weights/", tensors), buffers=_under("buffers/", tensors))
    state = make()
    named = {f"weights/{name}": tensor for name, tensor in state.weights.items()}
    named |= {f"buffers/{name}": tensor for name, tensor in state.buffers.items()}
    require_writable(path.parent)
    write_tensors(path, named, {"schema": "pacbayes/descendant/1", "request": key})
    return state


def _under(prefix: str, tensors: Tensors) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def pair(
    model: nn.Module,
    ticket: Ticket,
    sample: Examples,
    *,
    retraining: Retraining,
    disturbance: Disturbance,
    length: float = 0.0,
    number: int = 0,
    seed: int = 1,
    points: int = 11,
    loss: LossName = "error",
    buffers: BufferRule = "interpolate",
    statistics: Examples | None = None,
    reference: Reference = "mean",
    journal: Path | None = None,
) -> Barrier:
    """Return the barrier between the :func:`descendants` of one pair.

    Args:
        model: see :func:`descendants`.
        ticket: see there.
        sample: examples that the loss is averaged over.
        retraining: see :func:`descendants`.
        disturbance: see there.
        length: see there.
        number: see there.
        seed: see there.
        points: see :func:`~pacbayes.landscape.barriers.barrier`, also for the rest.
        loss: see there.
        buffers: see there.
        statistics: see there.
        reference: see there.
        journal: see :func:`descendants`.

    Raises:
        UsageError: the ticket has no initial weights, or an argument is outside its range.
    """
    first, second = descendants(
        model,
        ticket,
        retraining=retraining,
        disturbance=disturbance,
        length=length,
        number=number,
        seed=seed,
        journal=journal,
    )
    return barrier(
        model,
        first,
        second,
        sample,
        points=points,
        loss=loss,
        buffers=buffers,
        statistics=statistics,
        reference=reference,
    )


def robustness(
    model: nn.Module,
    ticket: Ticket,
    sample: Examples,
    *,
    retraining: Retraining,
    disturbance: Disturbance,
    length: float = 0.0,
    pairs: int = 3,
    seed: int = 1,
    points: int = 11,
    loss: LossName = "error",
    buffers: BufferRule = "interpolate",
    statistics: Examples | None = None,
    reference: Reference = "mean",
    journal: Path | None = None,
) -> Robustness:
    """Return the barriers between the descendants of several pairs.

    A rewind point whose pairs have no barrier under ``sgd`` is stable to SGD noise (Frankle et al.
    2020); one whose pairs have none under a push of length :func:`gap` has the stronger property of
    Paul et al. (2023), section 3.2.

    Args:
        model: see :func:`descendants`.
        ticket: see there.
        sample: examples that the loss is averaged over.
        retraining: see :func:`descendants`.
        disturbance: see there.
        length: see there.
        pairs: at least 2; each costs two trainings.
        seed: see there.
        points: see :func:`~pacbayes.landscape.barriers.barrier`, also for the rest.
        loss: see there.
        buffers: see there.
        statistics: see there.
        reference: see there.
        journal: see :func:`descendants`.

    Raises:
        UsageError: there are fewer than 2 pairs, or another argument is outside its range.
    """
    if pairs < 2:
        raise UsageError(f"pairs must be at least 2, got {pairs}")
    found = [
        pair(
            model,
            ticket,
            sample,
            retraining=retraining,
            disturbance=disturbance,
            length=length,
            number=number,
            seed=seed,
            points=points,
            loss=loss,
            buffers=buffers,
            statistics=statistics,
            reference=reference,
            journal=journal,
        )
        for number in range(pairs)
    ]
    return Robustness.of(disturbance, length, found)


def _pushed(start: State, ticket: Ticket, length: float, seeds: Seeds) -> State:
    space = Subspace.of(ticket.mask, start.weights)
    step: np.ndarray = length * space.direction(seeds.numpy("push"))
    return State(weights=space.moved(start.weights, step), buffers=start.buffers)
