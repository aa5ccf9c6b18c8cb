"""Masks that live in the state dict: ``torch.nn.utils.prune`` and shrinkbench."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from pacbayes.checkpoints.named import as_mask
from pacbayes.errors import InputError
from pacbayes.tickets import Tensors

_ORIG, _MASK = "_orig", "_mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A state dict under the names of the unpruned network.

    Attributes:
        tensors: weights with removed entries at zero.
        unmasked: the weights that had a mask, under the same names, before it.
        masks: bool tensors by name, for the tensors that had one.
    """

    tensors: dict[str, Tensor]
    unmasked: dict[str, Tensor] = field(default_factory=dict)
    masks: dict[str, Tensor] = field(default_factory=dict)


def fold_masks(tensors: Tensors, *, source: str) -> Folded:
    """Return the state dict with masks multiplied into the weights that they lie beside.

    ``torch.nn.utils.prune`` calls the weights ``weight_orig``, shrinkbench plainly ``weight``;
    the mask is ``weight_mask``, and both tools multiply it in on every forward pass. A tensor
    ``X_mask`` is a mask if there is an ``X_orig``, or an ``X`` of the same shape and all its
    entries are 0 or 1; anything else is an ordinary tensor.

    Raises:
        InputError: an ``X_orig`` without a mask of its shape.
    """
    folded, unmasked, masks = {}, {}, {}
    for name, tensor in tensors.items():
        if not name.endswith(_ORIG):
            folded[name] = tensor
            continue
        base = name.removesuffix(_ORIG)
        mask = _mask_of(tensors, base, tensor)
        if mask is None or base in tensors:
            raise InputError(
                f"{source}: {name} needs {base}_mask of zeros and ones in its shape beside it, "
                f"and no {base}; call torch.nn.utils.prune.remove before saving"
            )
        unmasked[base], masks[base] = tensor, mask
        folded[base] = torch.where(mask, tensor, torch.zeros_like(tensor))
    for base in masks:
        del folded[base + _MASK]
    for base in [name for name in tensors if name + _MASK in tensors]:
        mask = _mask_of(tensors, base, tensors[base])
        if mask is not None:
            unmasked[base], masks[base] = tensors[base], mask
            folded[base] = torch.where(mask, tensors[base], torch.zeros_like(tensors[base]))
            del folded[base + _MASK]
    return Folded(tensors=folded, unmasked=unmasked, masks=masks)


def _mask_of(tensors: Tensors, base: str, weight: Tensor) -> Tensor | None:
    found = tensors.get(base + _MASK)
    return as_mask(found) if found is not None and found.shape == weight.shape else None
