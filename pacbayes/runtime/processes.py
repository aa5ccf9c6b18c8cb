"""Several processes that do one job together, as torchrun starts them.

All run the same program on the same inputs and share the output folder. Collective calls keep them
in step; :mod:`pacbayes.runtime.files` lets the first process alone write.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from pacbayes.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

PATIENCE = timedelta(days=7)
"""How long a process waits for the others, who may be training a prior."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts of a job: the units whose number leaves ``index``.

    Attributes:
        index: in [0, count).
        count: number of parts.

    Raises:
        UsageError: the index is outside its range.

    Example:
        >>> list(Shard(1, 3).of(range(8)))
        [1, 4, 7]
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise UsageError(f"shard {self.index} of {self.count}: there is no such part")

    def of(self, units: range) -> range:
        """Return the units of this part."""
        return units[self.index :: self.count]


def shard() -> Shard:
    """Return this process's place among those that work together; alone it has the whole job."""
    return Shard(int(os.environ.get("RANK", "0")), size()) if size() > 1 else Shard()


def size() -> int:
    """Return how many processes work together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Return whether this process writes the files and speaks for all."""
    return shard().index == 0


@contextmanager
def together() -> Iterator[None]:
    """Join the processes that torchrun started, if it did, for the length of a block."""
    if size() == 1:
        yield
        return
    import torch.distributed as dist

    dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def add_up(tensor: "Tensor") -> None:
    """Replace a tensor by its sum over all processes."""
    if size() > 1:
        import torch.distributed as dist

        dist.all_reduce(tensor)


def agree(value: T) -> T:
    """Return the first process's value in every process."""
    if size() == 1:
        return value
    import torch.distributed as dist

    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def first_then_all(work: Callable[[], T]) -> T:
    """Do a piece of work that leaves files: first alone, then in the others, who find it done."""
    if size() == 1:
        return work()
    found = work() if is_first() else None
    agree(None)
    return work() if found is None else found
