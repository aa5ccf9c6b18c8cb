"""How many cases each parser gets, how files are damaged, and what a case may cost."""

import gc
import os
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

CASES = 2_000 * int(os.environ.get("PACBAYES_FUZZ_SCALE", "1"))
SECONDS = 2.0

fuzz = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

# Numbers that lengths, offsets and counts like to go wrong at.
EDGES = [0, 1, 2, 7, 8, 127, 255, 256, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]

edits = st.lists(
    st.tuples(
        st.sampled_from(["flip", "insert", "delete", "cut", "number", "repeat"]),
        st.integers(0, 2**20),
        st.sampled_from(EDGES),
    ),
    min_size=0,
    max_size=4,
)


def damaged(data: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    """Return the bytes with every change made in turn."""
    for kind, place, number in changes:
        at = place % (len(data) + 1)
        if kind == "flip" and data:
            at %= len(data)
            data = data[:at] + bytes([data[at] ^ (1 << number % 8)]) + data[at + 1 :]
        elif kind == "insert":
            data = data[:at] + number.to_bytes(8, "little") + data[at:]
        elif kind == "delete":
            data = data[:at] + data[at + 1 + number % 16 :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "number":
            width = (2, 4, 8)[place % 3]
            packed = (number % 2 ** (8 * width)).to_bytes(width, "little")
            data = data[:at] + packed + data[at + width :]
        else:
            data = data[:at] + data[at // 2 : at // 2 + number % 64] + data[at:]
    return data


def answer(parse: Callable[[], Any], *, refusals: tuple[type[BaseException], ...]) -> Any:
    """Return what a parser says, or the refusal; anything else that it raises goes on.

    The time is that of the processor, so a busy machine is no hang; and without the collection of
    garbage, which walks over all that the generator of cases remembers (seconds, after 100,000).
    """
    gc.disable()
    started = time.process_time()
    try:
        found = parse()
    except refusals as refusal:
        message = str(refusal)
        assert message.isprintable(), message
        assert len(message) < 2000
        found = refusal
    finally:
        spent = time.process_time() - started
        gc.enable()
    assert spent <= SECONDS
    return found
