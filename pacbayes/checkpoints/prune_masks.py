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
        unmasked: the ``*_orig`` tensors under the same names, before their mask.
        masks: bool tensors by name, for the tensors that had one.
    """

    tensors: dict[str, Tensor]
    unmasked: dict[str, Tensor] = field(default_factory=dict)
    masks: dict[str, Tensor] = field(default_factory=dict)


def fold_masks(tensors: Tensors, *, source: str) -> Folded:
    """Return the state dict with ``weight_orig`` and ``weight_mask`` folded into ``weight``.

    A tensor ``X_mask`` is a mask if there is an ``X_orig``, or an ``X`` of the same shape and all
    its entries are 0 or 1; anything else is an ordinary tensor.

    Raises:
        InputError: an ``X_orig`` without a mask of its shape, or parametrizations, whose mask is
            not in the file.
    """
    _refuse_parametrizations(tensors, source)
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
            masks[base] = mask
            del folded[base + _MASK]
    return Folded(tensors=folded, unmasked=unmasked, masks=masks)


def _mask_of(tensors: Tensors, base: str, weight: Tensor) -> Tensor | None:
    found = tensors.get(base + _MASK)
    return as_mask(found) if found is not None and found.shape == weight.shape else None


def _refuse_parametrizations(tensors: Tensors, source: str) -> None:
    found = [name for name in tensors if "parametrizations." in name]
    if found:
        raise InputError(
            f"{source}: {found[0]} belongs to a parametrization; before saving, call squash_mask() "
            "or torch.nn.utils.parametrize.remove_parametrizations"
        )
