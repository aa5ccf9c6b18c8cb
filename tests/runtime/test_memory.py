"""Freed memory: a process that keeps it asks the system for hardly a page in later passes."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys, torch
from pacbayes.runtime.memory import M_MMAP_THRESHOLD, keep_freed_memory
torch.set_num_threads(1)
mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda option, value: 0)
mallopt(M_MMAP_THRESHOLD, 2**17)  # every tensor here comes from the system and goes back there
kept = sys.argv[1] == "keep" and keep_freed_memory()
torch.zeros(200_000).add(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    parts = [torch.zeros(200_000) for _ in range(8)]
    del parts
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> tuple[bool, int]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True, env=plain
    )
    kept, count = done.stdout.split()
    return kept == "1", int(count)


def test_tensors_that_come_and_go_take_their_pages_once() -> None:
    kept, few = faults("keep")
    if not kept:
        pytest.skip("another C library than GNU's")
    _, many = faults("leave")
    # 8 tensors of 800,000 bytes are 1,563 pages: once where they are kept, else 50 times.
    assert few < 3 * 1563 < many
