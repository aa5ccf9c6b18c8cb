"""What a network holds beside its parameters and buffers, where no digest and no kl sees it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


def unregistered(model: nn.Module) -> list[str]:
    """Return the attributes that hold tensors, arrays or modules which are not registered.

    A module in a plain list has weights that ``named_parameters`` leaves out, and a tensor kept as
    a plain attribute may be a copy of weights that no draw replaces. Registered tensors that are
    held a second time are not listed (whether the network uses them past the functional call is
    for a call to find out), nor are the weights that ``torch.nn.utils`` recomputes before each
    call.

    Args:
        model: the network, best after a call, which may have left copies behind.
    """
    registered = {id(part) for part in _registered(model)}
    found = []
    for path, module in model.named_modules():
        recomputed = _recomputed(module)
        for name, value in _attributes(module):
            if name in _TORCH or name in recomputed:
                continue
            held = [leaf for leaf in tree_leaves(value) if isinstance(leaf, _KINDS)]
            if any(id(leaf) not in registered for leaf in held):
                found.append(f"{path}.{name}" if path else name)
    return found


_KINDS = (Tensor, nn.Module, np.ndarray)
_TORCH = ("_parameters", "_buffers", "_modules")


def _attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of a module and of the classes that it is made of."""
    yield from vars(module).items()
    for kind in type(module).__mro__:
        yield from vars(kind).items()


def _registered(model: nn.Module) -> Iterator[Any]:
    yield from model.modules()
    yield from model.parameters()
    yield from model.buffers()


def _recomputed(module: nn.Module) -> set[str]:
    """Return the attributes that torch itself sets anew in each call: pruning, recurrent layers."""
    if isinstance(module, nn.RNNBase):
        return {"_flat_weights"}
    hooks = module._forward_pre_hooks.values()
    names = {getattr(hook, "_tensor_name", None) or getattr(hook, "name", None) for hook in hooks}
    return {name for name in names if isinstance(name, str)}
