"""Every write, flush, fsync and rename fails once; disks fill up; folders cannot be written."""

import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pacbayes.cli.main import run
from pacbayes.pipeline import certify as certify_module
from pacbayes.runtime import files
from tests.faults.children import Work, finish


class Failing:
    """Fails the i-th call that the module of atomic files makes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.calls, self.failed = 0, 0, ""
        for name in ("open", "write", "fsync", "replace", "scandir"):
            self._shim(monkeypatch, name)
        monkeypatch.setattr(files, "open", self._open, raising=False)

    def arm(self, at: int) -> None:
        self.at, self.calls, self.failed = at, 0, ""

    def count(self, name: str) -> None:
        self.calls += 1
        if self.calls == self.at:
            self.failed = name
            raise OSError(28, "No space left on device")

    def _shim(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if sys._getframe(1).f_code.co_filename == files.__file__:
                self.count(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    def _open(self, *args: Any) -> Any:
        return Watched(open(*args), self)


class Watched:
    """A file whose write and flush are counted."""

    def __init__(self, file: Any, failing: Failing) -> None:
        self.file, self.failing = file, failing

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, data: bytes) -> int:
        self.failing.count("write")
        return int(self.file.write(data))

    def flush(self) -> None:
        self.failing.count("flush")
        self.file.flush()

    def fileno(self) -> int:
        return int(self.file.fileno())


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    return Failing(monkeypatch)


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def loop(
    work: Work,
    stage: str,
    failing: Failing,
    *,
    step: int,
    said: Callable[[], str],
) -> dict[str, int]:
    """Fail every ``step``-th call in turn until a run has no fault; count what failed."""
    failed: dict[str, int] = {}
    at = 1
    while True:
        work.clear(stage)
        failing.arm(at)
        code = run([str(argument) for argument in work.stages[stage]])
        fault, text = failing.failed, said()
        failing.arm(0)
        if not fault:
            assert code == 0, text
            return failed
        failed[fault] = failed.get(fault, 0) + 1
        assert code == 74, text
        assert "Traceback" not in text
        assert str(work.folder) in text
        assert "No space left on device" in text
        assert not list(work.folder.rglob("*.pacbayes-tmp"))
        work.require_whole()
        # The same command then goes on.
        assert run([str(argument) for argument in work.stages[stage]]) == 0, said()
        at += step


@dataclass(frozen=True)
class Setting:
    """What a loop over faults needs."""

    good: Path
    folder: Path
    failing: Failing
    said: Callable[[], str]

    def loop_over(self, stage: str, *, step: int) -> dict[str, int]:
        """Loop over the calls of one stage; the files are those of a run without faults."""
        whole = Work(self.good, self.folder / "whole", epochs=2).finish()
        work = Work(self.good, self.folder / "work", epochs=2)
        for name, argv in work.stages.items():
            if name == stage:
                break
            assert run([str(argument) for argument in argv]) == 0
        failed = loop(work, stage, self.failing, step=step, said=self.said)
        found = work.files()
        assert found == {name: whole[name] for name in found}
        return failed


@pytest.fixture
def setting(
    good: Path, tmp_path: Path, failing: Failing, capfd: pytest.CaptureFixture[str]
) -> Setting:
    return Setting(good, tmp_path, failing, lambda: "".join(capfd.readouterr()))


@pytest.mark.parametrize(("stage", "step"), [("find", 11), ("certify", 11), ("check", 1)])
def test_a_failing_call_anywhere(setting: Setting, stage: str, step: int) -> None:
    assert sum(setting.loop_over(stage, step=step).values()) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["find", "certify"])
def test_every_failing_call(setting: Setting, stage: str) -> None:
    failed = setting.loop_over(stage, step=1)
    assert set(failed) == {"open", "write", "flush", "fsync", "replace", "scandir"}


@pytest.mark.parametrize("limit", [0, 100, 1000, 3000, 6000])
@pytest.mark.parametrize("stage", ["find", "certify", "check"])
def test_a_full_disk(
    good: Path, tmp_path: Path, whole: dict[str, bytes], limit: int, stage: str
) -> None:
    """A limit on the size of files stands for the disk: every write beyond it fails."""
    work = Work(good, tmp_path / "work")
    for name, data in whole.items():
        before = {"find": (), "certify": ("run/",), "check": ("run/", "out/")}[stage]
        if name.startswith(before):
            path = work.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    log = tmp_path / "log"
    os.mkfifo(log)  # a pipe has no size, so the reason can be written
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(log.read_text()))
    reader.start()
    code = finish(work.stages[stage], log, before=fill)
    reader.join()
    left = {"find": "run/", "certify": "out/", "check": "baseline"}[stage]
    needed = max(len(data) for name, data in whole.items() if name.startswith(left))
    assert code == 74 or (code == 0 and limit >= needed), lines
    assert "Traceback" not in lines[0]
    assert "File too large" in lines[0] or code == 0
    assert not list(work.folder.rglob("*.pacbayes-tmp"))
    work.require_whole()
    assert work.finish() == whole


@pytest.mark.parametrize("stage", ["find", "certify"])
def test_an_output_that_cannot_be_written_is_noticed_before_the_work(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from pacbayes.pipeline import find as find_module

    def work_began(*_: object, **__: object) -> None:
        raise AssertionError("work began before the output was tried")

    for module in (certify_module, find_module):
        monkeypatch.setattr(sys.modules[module.__module__], "load_data", work_began)
    (tmp_path / "file").write_bytes(b"")
    work = Work(good, tmp_path / "work")
    argv = [str(argument) for argument in work.stages[stage]]
    argv[argv.index("--out") + 1] = str(tmp_path / "file" / "out")
    assert run(argv) == 74
    assert "can't be written to" in capfd.readouterr().err
