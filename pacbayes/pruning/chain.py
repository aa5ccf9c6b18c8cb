"""A chain of tickets, one per level, the dense network first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from pacbayes.data import Data, Split
from pacbayes.pruning.collapse import collapsed, kept_counts
from pacbayes.pruning.masks import Masks
from pacbayes.pruning.plan import FindPlan
from pacbayes.pruning.train import State, train
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket


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

    Training sees the prior part, or all training examples where there is none; so do masks, except
    for the methods that look at no data. Every ingredient's index set is recorded: a mask made
    without data has seen nothing even where the weights have seen everything, and the weights of a
    late rewind point have seen what training saw.

    The notes of each ticket tell what is kept of each tensor, and which tensors have collapsed.

    Args:
        model: the freshly initialised network; it is not modified.
        data: its training examples are used.
        split: the prior part is what training may see.
        plan: method, score, levels, rewinding, training.
        seeds: order of batches and whatever the method draws.
        notes: kept with every ticket, for people.
        done: tickets of the levels that are already found, in order.

    Raises:
        UsageError: a protected name is no prunable tensor, or the rewind step is outside training.
    """
    if len(done) > plan.levels:
        return
    search = _Search.begin(model, data, split, plan=plan, seeds=seeds)
    dense = done[0] if done else None
    previous = done[-1] if done else None
    for level in range(len(done), plan.levels + 1):
        if dense is None or previous is None:
            previous = search.dense()
        else:
            previous = search.next(level, dense=dense, previous=previous)
        counts = {name: list(pair) for name, pair in kept_counts(previous.mask).items()}
        told = {**(notes or {}), "kept": counts, "collapsed": collapsed(previous.mask)}
        previous = replace(previous, level=level, notes=told)
        dense = dense or previous
        yield previous


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What all levels of one chain have in common."""

    model: nn.Module
    data: Data
    part: IndexSet
    plan: FindPlan
    seeds: Seeds
    init: State
    rewound: State
    masks: Masks

    @classmethod
    def begin(
        cls, model: nn.Module, data: Data, split: Split, *, plan: FindPlan, seeds: Seeds
    ) -> "_Search":
        total = len(data.train.labels)
        part = split.prior if len(split.prior) else IndexSet.all(total)
        init = State.of(model)
        masks = Masks(model=model, init=init, data=data, part=part, plan=plan, seeds=seeds)
        search = cls(
            model=model,
            data=data,
            part=part,
            plan=plan,
            seeds=seeds,
            init=init,
            rewound=init,
            masks=masks,
        )
        return replace(search, rewound=search.at_rewind_step())

    def at_rewind_step(self) -> State:
        """Return the dense network after the first steps of level 0; at init if there are none."""
        rewind = self.plan.rewind
        if not isinstance(rewind, int) or self.plan.levels == 0:
            return self.init
        full = Mask.full(self.init.weights)
        return self._train(self.init, full, level=0, last=rewind)

    def dense(self) -> Ticket:
        """Return the ticket of level 0, trained from the initial weights."""
        full = Mask.full(self.init.weights)
        state = self._train(self.init, full, level=0)
        return self._ticket(self.init, full, state, seen=self._nothing, init_seen=self._nothing)

    def next(self, level: int, *, dense: Ticket, previous: Ticket) -> Ticket:
        """Return the ticket of a level after 0."""
        mask, state = self.masks.next(level, dense=dense, previous=previous)
        seen = self._nothing if self.plan.mask_without_data else self.part
        late = isinstance(self.plan.rewind, int)
        if state is None:
            state = self._retrain(mask, level=level, previous=previous, dense=dense)
        ticket = self._ticket(
            self.rewound, mask, state, seen=seen, init_seen=self.part if late else self._nothing
        )
        return replace(ticket, dense=dense.digest)

    def _retrain(self, mask: Mask, *, level: int, previous: Ticket, dense: Ticket) -> State:
        rewind = self.plan.rewind
        if isinstance(rewind, int):
            return self._train(self.rewound, mask, level=level, first=rewind)
        if rewind == "init":
            return self._train(self.init, mask, level=level)
        source = dense if self.plan.method == "one-shot" else previous
        kept = State(weights=source.trained, buffers=source.buffers)
        return self._train(kept, mask, level=level, fine_tune=rewind == "none")

    def _train(
        self,
        start: State,
        mask: Mask,
        *,
        level: int,
        first: int = 0,
        last: int | None = None,
        fine_tune: bool = False,
    ) -> State:
        plan = self.plan.train
        if fine_tune:
            plan = replace(plan, lr=plan.rates.final, schedule="constant", warmup=0, milestones=())
        return train(
            self.model,
            start,
            mask,
            self.data.train,
            self.part,
            plan=plan,
            seeds=self.seeds.child(f"level {level}"),
            first=first,
            last=last,
        )

    @property
    def _nothing(self) -> IndexSet:
        return IndexSet.none(self.part.total)

    def _ticket(
        self, start: State, mask: Mask, state: State, *, seen: IndexSet, init_seen: IndexSet
    ) -> Ticket:
        origin = Provenance(
            data=self.data.digest,
            init=init_seen,
            mask=seen,
            trained=self.part,
            buffers=self.part if state.buffers else self._nothing,
        )
        return Ticket(
            init=start.weights,
            mask=mask,
            trained=state.weights,
            buffers=state.buffers,
            provenance=origin,
        )
