"""Bad inputs in processes of their own: little time and memory beyond the import of torch."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.checkpoints import hostile
from tests.conformance.corpus import MODEL

SECONDS, MEGABYTES, FACTOR = 2.0, 300, 3
MEGABYTE = 2**20
LARGE = 64 * MEGABYTE

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read from /proc"
)

# Processor time, not wall time: a busy machine is no failure. Peak memory is that of this program
# alone; what the system reports to the parent includes the parent's own before the start.
PROGRAM = """
import json, sys, time
import torch
torch.nn.Linear(2, 2)

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

start = time.process_time(), peak()
from pacbayes.cli.main import run
try:
    code = run(sys.argv[2:])
finally:
    spent = time.process_time() - start[0], peak() - start[1]
    json.dump([code, *spent], open(sys.argv[1], "w"))
"""


@dataclass(frozen=True)
class Spent:
    code: int
    seconds: float
    bytes: int
    said: str


def spend(argv: list[Any], folder: Path) -> Spent:
    """What one command costs beyond the import of torch."""
    report = folder / "spent.json"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(report), *map(str, argv)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert report.exists(), done.stderr
    return Spent(*json.loads(report.read_text()), done.stdout + done.stderr)


def large_nan(path: Path) -> None:
    weight = torch.ones(LARGE // 4)
    weight[-1] = float("nan")
    torch.save({"fc1.weight": weight.reshape(-1, 4)}, path)


def large_nan_in_safetensors(path: Path) -> None:
    header = {"w": hostile.entry([LARGE // 4], 0, LARGE)}
    path.write_bytes(hostile.safetensors(header, b"\xff" * LARGE))


def large_and_truncated(path: Path) -> None:
    large_nan(path)
    os.truncate(path, LARGE // 2)


def large_of_another_shape(path: Path) -> None:
    torch.save({"fc1.weight": torch.ones(LARGE // 4)}, path)


def large_nan_in_npz(path: Path) -> None:
    np.savez(path, w=np.full(LARGE // 4, np.nan, np.float32))


def stride(path: Path) -> None:
    torch.save({"w": torch.zeros(1).expand(10**6, 10**6)}, path)


def laughs(path: Path) -> None:
    path.write_bytes(hostile.with_pickle(hostile.billion_laughs(40)))


def many_names(path: Path) -> None:
    header = {f"t{k}": hostile.entry([1], 4 * k, 4 * k + 4) for k in range(120_000)}
    path.write_bytes(hostile.safetensors(header, bytes(480_000)))


def brackets(path: Path) -> None:
    path.write_bytes(hostile.safetensors('{"w":' + "[" * (8 * MEGABYTE)))


CASES: list[tuple[Callable[[Path], None], str, str]] = [
    (large_nan, "bad.pt", "is nan"),
    (large_nan_in_safetensors, "bad.safetensors", "is nan"),
    (large_and_truncated, "bad.pt", "truncated"),
    (large_of_another_shape, "bad.pt", "does not fit the model"),
    (large_nan_in_npz, "bad.npz", "is nan|does not fit"),
    (stride, "bad.pt", "overlapping"),
    (laughs, "bad.pt", "nested"),
    (many_names, "bad.safetensors", "at most 100000"),
    (brackets, "bad.safetensors", "nested|JSON"),
]


@pytest.mark.parametrize(("make", "name", "match"), CASES, ids=lambda v: getattr(v, "__name__", v))
def test_a_bad_file_costs_little(
    make: Callable[[Path], None], name: str, match: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    make(path)
    looks = [["inspect", path]]
    if make in (large_nan, large_of_another_shape):
        data = ["--data", "synthetic:n=40,dim=4", "--out", tmp_path / "out"]
        looks = [["certify", path, "--model", MODEL, *data]]
        match = "does not fit the model"
    for argv in looks:
        spent = spend(argv, tmp_path)
        assert spent.code == 3, spent.said
        assert any(text in spent.said for text in match.split("|")), spent.said
        assert "Traceback" not in spent.said
        assert spent.seconds <= SECONDS
        assert spent.bytes <= FACTOR * path.stat().st_size + MEGABYTES * MEGABYTE
    assert not list(tmp_path.rglob("*certificate.json"))


def test_a_certificate_too_large_costs_little(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"[" * (16 * MEGABYTE - 1))
    spent = spend(["verify", path], tmp_path)
    assert spent.code == 3
    assert spent.seconds <= SECONDS
    assert spent.bytes <= FACTOR * path.stat().st_size + MEGABYTES * MEGABYTE


def test_the_meter_sees_memory(tmp_path: Path) -> None:
    """Negative control: an honest file of the same size takes at least its own size."""
    torch.save({"w": torch.ones(LARGE // 4)}, tmp_path / "good.pt")
    spent = spend(["inspect", tmp_path / "good.pt"], tmp_path)
    assert spent.code == 0, spent.said
    assert spent.bytes >= LARGE
