"""Masks that live in a parametrization (``torch.nn.utils.parametrize``).

A module with a parametrized ``weight`` saves ``parametrizations.weight.original`` and the state of
each parametrization under its position, ``parametrizations.weight.0.mask``.
"""

import re

from torch import Tensor

from pacbayes.checkpoints.named import as_mask
from pacbayes.errors import InputError
from pacbayes.tickets import Tensors

_PARAMETRIZED = re.compile(r"(?P<module>(?:.*\.)?)parametrizations\.(?P<name>[^.]+)\.(?P<rest>.+)")
_MATERIALISE = "call torch.nn.utils.parametrize.remove_parametrizations before saving"


def as_masked(tensors: Tensors, *, source: str) -> dict[str, Tensor]:
    """Return the state dict with parametrized masks named as ``torch.nn.utils.prune`` names them.

    ``M.parametrizations.weight.original`` and its mask of zeros and ones, a single buffer of the
    same shape, become ``M.weight_orig`` and ``M.weight_mask``. Nothing else is taken for a mask.

    Raises:
        InputError: a parametrization that is no mask, or one that keeps its mask out of the file.
    """
    groups: dict[str, dict[str, Tensor]] = {}
    plain = {}
    for name, tensor in tensors.items():
        match = _PARAMETRIZED.fullmatch(name)
        if match is None:
            plain[name] = tensor
        else:
            base = f"{match['module']}{match['name']}"
            groups.setdefault(base, {})[match["rest"]] = tensor
    for base, group in groups.items():
        original, mask = _pair(base, group, source)
        taken = [name for name in (base, f"{base}_orig", f"{base}_mask") if name in tensors]
        if taken:
            raise InputError(f"{source} has both {taken[0]} and a parametrization of {base}")
        plain[f"{base}_orig"], plain[f"{base}_mask"] = original, mask
    return plain


def _pair(base: str, group: dict[str, Tensor], source: str) -> tuple[Tensor, Tensor]:
    rest = dict(group)
    original = rest.pop("original", None)
    if original is None:
        raise InputError(
            f"{source}: {base} is stored as a weight norm or another product; {_MATERIALISE}"
        )
    if not rest:
        raise InputError(
            f"{source}: {base} is parametrized and its mask is not in the file "
            "(torch.ao.pruning leaves it out); call squash_mask() before saving"
        )
    masks = {name: tensor for name, tensor in rest.items() if tensor.shape == original.shape}
    if len(rest) == 1 and masks and as_mask(next(iter(masks.values()))) is not None:
        return original, next(iter(masks.values()))
    spectral = any(name.endswith(("._u", "._v")) for name in rest)
    kind = "a spectral norm" if spectral else "no mask of zeros and ones in its shape"
    raise InputError(f"{source}: the parametrization of {base} is {kind}; {_MATERIALISE}")
