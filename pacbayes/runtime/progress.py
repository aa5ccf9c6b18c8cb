"""Progress on stderr: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

PERIOD = 10.0


class Progress(Protocol):
    """What :func:`progress` yields."""

    def advance(self, n: int = 1, note: str | None = None) -> None:
        """Report that ``n`` more units are done; ``note`` says how it goes."""


@contextmanager
def progress(label: str, total: int, *, quiet: bool = False) -> Iterator[Progress]:
    """Yield an object whose ``advance`` reports progress; stdout is never touched.

    Args:
        label: what is being done, in a word or two.
        total: number of units.
        quiet: report nothing.
    """
    if quiet or sys.stderr is None:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar(label, total) as bar:
            yield bar
    else:
        lines = Lines(label, total)
        yield lines
        lines.close()


class _Silent:
    def advance(self, n: int = 1, note: str | None = None) -> None:
        """Report nothing."""


class Lines:
    """One plain line on stderr at most every ten seconds; short work leaves none.

    Args:
        label: what is being done.
        total: number of units.
        clock: seconds, for tests.
    """

    def __init__(self, label: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._label, self._total, self._clock = label, total, clock
        self._done, self._note = 0, ""
        self._start = self._last = clock()

    def advance(self, n: int = 1, note: str | None = None) -> None:
        """Count ``n`` units and print a line where the last one is old enough."""
        self._done += n
        self._note = f", {note}" if note else ""
        if self._clock() - self._last >= PERIOD:
            self._print()

    def close(self) -> None:
        """Print how it ended, where lines were printed before."""
        if self._last > self._start:
            self._print()

    def _print(self) -> None:
        self._last = self._clock()
        spent = self._last - self._start
        line = f"{self._label}: {self._done}/{self._total}{self._note}, {spent:.0f} s\n"
        try:
            sys.stderr.write(line)
            sys.stderr.flush()
        except (OSError, ValueError):
            return  # nobody listens any more; the work goes on


@contextmanager
def _bar(label: str, total: int) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )

    class _OnTerminal:
        def __init__(self, bar: Bar, task: TaskID) -> None:
            self._bar, self._task = bar, task

        def advance(self, n: int = 1, note: str | None = None) -> None:
            self._bar.advance(self._task, n)
            if note is not None:
                self._bar.update(self._task, note=note)

    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        yield _OnTerminal(bar, bar.add_task(label, total=total, note=""))
