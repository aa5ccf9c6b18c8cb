"""Hugging Face folders: one file of weights, or shards that an index assigns the tensors to."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from pacbayes.checkpoints.json_text import parse_json
from pacbayes.checkpoints.named import MAX_TENSORS, require_name
from pacbayes.checkpoints.opening import open_file, printable
from pacbayes.errors import InputError

WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEX = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SHARD = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}\.(?:safetensors|bin)")
ReadShard = Callable[[Path], tuple[dict[str, Tensor], str]]


def is_index(path: Path) -> bool:
    """Return whether a path is named like an index of shards."""
    return path.name.endswith((".safetensors.index.json", ".bin.index.json"))


def weights_of(folder: Path) -> Path | None:
    """Return the file or the index that holds the weights of a folder, if it is such a folder.

    Safetensors come before pickles, as the library that writes them prefers.

    Raises:
        InputError: there are a whole file and an index of the same kind.
    """
    for whole, index in zip(WHOLE, INDEX, strict=True):
        found = [name for name in (whole, index) if os.path.lexists(folder / name)]
        if len(found) > 1:
            raise InputError(f"{printable(folder)} has {whole} and {index}; name one of them")
        if found:
            return folder / found[0]
    return None


def read_shards(index: Path, read: ReadShard) -> tuple[dict[str, Tensor], str]:
    """Return all tensors that an index assigns to shards, and a digest of index and shards.

    Args:
        index: ``model.safetensors.index.json`` or its like; shards lie beside it.
        read: returns the tensors of one shard and its SHA-256.

    Raises:
        InputError: the index is malformed, or a shard does not hold exactly what is assigned to it.
    """
    opened = open_file(index)
    assigned = _assigned(parse_json(opened.data, source=opened.source), opened.source)
    tensors: dict[str, Tensor] = {}
    state = hashlib.sha256(f"pacbayes/shards/1\n{opened.sha256}\n".encode())
    for shard in sorted(set(assigned.values())):
        wanted = {name for name, file in assigned.items() if file == shard}
        found, sha256 = read(index.parent / shard)
        odd = sorted(wanted ^ set(found))
        if odd:
            word = "lacks" if odd[0] in wanted else "has besides"
            raise InputError(
                f"{printable(index.parent / shard)} does not fit {index.name}: it {word} "
                f"{printable(odd[0])}" + f" and {len(odd) - 1} more tensors differ" * (len(odd) > 1)
            )
        tensors.update(found)
        state.update(f"{sha256} {shard}\n".encode())
    return {name: tensors[name] for name in assigned}, state.hexdigest()


def _assigned(value: dict[str, Any], source: str) -> dict[str, str]:
    found = value.get("weight_map")
    if not isinstance(found, dict) or not found or len(found) > MAX_TENSORS:
        raise InputError(f"{source} has no weight_map of tensor names to files")
    for name, shard in found.items():
        require_name(name, source=source)
        # A shard lies in the folder of its index; a path could lead anywhere.
        if not isinstance(shard, str) or not _SHARD.fullmatch(shard):
            raise InputError(f"{source}: {name} is assigned to {ascii(shard)[:80]}, not a file")
    return found
