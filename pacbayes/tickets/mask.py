"""The mask of a ticket: which entries of which tensors are kept."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from pacbayes.errors import InputError
from pacbayes.tickets.tensors import Tensors, digest, is_prunable


class Mask(Mapping[str, Tensor]):
    """Bool tensors by parameter name, True where an entry is kept.

    Parameters without an entry (biases, gains) are kept whole. Density and sparsity are fractions
    over the prunable entries, that is over the entries of the tensors that the mask names.

    Example:
        >>> mask = Mask({"weight": torch.tensor([[True, False], [True, True]])})
        >>> mask.density, mask.kept, mask.prunable
        (0.75, 3, 4)
    """

    def __init__(self, tensors: Tensors) -> None:
        for name, tensor in tensors.items():
            if tensor.dtype != torch.bool:
                raise InputError(f"mask of {name} must be bool, got {tensor.dtype}")
        # Copies, so that later changes of the caller's tensors don't change the mask.
        self._tensors = {name: tensors[name].detach().cpu().clone() for name in sorted(tensors)}

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mask) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @classmethod
    def full(cls, parameters: Tensors) -> "Mask":
        """Return the mask that keeps every entry of the prunable parameters."""
        return cls(
            {
                name: torch.ones(tensor.shape, dtype=torch.bool)
                for name, tensor in parameters.items()
                if is_prunable(tensor)
            }
        )

    @classmethod
    def from_zeros(cls, parameters: Tensors) -> "Mask":
        """Return the mask that removes the exact zeros of the prunable parameters."""
        return cls({k: t.detach() != 0 for k, t in parameters.items() if is_prunable(t)})

    @property
    def kept(self) -> int:
        """Number of kept entries."""
        return sum(int(tensor.sum()) for tensor in self.values())

    @property
    def prunable(self) -> int:
        """Number of entries, kept and removed."""
        return sum(tensor.numel() for tensor in self.values())

    @property
    def density(self) -> float:
        """Fraction kept, in [0, 1]; 1.0 for a mask without tensors."""
        return self.kept / self.prunable if self.prunable else 1.0

    @property
    def sparsity(self) -> float:
        """Fraction removed, in [0, 1]."""
        return 1.0 - self.density

    @property
    def digest(self) -> str:
        """SHA-256 of names, shapes and entries."""
        return digest(self._tensors)

    def of(self, name: str, like: Tensor) -> Tensor:
        """Return the bool tensor of one parameter; all True where the mask does not name it."""
        found = self._tensors.get(name)
        return torch.ones(like.shape, dtype=torch.bool) if found is None else found

    def apply(self, parameters: Tensors) -> dict[str, Tensor]:
        """Return the parameters with removed entries set to zero.

        Raises:
            InputError: the mask names a tensor that is missing or has another shape.
        """
        self.require_fits(parameters)
        return {
            name: torch.where(self[name].to(tensor.device), tensor, torch.zeros_like(tensor))
            if name in self
            else tensor
            for name, tensor in parameters.items()
        }

    def require_fits(self, parameters: Tensors) -> None:
        """Refuse a mask whose names or shapes are not those of the parameters.

        Raises:
            InputError: names every tensor that does not fit.
        """
        problems = []
        unknown = [name for name in self if name not in parameters]
        if unknown:
            problems.append(f"it names {unknown}, which are not parameters of the model")
        problems += [
            f"it has shape {tuple(tensor.shape)} for {name}, "
            f"which has shape {tuple(parameters[name].shape)}"
            for name, tensor in self.items()
            if name in parameters and tensor.shape != parameters[name].shape
        ]
        if problems:
            raise InputError(f"the mask does not fit: {'; '.join(problems)}")
