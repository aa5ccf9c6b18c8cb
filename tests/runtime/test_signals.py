"""A signal ends a block, even one that comes where Python drops what is raised."""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from pacbayes.runtime.signals import AGAIN, STOPS, TerminatedError, heeded

HEARD, UNHEARD, OTHER = 3, 4, 5


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.01)


def fate(body: Callable[[], None]) -> int:
    """Return how a child ends that runs something with signals heeded."""
    pid = os.fork()
    if pid == 0:
        code = OTHER
        try:
            sys.unraisablehook = lambda _: None
            signal.signal(signal.SIGINT, signal.default_int_handler)
            with heeded():
                body()
            code = UNHEARD
        except (KeyboardInterrupt, TerminatedError):
            code = HEARD
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def busy() -> None:
    end = time.monotonic() + 20 * AGAIN
    while time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_ends_the_block(number: int) -> None:
    def body() -> None:
        send(number)

    assert fate(body) == HEARD


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_in_a_destructor_is_heard_later(number: int) -> None:
    class Thing:
        def __del__(self) -> None:
            send(number)

    def body() -> None:
        Thing()
        busy()

    assert fate(body) == HEARD


def test_a_signal_while_garbage_is_collected_is_heard_later() -> None:
    def body() -> None:
        gc.callbacks.append(lambda *_: send(signal.SIGTERM))
        gc.collect()
        gc.callbacks.clear()
        busy()

    assert fate(body) == HEARD


def test_a_second_signal_disturbs_no_cleaning_up() -> None:
    def body() -> None:
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            send(signal.SIGINT)

    assert fate(body) == HEARD


def test_what_was_ignored_stays_ignored() -> None:
    def body() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with heeded():
            send(signal.SIGINT)

    assert fate(body) == UNHEARD


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_handlers_come_back_where_no_signal_came(error: type[BaseException]) -> None:
    before = [signal.getsignal(number) for number in STOPS]
    with pytest.raises(error), heeded():
        raise error
    assert [signal.getsignal(number) for number in STOPS] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
