"""Results that survive a kill: one JSON file for each shard of an experiment.

A shard is done again when a file that it depends on has changed since.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[2]

Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A claim, the shards of the work that supports it, and the files that the work depends on."""

    name: str
    shards: int
    work: Callable[[int], Result]
    depends: tuple[str, ...]

    def key(self) -> str:
        """Return a digest of everything that the results follow from."""
        digest = hashlib.sha256(self.name.encode())
        for pattern in self.depends:
            for path in sorted(ROOT.glob(pattern)):
                digest.update(path.relative_to(ROOT).as_posix().encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def run(self, folder: Path, *, until: float = math.inf) -> list[Result]:
        """Return the results of all shards, doing those that are missing while there is time."""
        key, found = self.key(), []
        for shard in range(self.shards):
            path = folder / self.name / f"{shard:04d}.json"
            result = _known(path, key)
            if result is None:
                if time.monotonic() >= until:
                    break
                result = self.work(shard)
                _write(path, {"key": key, "result": result})
                click.echo(f"{self.name} {shard + 1}/{self.shards}", err=True)
            found.append(result)
        return found

    def known(self, folder: Path) -> list[Result]:
        """Return the results that are there, of this key."""
        key = self.key()
        paths = [folder / self.name / f"{shard:04d}.json" for shard in range(self.shards)]
        return [result for path in paths if (result := _known(path, key)) is not None]


def _known(path: Path, key: str) -> Result | None:
    if not path.is_file():
        return None
    stored = json.loads(path.read_text())
    return stored["result"] if stored["key"] == key else None


def _write(path: Path, content: Result) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(content))
    partial.replace(path)


def added(results: Iterable[Result], field: str) -> int:
    """Return the sum of a field over results."""
    return sum(int(result[field]) for result in results)
