"""Results that survive a kill: one JSON file for each experiment, written after each of its shards.

They are committed, so that the page can be written again without the hours behind it. All is done
again when a file that the results depend on has changed since.
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
RESULTS = Path(__file__).with_name("results")

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
        known = self._load(folder)
        for shard in range(self.shards):
            if shard in known:
                continue
            if time.monotonic() >= until:
                break
            known[shard] = self.work(shard)
            self._save(folder, known)
            click.echo(f"{self.name} {shard + 1}/{self.shards}", err=True)
        return [known[shard] for shard in sorted(known)]

    def known(self, folder: Path) -> list[Result]:
        """Return the results that are there, of this key."""
        known = self._load(folder)
        return [known[shard] for shard in sorted(known)]

    def _load(self, folder: Path) -> dict[int, Result]:
        path = folder / f"{self.name}.json"
        if not path.is_file():
            return {}
        stored = json.loads(path.read_text())
        if stored["key"] != self.key():
            return {}
        return {int(shard): result for shard, result in stored["shards"].items()}

    def _save(self, folder: Path, known: dict[int, Result]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        partial = path.with_suffix(f".{os.getpid()}")
        shards = {str(shard): known[shard] for shard in sorted(known)}
        partial.write_text(json.dumps({"key": self.key(), "shards": shards}, indent=1) + "\n")
        partial.replace(path)


def added(results: Iterable[Result], field: str) -> int:
    """Return the sum of a field over results."""
    return sum(int(result[field]) for result in results)
