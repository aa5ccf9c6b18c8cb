"""The order in which training sees its examples: a function of seeds and epoch alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pacbayes.errors import UsageError
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """All batches of one training run.

    Attributes:
        part: indices of the examples to train on.
        size: examples per batch; the last one of an epoch may be smaller.
        epochs: passes over the part.
        seeds: order of each epoch, and randomness inside the network.
    """

    part: IndexSet
    size: int
    epochs: int
    seeds: Seeds

    @property
    def per_epoch(self) -> int:
        """Steps of one epoch."""
        return math.ceil(len(self.part) / self.size)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.per_epoch

    def between(self, first: int, last: int) -> Iterator[tuple[int, Tensor]]:
        """Yield step and row numbers of the steps in [first, last).

        Sets torch's global seed at the start of every epoch, for dropout and the like, so the
        caller must hold the global random state in ``torch.random.fork_rng``.

        Raises:
            UsageError: the steps are outside the run.
        """
        if not 0 <= first <= last <= self.steps:
            raise UsageError(f"steps {first} to {last} are outside a training of {self.steps}")
        rows = torch.from_numpy(self.part.indices.copy())
        for epoch in range(self.epochs):
            start = epoch * self.per_epoch
            if start >= last or start + self.per_epoch <= first:
                continue
            generator = self.seeds.torch("train", epoch)
            torch.manual_seed(self.seeds.integer("inside", epoch))
            order = rows[torch.randperm(len(rows), generator=generator)]
            for step, batch in enumerate(order.split(self.size), start=start):
                if first <= step < last:
                    yield step, batch
