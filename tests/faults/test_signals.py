"""SIGINT and SIGTERM: no certificate, exit 130 or 143, and the same command goes on."""

import os
import signal
from pathlib import Path

import pytest

from tests.faults.children import Work, finish, start, wait, wait_for


def interrupted(work: Work, stage: str, number: int, *, mark: str, times: int = 1) -> int:
    """Send a signal once a file is there, and return the exit code."""
    argv = [*work.stages[stage]]
    slow = {"find": ["--epochs", "3000"], "certify": ["--epochs", "20000"]}[stage]
    pid = start([*argv, *slow], work.log)
    wait_for(lambda: bool(list(work.folder.rglob(mark))))
    for _ in range(times):
        os.kill(pid, number)
    return wait(pid)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("stage", ["find", "certify"])
def test_a_signal_ends_the_run_with_its_code(  # noqa: PLR0917 - parameters of the test
    good: Path, tmp_path: Path, number: int, code: int, times: int, stage: str
) -> None:
    mark = {"find": "find.json", "certify": "request.json"}[stage]
    work = Work(good, tmp_path / "work")
    if stage == "certify":
        assert finish(work.stages["find"], work.log) == 0
    ended = interrupted(work, stage, number, mark=mark, times=times)
    assert ended == code, work.log.read_text()[-2000:]
    work.require_whole()
    assert not list(work.folder.rglob("*certificate.json"))
    said = work.log.read_text()
    assert "run the same command again" in said
    assert "Traceback" not in said


def test_an_interrupted_run_goes_on(good: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    work = Work(good, tmp_path / "work")
    pid = start(work.stages["find"], work.log)
    wait_for((work.folder / "run" / "find.json").exists)
    os.kill(pid, signal.SIGTERM)
    assert wait(pid) in (0, 143)
    assert finish(work.stages["find"], work.log) == 0
    pid = start(work.stages["certify"], work.log)
    wait_for((work.folder / "out" / "request.json").exists)
    os.kill(pid, signal.SIGINT)
    assert wait(pid) in (0, 130)
    assert work.finish() == whole
