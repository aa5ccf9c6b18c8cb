"""Run directories of lth-pacbayes: ``<md5>/replicate_<r>/level_<k>/`` with three files each.

``init_model.pth`` of a level above 0 is already masked, so the initial weights are those of level
0. What the run was is only in ``result.json``, which is written at its end.
"""

import os
import re
from pathlib import Path
from typing import Any

from pacbayes.checkpoints.json_text import parse_json
from pacbayes.checkpoints.level import Level, level_number, names_in, replicate_number
from pacbayes.checkpoints.opening import open_file

INIT, MASK, TRAINED = "init_model.pth", "mask.pth", "trained_model.pth"
_BOUND = re.compile(r"result_[A-Za-z0-9_-]{1,60}\.json")
_REPORTED = ("bound_list", "risk_list", "kl_list", "test_loss_list")


def level_of(folder: Path) -> Level | None:
    """Return the files of a ``level_<k>`` folder, or None if it is not of this tool.

    Raises:
        InputError: a record of the run is malformed.
    """
    names = names_in(folder)
    number = level_number(folder)
    if TRAINED not in names or number is None:
        return None
    replicate = folder.absolute().parent
    dense = replicate / "level_0" / INIT
    notes = {"run": replicate.parent.name, **_records(folder, names, replicate)}
    if not os.path.lexists(dense):
        notes["init"] = "no level_0 beside this level, and later initial weights are masked"
    return Level(
        tool="lth-pacbayes",
        folder=folder,
        replicate=replicate_number(replicate),
        number=number,
        trained=folder / TRAINED,
        mask=folder / MASK if MASK in names else None,
        init=dense if os.path.lexists(dense) else None,
        notes=notes,
    )


def _records(folder: Path, names: list[str], replicate: Path) -> dict[str, Any]:
    """Return the arguments of the run, and the last figures that its authors computed.

    Their figures are estimates: they say nothing here, they only stand beside ours.
    """
    notes: dict[str, Any] = {}
    if "result.json" in names_in(replicate):
        arguments = _document(replicate / "result.json").get("args")
        if isinstance(arguments, dict):
            notes["args"] = arguments
    for name in names:
        if _BOUND.fullmatch(name):
            value = _document(folder / name)
            lists = {key: value.get(key) for key in _REPORTED}
            last = {k: v[-1] for k, v in lists.items() if isinstance(v, list) and v}
            notes.setdefault("their_estimates", {})[name] = last
    return notes


def _document(path: Path) -> dict[str, Any]:
    opened = open_file(path)
    return parse_json(opened.data, source=opened.source)
