"""What a program costs when it runs alone: its largest memory and its seconds."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """One run of a program.

    Attributes:
        code: exit code.
        memory: largest resident set in bytes, shared libraries and mapped files included.
        seconds: wall clock.
        output: what it wrote, on either stream.
    """

    code: int
    memory: int
    seconds: float
    output: str


def peak(*arguments: str) -> Peak:
    """Return what ``python arguments`` costs, measured by the system when the process ends."""
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as written:
        child = subprocess.Popen([sys.executable, *arguments], stdout=written, stderr=written)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begin
        written.seek(0)
        output = written.read()
    factor = 1 if sys.platform == "darwin" else 1024
    return Peak(
        code=child.returncode, memory=factor * usage.ru_maxrss, seconds=seconds, output=output
    )
