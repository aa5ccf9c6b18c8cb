"""Error counts of finished blocks on disk: of a whole evaluation, or of one of its shards."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pacbayes.errors import InputError
from pacbayes.runtime.files import write_json
from pacbayes.runtime.processes import Shard
from pacbayes.runtime.reading import read_json

SCHEMA = "pacbayes/draws/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """Where the counts of one evaluation are kept.

    Attributes:
        path: file of the whole evaluation.
        part: the shard that is counted here.
        subject: what is counted: root, draws, and the network as a function.
    """

    path: Path
    part: Shard
    subject: dict[str, Any]

    @classmethod
    def of(cls, path: Path, part: Shard, *, root: int, draws: int, counted_by: str) -> Self:
        """Return the journal of an evaluation."""
        subject = {"root": f"{root:064x}", "draws": draws, "counted_by": counted_by}
        return cls(path=path, part=part, subject=subject)

    def read(self, blocks: int) -> dict[int, int]:
        """Return the errors of all blocks that any shard has finished for the same subject."""
        found: dict[int, int] = {}
        for path in [*self.path.parent.glob(f"{self.path.stem}.*-of-*.json"), self.path]:
            stored = read_json(path) if path.exists() else {}
            expected = {"schema": SCHEMA, "blocks": blocks, **self.subject}
            if all(stored.get(key) == value for key, value in expected.items()):
                found |= {int(block): errors for block, errors in stored["errors"].items()}
        return found

    def write(self, errors: dict[int, int], blocks: int) -> None:
        """Write the errors of finished blocks."""
        counts = {str(block): count for block, count in sorted(errors.items())}
        document = {"schema": SCHEMA, "blocks": blocks, **self.subject, "errors": counts}
        write_json(shard_path(self.path, self.part), document, every_process=True)


def shard_path(path: Path, part: Shard) -> Path:
    """Return the file of one shard of an evaluation whose own file is given."""
    if part.count == 1:
        return path
    return path.with_name(f"{path.stem}.{part.index + 1}-of-{part.count}.json")


def merge(paths: list[Path]) -> dict[str, Any]:
    """Return the document of a whole evaluation from those of its shards.

    Raises:
        InputError: a file is no such document, the shards are of different evaluations, or a
            block is missing or is in two of them.
    """
    whole: dict[str, Any] = {}
    errors: dict[str, int] = {}
    for path in paths:
        stored = _read(path)
        counts = stored.pop("errors")
        if whole and stored != whole:
            odd = sorted(key for key in whole if stored.get(key) != whole[key])
            raise InputError(f"{path}: is of another evaluation than {paths[0]}: {odd} differ")
        twice = sorted(errors.keys() & counts.keys(), key=int)
        if twice:
            raise InputError(f"{path}: block {twice[0]} is in another shard too")
        whole, errors = stored, errors | counts
    missing = sorted(set(range(whole["blocks"])) - {int(block) for block in errors})
    if missing:
        raise InputError(
            f"{len(missing)} of {whole['blocks']} blocks are in no shard, the first is {missing[0]}"
        )
    return {**whole, "errors": dict(sorted(errors.items(), key=lambda item: int(item[0])))}


def _read(path: Path) -> dict[str, Any]:
    stored = read_json(path)
    try:
        sound = stored["schema"] == SCHEMA and set(stored) == {
            "schema",
            "blocks",
            "root",
            "draws",
            "counted_by",
            "errors",
        }
        blocks = range(int(stored["blocks"]))
        sound = sound and all(
            block == str(int(block)) and int(block) in blocks and type(count) is int and count >= 0
            for block, count in stored["errors"].items()
        )
    except (KeyError, TypeError, ValueError, AttributeError, json.JSONDecodeError):
        sound = False
    if not sound:
        raise InputError(f"{path}: is no file of counted draws")
    return stored
