"""Spike-and-slab posteriors over named tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pacbayes.errors import InputError
from pacbayes.runtime.devices import DTYPES, Place
from pacbayes.tickets import Tensors, digest, require_finite

STEPS = 2**24
"""Inclusions are multiples of 1 / STEPS, so that gates are drawn exactly from 24 random bits."""

Part = tuple[Tensor, Tensor, Tensor]
"""Means, scales and inclusions of some rows of one parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeAndSlab:
    """Independent entries: a Gaussian with probability ``inclusion``, exactly zero otherwise.

    Entry i follows ``q_i N(mean_i, scale_i^2) + (1 - q_i) delta_0``. With an inclusion of one
    everywhere this is the Gaussian posterior; with inclusions between 0 and 1 the mask itself is
    random (Hayou, He and Dziugaite 2021). The stored float32 values define the law: it is the one
    that is drawn from and the one that the divergence is computed of.

    Attributes:
        mean: means by parameter name, float32; zero where the inclusion is zero.
        scale: standard deviations, float32; positive where the inclusion is positive, else zero.
        inclusion: inclusion probabilities in [0, 1], float32, each a multiple of 2^-24.
        buffers: non-parameter state of the network, the same in every draw.

    Raises:
        InputError: names, shapes or ranges do not fit.
    """

    mean: dict[str, Tensor]
    scale: dict[str, Tensor]
    inclusion: dict[str, Tensor]
    buffers: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, tensors in (("scale", self.scale), ("inclusion", self.inclusion)):
            if set(tensors) != set(self.mean):
                raise InputError(f"posterior: {what} and mean differ in their names")
            require_finite(tensors, source=f"posterior {what}")
        require_finite(self.mean, source="posterior mean")
        for name, mean in self.mean.items():
            _require_law(name, mean, self.scale[name], self.inclusion[name])

    @property
    def digest(self) -> str:
        """SHA-256 over every tensor of the law and over the buffers."""
        return digest(self.tensors())

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors under prefixed names, as they are stored in one file."""
        groups: dict[str, Mapping[str, Tensor]] = {
            "mean": self.mean,
            "scale": self.scale,
            "inclusion": self.inclusion,
            "buffers": self.buffers,
        }
        return {f"{group}/{name}": t for group, ts in groups.items() for name, t in ts.items()}

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> "SpikeAndSlab":
        """Return the posterior whose :meth:`tensors` are given."""
        groups: dict[str, dict[str, Tensor]] = {
            "mean": {},
            "scale": {},
            "inclusion": {},
            "buffers": {},
        }
        for key, tensor in tensors.items():
            group, _, name = key.partition("/")
            if group not in groups or not name:
                raise InputError(f"posterior: unknown tensor {key!r}")
            groups[group][name] = tensor
        return cls(**groups)

    @property
    def shapes(self) -> dict[str, torch.Size]:
        """Shape of each parameter."""
        return {name: tensor.shape for name, tensor in self.mean.items()}

    def part(self, name: str, rows: slice) -> Part:
        """Return means, scales and inclusions of some rows of a parameter, or of a number."""
        whole = (self.mean[name], self.scale[name], self.inclusion[name])
        if not whole[0].ndim:
            return whole
        return whole[0][rows], whole[1][rows], whole[2][rows]

    def kept(self, name: str) -> Tensor:
        """Return where a parameter can be non-zero, as a bool tensor."""
        return self.inclusion[name] > 0

    def is_random(self, name: str) -> bool:
        """Return whether some gate of a parameter is random: an inclusion between 0 and 1."""
        inclusion = self.inclusion[name]
        return bool(((inclusion > 0) & (inclusion < 1)).any())

    @property
    def has_gates(self) -> bool:
        """Whether some gate of some parameter is random."""
        return any(self.is_random(name) for name in self.inclusion)

    def to(self, place: Place) -> "SpikeAndSlab":
        """Return the same law with its tensors at a place; float64 holds every float32."""
        here = self.tensors()
        moved = {name: place.put(tensor) for name, tensor in here.items()}
        if all(moved[name] is tensor for name, tensor in here.items()):
            return self
        return SpikeAndSlab.from_tensors(moved)


def _require_law(name: str, mean: Tensor, scale: Tensor, inclusion: Tensor) -> None:
    for what, tensor in (("mean", mean), ("scale", scale), ("inclusion", inclusion)):
        if tensor.dtype not in DTYPES.values() or tensor.dtype != mean.dtype:
            raise InputError(f"posterior {what} of {name} must be float32, got {tensor.dtype}")
        if tensor.shape != mean.shape:
            raise InputError(f"posterior {what} of {name} has shape {tuple(tensor.shape)}")
    kept = inclusion > 0
    if bool(((inclusion < 0) | (inclusion > 1)).any()):
        raise InputError(f"posterior inclusion of {name} must lie in [0, 1]")
    steps = inclusion * STEPS
    if bool((steps != steps.round()).any()):
        raise InputError(f"posterior inclusion of {name} must be multiples of 2^-24")
    if bool((scale[kept] <= 0).any()):
        raise InputError(f"posterior scale of {name} must be positive on kept entries")
    if bool((scale[~kept] != 0).any()) or bool((mean[~kept] != 0).any()):
        raise InputError(f"posterior of {name} must be zero where the inclusion is zero")
