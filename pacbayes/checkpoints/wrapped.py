"""Weights inside a larger dict, as training scripts save them beside the optimiser."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pacbayes.checkpoints.maker import facts_of
from pacbayes.checkpoints.named import is_flat, require_flat
from pacbayes.checkpoints.opening import printable
from pacbayes.errors import InputError

# timm prefers averaged weights silently; that certifies another network than the one trained.
LOOKUP = ("state_dict", "model", "model_state_dict", "net", "params")
AVERAGED = ("state_dict_ema", "model_ema", "ema", "ema_state_dict")


def unwrap(
    value: Any, *, key: str | None, source: str, values: bool = True
) -> tuple[dict[str, Tensor], str | None, list[str]]:
    """Return the state dict in what a file holds, the key it lay under, and notes for people.

    A dict of tensors is taken as it is. Otherwise exactly one of ``state_dict``, ``model``,
    ``model_state_dict``, ``net`` and ``params`` must hold a dict of tensors; ``key`` names another
    entry, and is the only way to averaged weights.

    Args:
        value: what the file holds.
        key: name of the entry to take.
        source: for messages.
        values: whether tensors came with their entries; without, their layout is not checked.

    Raises:
        InputError: no entry holds weights, several do, or ``key`` names none.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{source} holds a {type(value).__name__}, not a dict of tensors")
    if not value:
        raise InputError(f"{source} holds an empty dict")
    if key is not None:
        return (
            require_flat(_entry(value, key, source), source=source, values=values),
            key,
            facts_of(value),
        )
    if is_flat(value):
        return require_flat(value, source=source, values=values), None, []
    found = [name for name in LOOKUP if is_flat(value.get(name))]
    averaged = [name for name in AVERAGED if is_flat(value.get(name))]
    if len(found) > 1:
        raise InputError(f"{source} has weights under {', '.join(found)}; choose one with --key")
    if found:
        notes = facts_of(value)
        notes += [
            f"averaged weights under {name} were left out; --key {name} takes them"
            for name in averaged
        ]
        return require_flat(value[found[0]], source=source, values=values), found[0], notes
    raise InputError(_nothing(value, averaged, source))


def _entry(value: Mapping[Any, Any], key: str, source: str) -> Mapping[Any, Any]:
    entry = value.get(key)
    if isinstance(entry, Mapping) and entry:
        return entry
    raise InputError(
        f"{source} has no dict of tensors under {printable(key)}; {_candidates(value)}"
    )


def _candidates(value: Mapping[Any, Any]) -> str:
    names = [printable(name)[:80] for name, entry in value.items() if is_flat(entry)]
    return f"there are some under {', '.join(names[:8])}" if names else "nor under any other key"


def _nothing(value: Mapping[Any, Any], averaged: list[str], source: str) -> str:
    if "param_groups" in value:
        return f"{source} is the state of an optimiser; give the file with the weights"
    if averaged:
        return f"{source} has averaged weights only ({', '.join(averaged)}); name them with --key"
    candidates = [name for name, entry in value.items() if is_flat(entry)]
    if candidates:
        return f"{source} has no weights under a usual key; {_candidates(value)}: choose with --key"
    name, entry = next((k, v) for k, v in value.items() if not isinstance(v, Tensor))
    return (
        f"{source} is not a dict of tensors: the entry {ascii(name)[:80]} is {type(entry).__name__}"
    )
