"""Steps of a study: each is computed once and read back by a later run of the same request."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pacbayes import __version__
from pacbayes.runtime.files import require_writable, to_json, write_json
from pacbayes.runtime.progress import Progress, progress
from pacbayes.runtime.reading import read_json
from pacbayes.studies.request import StudyRequest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SEEDS: Final = ("seeds", "method_seeds")
"""Settings that no step depends on: every step has its own seed, which its name tells."""


@dataclass(slots=True, kw_only=True)
class Steps:
    """Runs steps and keeps what they return, one JSON file each.

    Attributes:
        folder: where the files go.
        facts: what decides all steps; a file of other facts is not read.
        bar: reports that a step is done.
        seconds: time that all steps took, those of earlier runs included.
        processor: time of the processor in them, which other work on the machine does not change.
    """

    folder: Path
    facts: str
    bar: Progress
    seconds: float = field(default=0.0)
    processor: float = field(default=0.0)

    def run(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return what a step computes, or what an earlier run of it left.

        Args:
            name: of the file, unique in the study.
            compute: returns something that JSON has a form for.
        """
        path = self.folder / f"{name}.json"
        stored = read_json(path) if path.is_file() else {}
        if stored.get("facts") != self.facts:
            start, busy = time.monotonic(), time.process_time()
            found = compute()
            stored = {
                "facts": self.facts,
                "seconds": time.monotonic() - start,
                "processor": time.process_time() - busy,
                "found": json.loads(to_json(found)),
            }
            write_json(path, stored)
        self.seconds += stored["seconds"]
        self.processor += stored["processor"]
        self.bar.advance(1, note=name)
        return stored["found"]


@contextmanager
def steps(
    request: StudyRequest, settings: "DataclassInstance", *, study: str, total: int
) -> Iterator[Steps]:
    """Yield the steps of one study at one size.

    Args:
        request: where, and whether progress is shown.
        settings: what decides what the steps find. How many seeds there are does not, so a run
            with more of them goes on from one with fewer.
        study: name of the study.
        total: number of steps, for progress.
    """
    folder = request.work / "steps"
    require_writable(folder)
    decisive = {key: value for key, value in asdict(settings).items() if key not in SEEDS}
    text = json.dumps([study, decisive, __version__], sort_keys=True)
    facts = hashlib.sha256(text.encode()).hexdigest()
    with progress(f"study {study}", total, quiet=request.quiet) as bar:
        yield Steps(folder=folder, facts=facts, bar=bar)
