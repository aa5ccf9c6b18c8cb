"""Several processes give the certificate of one, byte for byte, and leave none when one dies."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NETWORK = ["--model", "mlp:64-16-10", "--data", "digits", "-q"]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "pacbayes"]


def pacbayes(
    *arguments: str, alone: bool = True, threads: int = 1
) -> subprocess.CompletedProcess[str]:
    start = ["-m", "pacbayes"] if alone else TORCHRUN
    command = [sys.executable, *start, *arguments]
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ticket, and its certificate by one process."""
    folder = tmp_path_factory.mktemp("processes")
    found = pacbayes("find", *NETWORK, "--levels", "1", "--epochs", "2", "--split", "0.5",
                     "--out", str(folder / "run"))  # fmt: skip
    assert found.returncode == 0, found.stderr
    done = pacbayes(*certify(folder), "--out", str(folder / "one"))
    assert done.returncode == 0, done.stderr
    return folder


def certify(folder: Path, *more: str) -> list[str]:
    ticket = str(folder / "run" / "level_01")
    return ["certify", ticket, *NETWORK, "--epochs", "2", "--draws", "40", *more]


def fitted(site: Path, name: str) -> Path:
    """Return a copy of the folder in which the posterior is fitted and nothing counted."""
    copy = site / name
    shutil.copytree(site / "one", copy)
    (copy / "certificate.json").unlink()
    for counted in (copy / "ticket").glob("*draws*"):
        counted.unlink()
    return copy


def test_two_processes_give_the_certificate_of_one(site: Path) -> None:
    out = fitted(site, "two")
    done = pacbayes(*certify(site), "--out", str(out), alone=False)
    assert done.returncode == 0, done.stderr
    assert (out / "certificate.json").read_bytes() == (
        site / "one" / "certificate.json"
    ).read_bytes()


def test_one_process_of_two_threads_gives_the_certificate_of_two_of_one(tmp_path: Path) -> None:
    """Torchrun gives each process one thread; long sums would show another order."""
    network = ["--model", "mlp:64-700-700-10", "--data", "digits", "-q"]
    found = pacbayes("find", *network, "--levels", "0", "--epochs", "2", "--split", "0.5",
                     "--out", str(tmp_path / "run"))  # fmt: skip
    assert found.returncode == 0, found.stderr
    ticket, out = str(tmp_path / "run" / "level_00"), tmp_path / "out"
    certificates = []
    for processes in (1, 2):
        done = pacbayes("certify", ticket, *network, "--epochs", "1", "--draws", "20",
                        "--out", str(out), alone=processes == 1, threads=3 - processes)  # fmt: skip
        assert done.returncode == 0, done.stderr
        certificates.append((out / "certificate.json").read_bytes())
        for counted in (out / "ticket").glob("*draws*"):
            counted.unlink()
    assert certificates[0] == certificates[1]


def test_two_processes_fit_together(site: Path) -> None:
    out = site / "together"
    done = pacbayes(*certify(site), "--out", str(out), alone=False)
    assert done.returncode == 0, done.stderr
    assert pacbayes("verify", str(out / "certificate.json")).returncode == 0


def test_shards_give_the_certificate_of_one(site: Path) -> None:
    out = fitted(site, "shards")
    options = certify(site)[1:]
    for part in ("1/2", "2/2"):
        done = pacbayes("evaluate", *options, "--out", str(out), "--shard", part)
        assert done.returncode == 0, done.stderr
    whole = out / "ticket" / "posterior-draws.json"
    shards = sorted(map(str, whole.parent.glob("*-of-2.json")))
    assert pacbayes("merge", shards[0], "--out", str(whole)).returncode == 3
    assert pacbayes("merge", *shards, "--out", str(whole)).returncode == 0
    assert pacbayes(*certify(site), "--out", str(out)).returncode == 0
    assert (out / "certificate.json").read_bytes() == (
        site / "one" / "certificate.json"
    ).read_bytes()


def test_a_shard_without_a_posterior_is_refused(site: Path) -> None:
    options = [*certify(site)[1:], "--out", str(site / "empty"), "--shard", "1/2"]
    done = pacbayes("evaluate", *options)
    assert done.returncode == 3
    assert "--fit-only" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_a_killed_process_leaves_no_certificate_and_a_state_to_go_on_from(site: Path) -> None:
    out = fitted(site, "killed")
    command = [sys.executable, *TORCHRUN, *certify(site), "--out", str(out)]
    launcher = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
    try:
        while launcher.poll() is None and len(children.read_text().split()) < 2:
            time.sleep(0.01)
        os.kill(int(children.read_text().split()[1]), signal.SIGKILL)
        assert launcher.wait(timeout=300) != 0
    finally:
        launcher.kill()
        launcher.wait()
    assert not (out / "certificate.json").exists()
    assert pacbayes(*certify(site), "--out", str(out)).returncode == 0
    assert (out / "certificate.json").read_bytes() == (
        site / "one" / "certificate.json"
    ).read_bytes()
