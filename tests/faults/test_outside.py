"""What others do meanwhile: readers that go away, files that change, writers of the same output."""

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from pacbayes.certificate import verify
from pacbayes.checkpoints import read_ticket
from pacbayes.cli.main import run
from pacbayes.errors import InputError
from tests.conformance.corpus import Site, weights
from tests.faults.children import Work, finish, start, wait, wait_for

PROGRAM = [sys.executable, "-c", "from pacbayes.cli import main; main()"]


@pytest.mark.parametrize("command", ["verify", "inspect"])
def test_a_reader_that_goes_away_is_no_error(good: Path, command: str) -> None:
    """As in ``pacbayes verify ... | head -0``."""
    reading, writing = os.pipe()
    os.close(reading)
    argv = [*PROGRAM, command, str(good / "out" / "certificate.json")]
    done = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == -signal.SIGPIPE  # 141 in a shell: neither accepted nor rejected


def test_a_reader_that_goes_away_finds_the_certificate_complete(good: Path, tmp_path: Path) -> None:
    work = Work(good, tmp_path / "work")
    assert finish(work.stages["find"], work.log) == 0
    reading, writing = os.pipe()
    os.close(reading)
    argv = [*PROGRAM, *map(str, work.stages["certify"])]
    done = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.stderr == ""
    assert verify(work.folder / "out" / "certificate.json").accepted


def test_writers_of_one_output_at_once(good: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    """Five of the same certificate in one folder: each is through or gives up, none is torn."""
    work = Work(good, tmp_path / "work")
    assert finish(work.stages["find"], work.log) == 0
    children = [start(work.stages["certify"], work.log) for _ in range(5)]
    codes = {wait(child) for child in children}
    assert codes <= {0, 74}
    assert 0 in codes
    work.require_whole()
    assert work.finish() == whole


def test_writers_of_different_requests_at_once(good: Path, tmp_path: Path) -> None:
    """The certificate in the end is one of theirs, whole."""
    work = Work(good, tmp_path / "work")
    assert finish(work.stages["find"], work.log) == 0
    deltas = ("0.05", "0.1", "0.2")
    argv = work.stages["certify"]
    children = [start([*argv, "--delta", delta], work.log) for delta in deltas]
    codes = [wait(child) for child in children]
    assert set(codes) <= {0, 2, 3, 74}, work.log.read_text()
    assert "Traceback" not in work.log.read_text()
    work.require_whole()


def test_updates_of_one_baseline_at_once(good: Path, tmp_path: Path) -> None:
    site = Site(good=good, folder=tmp_path)
    baseline = site.folder / "baseline.json"
    certificate = good / "out" / "certificate.json"
    argv = ["check", certificate, "--baseline", baseline, "--update-baseline", "--force"]
    children = [start(argv, tmp_path / "log") for _ in range(8)]
    assert {wait(child) for child in children} <= {0, 74}
    assert finish(["check", certificate, "--baseline", baseline], tmp_path / "log") == 0


def test_a_file_that_changes_is_read_whole_or_refused(tmp_path: Path) -> None:
    """Another process rewrites the checkpoint in place all the time."""
    path = tmp_path / "model.pt"
    states = [weights(0), weights(1)]
    digests = set()
    for state in states:
        torch.save(state, path)
        digests.add(read_ticket(path).digest)
    contents = []
    for state in states:
        torch.save(state, path)
        contents.append(path.read_bytes())
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            for data in contents:
                path.write_bytes(data)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        found, refused = set(), 0
        for _ in range(200):
            try:
                found.add(read_ticket(path).digest)
            except InputError:
                refused += 1
    finally:
        stop.set()
        writer.join()
    assert found <= digests
    assert found or refused


def test_data_that_change_after_reading_do_not_matter(
    good: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    """What was read counts: its digest is in the certificate."""
    data = (good / "data.npz").read_bytes()
    work = Work(good, tmp_path / "work")
    assert finish(work.stages["find"], work.log) == 0
    pid = start(work.stages["certify"], work.log)
    wait_for((work.folder / "out" / "request.json").exists)
    try:
        (good / "data.npz").write_bytes(b"gone")
        assert wait(pid) == 0, work.log.read_text()
    finally:
        (good / "data.npz").write_bytes(data)
    assert work.finish() == whole


def test_data_that_changed_between_two_runs_are_another_request(good: Path, tmp_path: Path) -> None:
    """A resumed run never mixes the counts of two data sets."""
    data = (good / "data.npz").read_bytes()
    work = Work(good, tmp_path / "work")
    for stage in ("find", "certify"):
        assert finish(work.stages[stage], work.log) == 0
    import numpy as np

    arrays = dict(np.load(good / "data.npz"))
    arrays["x"] = arrays["x"] + 1
    try:
        np.savez(good / "data.npz", **arrays)
        assert finish(work.stages["certify"], work.log) == 3
        assert "other training data" in work.log.read_text()
    finally:
        (good / "data.npz").write_bytes(data)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space")
def test_out_of_memory_is_an_internal_error_without_a_certificate(
    good: Path, tmp_path: Path
) -> None:
    size = 2**28
    path = tmp_path / "large.safetensors"
    with open(path, "wb") as file:
        file.truncate(size)

    def limit() -> None:
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + size // 2, used + size // 2))

    code = finish(["inspect", path], tmp_path / "log", before=limit)
    assert code in (3, 70), (tmp_path / "log").read_text()
    assert "memory" in (tmp_path / "log").read_text()


def test_a_signal_in_the_users_code_is_no_fault_of_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM while a function of the user runs ends the run with 143, not with its blame."""
    monkeypatch.chdir(tmp_path)
    module = "slow_user_module"
    (tmp_path / f"{module}.py").write_text(
        "import pathlib, time\n\n\ndef make():\n"
        "    pathlib.Path('here').touch()\n    time.sleep(60)\n"
    )
    argv = ["find", "--model", f"{module}:make", "--data", "digits", "--out", tmp_path / "run"]
    pid = start(argv, tmp_path / "log")
    wait_for((tmp_path / "here").exists)
    os.kill(pid, signal.SIGTERM)
    assert wait(pid) == 143, (tmp_path / "log").read_text()


def test_convert_writes_all_parts_and_reads_back(good: Path, tmp_path: Path) -> None:
    level, out = good / "run" / "level_01", tmp_path / "a.safetensors"
    handler = signal.getsignal(signal.SIGTERM)
    assert run(["convert", str(level), str(out)]) == 0
    signal.signal(signal.SIGTERM, handler)
    parts = {part: out.with_suffix(f".{part}.safetensors") for part in ("mask", "init")}
    assert read_ticket(out, **parts).digest == read_ticket(level).digest
