"""The mask of each level, whatever the method."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from pacbayes.data import Data
from pacbayes.pruning.at_init import synflow
from pacbayes.pruning.continuous import continuous
from pacbayes.pruning.plan import FindPlan
from pacbayes.pruning.prune import prune, prune_to, require_names
from pacbayes.pruning.saliency import saliency
from pacbayes.pruning.scores import ScoreName, scores_of
from pacbayes.pruning.supermask import supermask
from pacbayes.pruning.train import State
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """Finds the mask of a level from what stands before it.

    Attributes:
        model: the network.
        init: its initial state.
        data: its training examples are used.
        part: indices that may be looked at.
        plan: method, score, densities.
        seeds: of the whole run.
    """

    model: nn.Module
    init: State
    data: Data
    part: IndexSet
    plan: FindPlan
    seeds: Seeds

    def __post_init__(self) -> None:
        require_names(Mask.full(self.init.weights), self.plan.protected)

    def next(self, level: int, *, dense: Ticket, previous: Ticket) -> tuple[Mask, State | None]:
        """Return the mask of a level, and the finished network where finding it leaves one.

        Args:
            level: from 1.
            dense: the ticket of level 0.
            previous: the ticket of the level before.
        """
        method, density = self.plan.method, self.plan.density(level)
        if method == "iterative":
            return self._after_training(previous, level), None
        if method == "one-shot":
            return self._after_training(dense, level, density=density), None
        if method == "synflow":
            return self._by_flow(previous.mask, density), None
        if method == "supermask":
            return self._popped_up(level, density)
        if method == "continuous":
            return self._annealed(level, density), None
        full = Mask.full(self.init.weights)
        where, protected = self.plan.where, self.plan.protected
        scores = self._scores_at_init(full)
        return prune_to(full, scores, density=density, scope=where, protected=protected), None

    def _by_flow(self, mask: Mask, density: float) -> Mask:
        return synflow(
            self.model,
            self.init,
            mask,
            in_shape=self.data.shape,
            density=density,
            scope=self.plan.where,
            protected=self.plan.protected,
        )

    def _popped_up(self, level: int, density: float) -> tuple[Mask, State]:
        return supermask(
            self.model,
            self.init,
            Mask.full(self.init.weights),
            self.data.train,
            self.part,
            density=density,
            plan=self.plan.train,
            seeds=self._mask_seeds(level),
            scope=self.plan.where,
            protected=self.plan.protected,
        )

    def _annealed(self, level: int, density: float) -> Mask:
        return continuous(
            self.model,
            self.init,
            Mask.full(self.init.weights),
            self.data.train,
            self.part,
            density=density,
            plan=self.plan.train,
            seeds=self._mask_seeds(level),
            scope=self.plan.where,
            protected=self.plan.protected,
        )

    def _mask_seeds(self, level: int) -> Seeds:
        return self.seeds.child(f"level {level}").child("mask")

    def _after_training(self, ticket: Ticket, level: int, density: float | None = None) -> Mask:
        plan = self.plan
        # One-shot masks of several levels come from one draw, so that they are nested.
        keys = (level,) if plan.method == "iterative" else ()
        generator = self.seeds.torch("score", *keys)
        scores = scores_of(plan.score, ticket.trained, ticket.mask, generator=generator)
        where, protected = plan.where, plan.protected
        if density is None and not plan.densities:
            return prune(
                ticket.mask, scores, fraction=plan.fraction, scope=where, protected=protected
            )
        target = plan.density(level) if density is None else density
        return prune_to(ticket.mask, scores, density=target, scope=where, protected=protected)

    def _scores_at_init(self, full: Mask) -> dict[str, Tensor]:
        """Scores that don't depend on the level, so that masks are nested."""
        by_size: dict[str, ScoreName] = {"random": "random", "magnitude-init": "magnitude"}
        name = by_size.get(self.plan.method)
        if name is not None:
            generator = self.seeds.torch("score")
            return scores_of(name, self.init.weights, full, generator=generator)
        kind: Literal["snip", "grasp"] = "snip" if self.plan.method == "snip" else "grasp"
        return saliency(
            kind,
            self.model,
            self.init,
            self.data.train,
            self.part,
            seeds=self.seeds.child("saliency"),
        )
