"""Run directories of open_lth: ``lottery_<md5>/replicate_<r>/level_<k>/main/``.

A level holds the weights at several steps, ``model_ep<E>_it<I>.pth``. Its first step is already
masked above level 0, and with rewinding it has been trained before; the initial weights are those
of step 0 at level 0, or of step 0 of the pretraining.
"""

import os
import re
from pathlib import Path

from torch import Tensor

from pacbayes.checkpoints.level import Level, level_number, names_in, replicate_number
from pacbayes.checkpoints.opening import printable
from pacbayes.errors import InputError
from pacbayes.tickets import Tensors

MAIN, MASK, PRETRAIN = "main", "mask.pth", "level_pretrain"
_STEP = re.compile(r"model_ep(\d{1,9})_it(\d{1,9})\.pth")
_BUFFER = re.compile(r"mask_([A-Za-z0-9_]+)")


def branches_of(level: Path) -> list[Path]:
    """Return the folders with weights of a ``level_<k>`` folder; ``main`` comes first."""
    found = [level / name for name in names_in(level) if _steps(level / name)]
    return sorted(found, key=lambda path: (path.name != MAIN, path.name))


def level_of(branch: Path) -> Level | None:
    """Return the files of a branch of a level, or None if it is not of this tool.

    Raises:
        InputError: only one step is there, so that nothing can be said to be trained.
    """
    steps = _steps(branch)
    level = branch.absolute().parent
    number = level_number(level)
    if not steps or number is None:
        return None
    if len(steps) == 1:
        raise InputError(f"{printable(branch)} holds one step only ({steps[0][1]}): no end yet")
    replicate = level.parent
    init = _first_step(replicate)
    notes: dict[str, object] = {"run": replicate.parent.name, "step": steps[-1][1]}
    if branch.absolute().name != MAIN:
        notes["branch"] = branch.absolute().name
    if init is None:
        notes["init"] = "step 0 of level 0 is not there, and later steps have seen data or the mask"
    return Level(
        tool="open_lth",
        folder=branch,
        replicate=replicate_number(replicate),
        number=number,
        trained=branch / steps[-1][1],
        mask=branch / MASK if os.path.lexists(branch / MASK) else None,
        init=init,
        notes=notes,
    )


def _first_step(replicate: Path) -> Path | None:
    """Return the file with the weights before any training and any mask."""
    for folder in (replicate / "level_0" / MAIN, replicate / PRETRAIN / MAIN):
        for step, name in _steps(folder)[:1]:
            if step == (0, 0):
                return folder / name
    return None


def _steps(folder: Path) -> list[tuple[tuple[int, int], str]]:
    """Return (epoch, iteration) and file name of every step, in order."""
    found = [(_STEP.fullmatch(name), name) for name in names_in(folder)]
    return sorted(((int(m[1]), int(m[2])), name) for m, name in found if m is not None)


def with_plain_names(tensors: Tensors) -> dict[str, Tensor]:
    """Return the weights of a ``checkpoint.pth`` under the names of the inner network.

    There the weights are called ``model.fc.weight`` and the masks ``mask_fc___weight``; any other
    state dict is returned as it is.
    """
    masks = {name: _BUFFER.fullmatch(name) for name in tensors if name.startswith("mask_")}
    inner = [name for name in tensors if name.startswith("model.")]
    if not inner or not masks or len(masks) + len(inner) != len(tensors):
        return dict(tensors)
    found = {name.removeprefix("model."): tensors[name] for name in inner}
    for name, match in masks.items():
        base = "" if match is None else match[1].replace("___", ".")
        if base not in found:
            return dict(tensors)
        found[f"{base}_mask"] = tensors[name]
    return found
