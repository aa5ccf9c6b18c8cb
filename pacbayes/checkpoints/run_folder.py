"""Run directories of open_lth and lth-pacbayes: their levels, or the one that was asked for."""

from pathlib import Path

from pacbayes.checkpoints import lth_pacbayes, open_lth
from pacbayes.checkpoints.level import Level, level_folders, level_number
from pacbayes.checkpoints.opening import printable
from pacbayes.errors import InputError

_SHOWN = 12


def levels_in(folder: Path) -> list[Level]:
    """Return every level at or below a branch, a level, a replicate or a run, in order.

    Raises:
        InputError: a folder cannot be listed, or a record in it is malformed.
    """
    if level_number(folder.absolute().parent) is not None and level_number(folder) is None:
        branch = open_lth.level_of(folder)
        return [] if branch is None else [branch]
    found = []
    for level in level_folders(folder):
        of_lth = lth_pacbayes.level_of(level)
        branches = [open_lth.level_of(branch) for branch in open_lth.branches_of(level)]
        found += [one for one in (of_lth, *branches) if one is not None]
    return found


def only_level(folder: Path, levels: list[Level]) -> Level:
    """Return the level that a folder stands for.

    Raises:
        InputError: there are several; lists all replicates and levels.
    """
    if len(levels) == 1:
        return levels[0]
    by_replicate: dict[int | None, list[int]] = {}
    for level in levels:
        by_replicate.setdefault(level.replicate, []).append(level.number)
    listed = [
        ("" if replicate is None else f"replicate {replicate}: ")
        + f"levels {', '.join(map(str, sorted(set(numbers))))}"
        for replicate, numbers in by_replicate.items()
    ]
    more = f" and {len(listed) - _SHOWN} more replicates" if len(listed) > _SHOWN else ""
    raise InputError(
        f"{printable(folder)} is a run of {levels[0].tool} with {'; '.join(listed[:_SHOWN])}{more};"
        f" name one, for example {printable(levels[-1].folder)}"
    )
