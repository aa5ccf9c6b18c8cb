"""A ticket: initial weights, mask, trained weights, and what each of them has seen."""

from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from pacbayes.errors import InputError, UsageError
from pacbayes.tickets.indices import IndexSet
from pacbayes.tickets.mask import Mask
from pacbayes.tickets.tensors import Tensors, digest, require_finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Index sets that the ingredients of a ticket have seen; ``None`` means nobody said.

    An ingredient of unknown provenance counts as having seen everything.

    Attributes:
        data: digest of the training examples that the indices refer to, if known.
        init: seen by the initial weights (empty for a data-free draw).
        mask: seen by the mask.
        trained: seen by the trained weights.
        buffers: seen by running statistics and other buffers.
    """

    data: str | None = None
    init: IndexSet | None = None
    mask: IndexSet | None = None
    trained: IndexSet | None = None
    buffers: IndexSet | None = None

    def __post_init__(self) -> None:
        known = (self.init, self.mask, self.trained, self.buffers)
        totals = {seen.total for seen in known if seen is not None}
        if len(totals) > 1:
            raise UsageError(f"index sets of one ticket refer to {sorted(totals)} examples")

    def seen(self, ingredient: str, *, total: int) -> IndexSet:
        """Return what an ingredient has seen; everything where nobody said."""
        known: IndexSet | None = getattr(self, ingredient)
        return IndexSet.all(total) if known is None else known


# Compared by identity: equality of dicts of tensors is not a truth value; compare digests.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ticket:
    """Weights before and after training and the mask between them.

    Attributes:
        init: initial weights by parameter name, unmasked; ``None`` where the source has none.
        mask: kept entries; full for a dense network.
        trained: trained weights, zero where the mask removes.
        buffers: non-parameter state by name (running statistics).
        provenance: what each ingredient has seen.
        model: the ``--model`` text that builds the network, if known.
        level: pruning rounds done.
        dense: digest of the level-0 ticket of the same run, if any.
        notes: how the ticket was made, for people (method, epochs, seed, source format).
    """

    init: dict[str, Tensor] | None
    mask: Mask
    trained: dict[str, Tensor]
    buffers: dict[str, Tensor] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    model: str | None = None
    level: int = 0
    dense: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.trained:
            raise InputError("a ticket needs trained weights")
        both = sorted(set(self.trained) & set(self.buffers))
        if both:
            raise InputError(f"{both} are both parameters and buffers")
        if self.level < 0:
            raise UsageError(f"level must be at least 0, got {self.level}")
        self.mask.require_fits(self.trained)
        require_finite(self.trained, source="trained weights")
        require_finite(self.buffers, source="buffers")
        for name, tensor in self.mask.items():
            if bool((self.trained[name][~tensor] != 0).any()):
                raise InputError(f"trained weights of {name} are not zero where the mask removes")
        if self.init is None:
            return
        require_finite(self.init, source="initial weights")
        if set(self.init) != set(self.trained):
            odd = sorted(set(self.init) ^ set(self.trained))
            raise InputError(f"initial and trained weights differ in their names: {odd}")
        for name, tensor in self.init.items():
            if tensor.shape != self.trained[name].shape:
                raise InputError(f"initial and trained weights differ in the shape of {name}")

    @property
    def digest(self) -> str:
        """SHA-256 over init, mask, trained weights and buffers."""
        parts: Tensors = {
            **{f"init/{k}": v for k, v in (self.init or {}).items()},
            **{f"mask/{k}": v for k, v in self.mask.items()},
            **{f"trained/{k}": v for k, v in self.trained.items()},
            **{f"buffers/{k}": v for k, v in self.buffers.items()},
        }
        return digest(parts)

    def with_provenance(self, **known: Any) -> "Ticket":
        """Return the ticket with some provenance fields replaced."""
        return replace(self, provenance=replace(self.provenance, **known))
