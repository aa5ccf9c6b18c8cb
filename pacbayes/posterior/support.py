"""Where the entries of a parameter can be non-zero, and how the kept ones act as a matrix."""

import warnings
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

SPARSE_DENSITY = 0.1
"""At and below this density products with the kept entries alone are the faster ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseMatrix:
    """The positions of the kept entries of a matrix; their values are given with each call.

    Products take and return the features in the rows and the examples in the columns, the order
    in which sparse products are fast.

    Attributes:
        rows: where each row starts, in compressed row storage.
        columns: column of each kept entry.
        turned_rows: where each column starts.
        turned_columns: row of each kept entry, sorted by column.
        turned_order: position, by row, of the entries that are sorted by column.
        shape: rows and columns.
    """

    rows: Tensor
    columns: Tensor
    turned_rows: Tensor
    turned_columns: Tensor
    turned_order: Tensor
    shape: tuple[int, int]

    @classmethod
    def of(cls, kept: Tensor) -> Self:
        """Return the positions of the true entries of a bool matrix."""
        row, column = kept.nonzero(as_tuple=True)
        with warnings.catch_warnings():
            # Torch says once that compressed rows are new; tests hold them to dense products.
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
            _compressed(row.new_zeros(1), row[:0], kept.new_zeros(0), (0, 0))
        order = torch.argsort(column, stable=True)
        height, width = kept.shape
        return cls(
            rows=_starts(row, height),
            columns=column.int(),
            turned_rows=_starts(column, width),
            turned_columns=row[order].int(),
            turned_order=order,
            shape=(height, width),
        )

    def with_values(self, values: Tensor) -> Tensor:
        """Return the matrix with the given kept entries, in compressed row storage."""
        return _compressed(self.rows, self.columns, values, self.shape)

    def add_product(self, values: Tensor, x: Tensor, *, to: Tensor) -> Tensor:
        """Add the matrix times x of shape (columns, B) to a tensor, in place, and return that."""
        return torch.addmm(to, self.with_values(values), x, out=to)

    def add_turned_product(self, values: Tensor, x: Tensor, *, to: Tensor) -> Tensor:
        """Add the transposed matrix times x of shape (rows, B) to a tensor, in place."""
        turned = values.index_select(0, self.turned_order)
        shape = self.shape[::-1]
        matrix = _compressed(self.turned_rows, self.turned_columns, turned, shape)
        return torch.addmm(to, matrix, x, out=to)

    def outer(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the kept entries of left times right', for shapes (rows, B) and (columns, B)."""
        zeros = left.new_zeros(len(self.columns))
        blank = _compressed(self.rows, self.columns, zeros, self.shape)
        found: Tensor = torch.sparse.sampled_addmm(blank, left, right.t())
        return found.values()


def _starts(index: Tensor, count: int) -> Tensor:
    ends = torch.bincount(index, minlength=count).cumsum(0).int()
    return torch.cat([ends.new_zeros(1), ends])


def _compressed(rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    return torch.sparse_csr_tensor(rows, columns, values, shape, check_invariants=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The kept entries of one parameter, in the order of its flattened tensor.

    Attributes:
        shape: shape of the parameter.
        count: number of kept entries.
        places: their positions in the flattened tensor; ``None`` where all are kept.
        matrix: the same as a sparse matrix, for matrices of low density.
    """

    shape: torch.Size
    count: int
    places: Tensor | None
    matrix: SparseMatrix | None

    @classmethod
    def of(cls, kept: Tensor) -> Self:
        """Return the support whose true entries are kept."""
        count = int(kept.sum())
        full = count == kept.numel()
        thin = kept.ndim == 2 and 0 < count <= SPARSE_DENSITY * kept.numel()
        return cls(
            shape=kept.shape,
            count=count,
            places=None if full else kept.reshape(-1).nonzero().squeeze(1),
            matrix=SparseMatrix.of(kept) if thin else None,
        )

    def gather(self, dense: Tensor) -> Tensor:
        """Return the kept entries of a tensor, of shape (count,)."""
        flat = dense.reshape(-1)
        return flat if self.places is None else flat.index_select(0, self.places)

    def spread(self, values: Tensor) -> Tensor:
        """Return the tensor with the given kept entries, zero elsewhere; differentiable.

        Args:
            values: of shape (..., count); leading axes stay.
        """
        lead = values.shape[:-1]
        if self.places is not None:
            empty = values.new_zeros(*lead, self.shape.numel())
            values = empty.index_copy(-1, self.places, values)
        return values.reshape(*lead, *self.shape)
