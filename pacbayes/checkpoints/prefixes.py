"""Prefixes that wrappers put before every name: DataParallel, torch.compile, Lightning."""

from collections.abc import Collection

from torch import Tensor

from pacbayes.tickets import Tensors

KNOWN = ("module.", "_orig_mod.", "model.", "net.")


def strip_prefix(
    tensors: Tensors, *, expected: Collection[str] = ()
) -> tuple[dict[str, Tensor], str]:
    """Return the tensors without the prefix that all names share, and that prefix.

    Only ``module.``, ``_orig_mod.``, ``model.`` and ``net.`` are known, alone or one after the
    other, and only where every name has them. A network may really have a part called ``net``, so
    where the ``expected`` names are known, no more is taken off than brings out most of them.
    """
    choices = _shared(tensors)
    prefix = max(choices, key=lambda p: _matches(tensors, p, expected)) if expected else choices[-1]
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}, prefix


def _shared(tensors: Tensors) -> list[str]:
    """Return the shared prefixes from none to the longest."""
    found = [""]
    while True:
        longer = [
            found[-1] + known
            for known in KNOWN
            if tensors and all(_has(name, found[-1] + known) for name in tensors)
        ]
        if not longer:
            return found
        found.append(longer[0])


def _has(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and len(name) > len(prefix)


def _matches(tensors: Tensors, prefix: str, expected: Collection[str]) -> int:
    names = {name.removeprefix(prefix).removesuffix("_orig") for name in tensors}
    return len(names.intersection(expected))
