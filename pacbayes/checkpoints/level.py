"""One pruning level in a run directory of another tool: which of its files is which."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pacbayes.checkpoints.opening import is_folder, printable
from pacbayes.errors import InputError

_LEVEL = re.compile(r"level_(\d{1,4})")
_REPLICATE = re.compile(r"replicate_(\d{1,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The files of one level.

    Attributes:
        tool: who wrote the run.
        folder: where the files of the level are.
        replicate: number of the replicate, if the folder says so.
        number: pruning rounds done.
        trained: file with the trained weights.
        mask: file with the mask; level 0 may have none.
        init: file with the initial weights before any mask, which only level 0 has.
        notes: what else a reader should know.
    """

    tool: str
    folder: Path
    replicate: int | None
    number: int
    trained: Path
    mask: Path | None
    init: Path | None
    notes: dict[str, Any] = field(default_factory=dict)


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none if there is no such folder.

    Raises:
        InputError: the folder cannot be listed.
    """
    if not is_folder(folder):
        return []
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise InputError(f"{printable(folder)} cannot be read: {error.strerror}") from error


def level_number(folder: Path) -> int | None:
    """Return k for a folder called ``level_k``."""
    match = _LEVEL.fullmatch(folder.absolute().name)
    return None if match is None else int(match[1])


def replicate_number(folder: Path) -> int | None:
    """Return r for a folder called ``replicate_r``."""
    match = _REPLICATE.fullmatch(folder.absolute().name)
    return None if match is None else int(match[1])


def level_folders(folder: Path) -> list[Path]:
    """Return the folders of levels at or below a level, a replicate or a run, in order."""
    if level_number(folder) is not None:
        return [folder]
    below = [folder / name for name in names_in(folder)]
    levels = [path for path in below if level_number(path) is not None and is_folder(path)]
    replicates = [path for path in below if replicate_number(path) is not None and is_folder(path)]
    levels.sort(key=lambda path: level_number(path) or 0)
    replicates.sort(key=lambda path: replicate_number(path) or 0)
    return levels + [level for path in replicates for level in level_folders(path)]
