"""Progress talks on stderr, seldom, and never on stdout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pacbayes.runtime.progress import Lines, progress

ROOT = Path(__file__).parents[2]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_short_work_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("fit", 3) as bar:
        for _ in range(3):
            bar.advance(1, note="risk 0.1")
    assert capsys.readouterr() == ("", "")


def test_long_work_leaves_a_line_at_most_every_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    lines = Lines("evaluate", 100, clock)
    for step in range(100):
        clock.now = 100.0 + step
        lines.advance(note=f"risk 0.{step:02d}")
    lines.close()
    out, err = capsys.readouterr()
    assert out == ""
    printed = err.splitlines()
    assert printed[0] == "evaluate: 11/100, risk 0.10, 10 s"
    assert len(printed) == 10
    assert printed[-1] == "evaluate: 100/100, risk 0.99, 99 s"


def test_quiet_is_silent_and_a_lost_stderr_does_no_harm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress("fit", 2, quiet=True) as bar:
        bar.advance(2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", None)
    with progress("fit", 2) as bar:
        bar.advance(2)
    monkeypatch.setattr(sys, "stderr", open(os.devnull))
    clock = Clock()
    lines = Lines("fit", 1, clock)
    clock.now += 20
    lines.advance()
    assert lines._last > lines._start


def test_an_exception_inside_comes_out() -> None:
    def work() -> None:
        with progress("fit", 2) as bar:
            bar.advance()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
def test_on_a_terminal_there_is_a_bar_and_stdout_is_clean() -> None:
    code = """
from pacbayes.runtime.progress import progress
with progress("fit", 2) as bar:
    bar.advance(1, note="kl 17")
    print("result")
    bar.advance(1)
"""
    leader, follower = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=follower, check=True
    )
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert done.stdout == b"result\n"
    assert "fit" in shown
    assert "2/2" in shown
