"""Iterative pruning with rewinding: a chain of tickets, one per level."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from pacbayes.data import Data, Split
from pacbayes.errors import UsageError
from pacbayes.pruning.prune import prune
from pacbayes.pruning.scores import SCORES, ScoreName
from pacbayes.pruning.train import TrainPlan, train
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPlan:
    """How to find tickets.

    Attributes:
        train: how each level is trained.
        levels: pruning rounds after the dense network.
        fraction: fraction of the kept entries that each round removes.
        score: importance of a weight.
        rewind: what survivors return to; ``init`` in this version.
        method: how masks are found; ``iterative`` in this version.
    """

    train: TrainPlan
    levels: int
    fraction: float = 0.2
    score: ScoreName = "magnitude"
    rewind: Literal["init"] = "init"
    method: Literal["iterative"] = "iterative"

    def __post_init__(self) -> None:
        if self.levels < 0:
            raise UsageError(f"levels must be at least 0, got {self.levels}")
        if not 0 < self.fraction < 1:
            raise UsageError(f"fraction must lie between 0 and 1, got {self.fraction}")
        if self.score not in SCORES:
            raise UsageError(f"score must be one of {sorted(SCORES)}, got {self.score!r}")


def find_tickets(
    model: nn.Module,
    data: Data,
    split: Split,
    *,
    plan: FindPlan,
    seeds: Seeds,
    notes: dict[str, Any] | None = None,
    done: Sequence[Ticket] = (),
) -> Iterator[Ticket]:
    """Yield the ticket of each level that is not done yet, the dense network first.

    Every level trains from the initial weights on the prior part (on all training examples where
    there is none), then the next level removes ``fraction`` of the kept weights with the lowest
    scores (Frankle and Carbin 2019). Everything that a ticket has seen is recorded.

    Args:
        model: the freshly initialised network; it is not modified.
        data: its training examples are used.
        split: the prior part is what training may see.
        plan: rounds, fraction, score, training.
        seeds: order of batches.
        notes: kept with every ticket, for people.
        done: tickets of the levels that are already found, in order.
    """
    init = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    total = len(data.train.labels)
    part = split.prior if len(split.prior) else IndexSet.all(total)
    dense = done[0].digest if done else None
    previous = done[-1] if done else None
    for level in range(len(done), plan.levels + 1):
        mask = Mask.full(init) if previous is None else _next_mask(previous, plan)
        trained = train(
            model,
            init,
            mask,
            data.train,
            part,
            plan=plan.train,
            seeds=seeds.child(f"level {level}"),
        )
        nothing = IndexSet.none(total)
        previous = Ticket(
            init=init,
            mask=mask,
            trained=trained,
            provenance=Provenance(
                data=data.digest,
                init=nothing,
                mask=part if level else nothing,
                trained=part,
                buffers=nothing,
            ),
            level=level,
            dense=dense,
            notes=dict(notes or {}),
        )
        if level == 0:
            dense = previous.digest
        yield previous


def _next_mask(ticket: Ticket, plan: FindPlan) -> Mask:
    scores = SCORES[plan.score](ticket.trained, ticket.mask)
    return prune(ticket.mask, scores, fraction=plan.fraction)
