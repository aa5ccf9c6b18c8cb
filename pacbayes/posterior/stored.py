"""A posterior that stays in its file and is read a part at a time."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pacbayes.errors import InputError
from pacbayes.posterior.spike_and_slab import Part, SpikeAndSlab

GROUPS = ("mean", "scale", "inclusion")


@dataclass(frozen=True, kw_only=True)
class StoredPosterior:
    """The law in a file that ``SpikeAndSlab.tensors()`` was written to.

    Every part is held to the conditions of a :class:`SpikeAndSlab` when it is read. The file is
    opened anew for each, so that what was read before does not stay in memory.

    Attributes:
        path: a safetensors file, ``posterior.safetensors`` of a certificate's folder.
    """

    path: Path

    @cached_property
    def shapes(self) -> dict[str, torch.Size]:
        """Shape of each parameter.

        Raises:
            InputError: the file is no such file, or its tensors do not fit each other.
        """
        found: dict[str, dict[str, torch.Size]] = {group: {} for group in GROUPS}
        try:
            with safe_open(self.path, framework="pt") as stored:
                for key in stored.keys():
                    group, _, name = key.partition("/")
                    if group in found:
                        found[group][name] = torch.Size(stored.get_slice(key).get_shape())
        except (SafetensorError, OSError) as error:
            raise InputError(f"{self.path}: {error}") from error
        if not found["mean"] == found["scale"] == found["inclusion"]:
            raise InputError(f"{self.path}: means, scales and inclusions differ in names or shapes")
        return found["mean"]

    @cached_property
    def buffers(self) -> dict[str, Tensor]:
        """Non-parameter state of the network."""
        with safe_open(self.path, framework="pt") as stored:
            names = [key for key in stored.keys() if key.startswith("buffers/")]
            return {key.removeprefix("buffers/"): stored.get_tensor(key).clone() for key in names}

    def part(self, name: str, rows: slice) -> Part:
        """Return means, scales and inclusions of some rows of a parameter.

        Raises:
            InputError: they are no law.
        """
        with safe_open(self.path, framework="pt") as stored:
            if self.shapes[name]:
                found = [stored.get_slice(f"{group}/{name}")[rows].clone() for group in GROUPS]
            else:
                found = [stored.get_tensor(f"{group}/{name}").clone() for group in GROUPS]
        mean, scale, inclusion = found
        SpikeAndSlab(mean={name: mean}, scale={name: scale}, inclusion={name: inclusion})
        return mean, scale, inclusion
