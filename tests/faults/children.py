"""The program in a child that shares our imports, so that hundreds of runs take seconds."""

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import safe_open

from pacbayes.certificate import verify
from pacbayes.cli.main import run
from pacbayes.runtime.reading import read_json
from tests.conformance.corpus import Site

KILLED = -signal.SIGKILL


def start(argv: list[Any], log: Path, *, before: Callable[[], Any] | None = None) -> int:
    """Fork a child that runs one command with its output in ``log``, and return its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    # A signal may come while the tracer of `make test` holds its lock, which it would wait for.
    sys.settrace(None)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
        if before is not None:
            before()
        code = run([str(argument) for argument in argv])
        sys.stdout.flush()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 70
    finally:
        os._exit(code)


def wait(pid: int) -> int:
    """Return the exit code of a child, negative where a signal ended it; a hang is a failure."""
    limit = time.monotonic() + 300
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > limit:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise TimeoutError("the child hung")
        time.sleep(0.001)


def finish(argv: list[Any], log: Path, *, before: Callable[[], Any] | None = None) -> int:
    return wait(start(argv, log, before=before))


def wait_for(there: Callable[[], bool], *, seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not there():
        if time.monotonic() > limit:
            raise TimeoutError("the child never came this far")
        time.sleep(0.002)


class Work:
    """The three commands that leave files, in one folder, one after the other."""

    def __init__(self, good: Path, folder: Path, *, epochs: int = 30) -> None:
        folder.mkdir()
        self.folder, self.log = folder, folder / "log"
        site = Site(good=good, folder=folder)
        out = folder / "out"
        quick = ["--epochs", epochs, "--draws", "40"]
        self.stages: dict[str, list[Any]] = {
            "find": site.find("--momentum", "0", "--epochs", "15"),
            "certify": [
                "certify", folder / "run" / "level_01", *site.network, "--out", out, *quick
            ],
            "check": [
                "check", out / "certificate.json", "--baseline", folder / "baseline.json",
                "--update-baseline", "--force",
            ],
        }  # fmt: skip

    def clear(self, stage: str) -> None:
        """Remove what a stage leaves."""
        shutil.rmtree(self.folder / {"find": "run", "certify": "out"}.get(stage, "-"), True)
        if stage == "check":
            (self.folder / "baseline.json").unlink(missing_ok=True)

    def finish(self) -> dict[str, bytes]:
        """Run every stage to its end and return the files that count."""
        for stage, argv in self.stages.items():
            code = finish(argv, self.log)
            if code:
                raise RuntimeError(f"{stage} ended with {code}: {self.log.read_text()}")
        return self.files()

    def files(self) -> dict[str, bytes]:
        """Every file but the log, temporary ones and those that only serve to go on."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            extra = path == self.log or path.name.startswith(".") or path.name.startswith("fit-")
            if path.is_file() and not extra:
                found[str(path.relative_to(self.folder))] = path.read_bytes()
        return found

    def require_whole(self) -> None:
        """Every file that is there can be read whole; every certificate verifies."""
        for name in self.files():
            path = self.folder / name
            if path.suffix == ".json":
                read_json(path)
            if path.suffix == ".safetensors":
                with safe_open(path, framework="pt") as tensors:
                    for key in tensors.keys():
                        tensors.get_tensor(key)
            if path.name.endswith("certificate.json"):
                assert verify(path).accepted


def kill_at_random(
    work: Work, stage: str, *, kills: int, chance: random.Random, duration: float, whole: Any
) -> int:
    """Kill a stage until it was killed so often; return how many attempts came to an end."""
    done, ended = 0, 0
    while done < kills:
        pid = start(work.stages[stage], work.log)
        time.sleep(chance.uniform(0, duration))
        os.kill(pid, signal.SIGKILL)
        code = wait(pid)
        work.require_whole()
        if code == KILLED:
            done += 1
            continue
        assert code == 0, work.log.read_text()
        ended += 1
        for name, data in work.files().items():
            assert data == whole[name], name
        work.clear(stage)
    return ended
