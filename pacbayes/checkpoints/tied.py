"""Tied weights: one tensor under two names, of which ``named_parameters()`` lists the first."""

from collections.abc import Collection

from torch import Tensor

from pacbayes.tickets import Tensors


def untie(
    tensors: Tensors, *, expected: Collection[str] = ()
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return each stored tensor once, and the dropped names with the name that stays.

    Two names are tied when they refer to the same bytes in the same shape and order; equal values
    are not enough. The first name stays, or those of the ``expected`` ones. Pruning masks are
    never dropped for themselves, only with the weights that they belong to.
    """
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, tensor in tensors.items():
        if name.endswith("_mask"):
            continue
        identity = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        groups.setdefault(identity, []).append(name)
    aliases = {}
    for names in groups.values():
        wanted = [name for name in names if name in expected]
        stays = wanted or names[:1]
        aliases.update({name: stays[0] for name in names if name not in stays})
    masks = {f"{name.removesuffix('_orig')}_mask" for name in aliases if name.endswith("_orig")}
    dropped = masks.union(aliases)
    plain = {name.removesuffix("_orig"): to.removesuffix("_orig") for name, to in aliases.items()}
    return {name: t for name, t in tensors.items() if name not in dropped}, plain
