"""Signals that end a run, and that do not get lost.

Python throws away what is raised while a destructor, a callback of the garbage collector or that of
a weak reference runs; a signal that comes at such a moment would go unheard, and the run would go
on to its end. So it is raised again until the run has heard it.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

AGAIN = 2.0
"""Seconds until a signal that was not heard is raised again."""


class TerminatedError(BaseException):
    """SIGTERM came; nothing that catches ordinary errors, SystemExit included, may catch it."""


STOPS: dict[signal.Signals, type[BaseException]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: TerminatedError,
}


@contextmanager
def heeded() -> Iterator[None]:
    """Let SIGINT and SIGTERM end a block by an exception, however often and whenever they come.

    The first one raises, again and again until the block is left; those after it do nothing, so
    that what cleans up is not disturbed. What was ignored from outside stays ignored. To be called
    in the main thread.

    Raises:
        KeyboardInterrupt: SIGINT came.
        TerminatedError: SIGTERM came.

    Example:
        >>> with heeded():
        ...     print("at work")
        at work
    """
    before = {stop: signal.getsignal(stop) for stop in STOPS}
    for stop, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(stop, _stop)
    try:
        yield
    finally:
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, 0)
        for stop, handler in before.items():
            if signal.getsignal(stop) is _stop:
                signal.signal(stop, handler)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    for stop in STOPS:
        signal.signal(stop, signal.SIG_IGN)
    if sys.platform != "win32":  # which has no timer that raises
        signal.signal(signal.SIGALRM, lambda _number, frame: _stop(number, frame))
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
    raise STOPS[signal.Signals(number)]
