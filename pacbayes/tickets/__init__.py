"""The vocabulary: named tensors, masks, index sets, tickets."""

from pacbayes.tickets.indices import IndexSet
from pacbayes.tickets.mask import Mask
from pacbayes.tickets.tensors import (
    Tensors,
    digest,
    is_prunable,
    require_finite,
    steady_sum,
    tensor_digest,
)
from pacbayes.tickets.ticket import Provenance, Ticket

__all__ = [
    "IndexSet",
    "Mask",
    "Provenance",
    "Tensors",
    "Ticket",
    "digest",
    "is_prunable",
    "require_finite",
    "steady_sum",
    "tensor_digest",
]
