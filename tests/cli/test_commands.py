"""The program as a user runs it: real processes, exit codes, stdout and stderr."""

import io
import json
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from pacbayes.checkpoints import read_ticket
from pacbayes.cli.main import run as run_program
from tests.pipeline.requests import foreign_files

PROGRAM = [sys.executable, "-c", "from pacbayes.cli import main; main()"]
NETWORK = ["--model", "mlp:64-60-10", "--data", "digits"]
FIND = ["--levels", "2", "--epochs", "8", "--batch-size", "50", "-q"]
CERTIFY = ["--epochs", "2", "--draws", "2", "-q"]


@dataclass(frozen=True)
class Ran:
    stdout: str
    stderr: str


def run(*arguments: object, code: int = 0) -> Ran:
    """Run the program inside this process, which spares the start of torch."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        found = run_program([str(argument) for argument in arguments])
    ran = Ran(out.getvalue(), err.getvalue())
    assert found == code, ran.stderr
    if code in range(5):
        assert "Traceback" not in ran.stderr
    return ran


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    found = run("find", *NETWORK, *FIND, "--out", out)
    assert found.stdout.splitlines() == [str(out / f"level_{k:02d}") for k in range(3)]
    return out


@pytest.fixture(scope="module")
def certified(levels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    run("certify", levels / "level_02", *NETWORK, *CERTIFY, "--dense", "--out", out)
    return out


def test_certify_leaves_both_certificates_and_a_table(certified: Path, levels: Path) -> None:
    again = run(
        "certify", levels / "level_02", *NETWORK, *CERTIFY, "--dense", "--out", certified
    ).stdout
    for name in ("certificate.json", "dense.certificate.json"):
        assert (certified / name).exists()
    assert "nats spent on" in again
    assert "hold-out bound" in again
    assert "delta/2" in again


def test_running_again_leaves_the_same_bytes(certified: Path, levels: Path) -> None:
    before = (certified / "certificate.json").read_bytes()
    run("certify", levels / "level_02", *NETWORK, *CERTIFY, "--dense", "--out", certified)
    assert (certified / "certificate.json").read_bytes() == before


def test_another_request_needs_another_folder_or_force(certified: Path, levels: Path) -> None:
    options = ["certify", levels / "level_02", *NETWORK, *CERTIFY, "--out", certified]
    refused = run(*options, "--delta", "0.1", code=2)
    assert "--force" in refused.stderr


def test_verify_accepts_and_names_what_is_only_declared(certified: Path) -> None:
    found = run("verify", certified / "certificate.json")
    assert "accepted" in found.stdout
    assert "V8" in found.stdout


def test_verify_rejects_a_better_looking_number(certified: Path, tmp_path: Path) -> None:
    document = json.loads((certified / "certificate.json").read_text())
    document["claim"]["risk_upper"] = "0.001"
    (tmp_path / "c.json").write_text(json.dumps(document))
    assert "REJECTED" in run("verify", tmp_path / "c.json", code=1).stdout


def test_compare_puts_dense_and_ticket_side_by_side(certified: Path) -> None:
    found = run(
        "compare",
        certified / "dense.certificate.json",
        certified / "certificate.json",
        "--format",
        "json",
    )
    rows = json.loads(found.stdout)["rows"]
    assert [row["role"] for row in rows] == ["dense", "ticket"]
    # Each of two rounds removes 20 %, rounded to whole weights of 4440.
    assert float(rows[1]["sparsity"]) == pytest.approx(0.36, abs=2 / 4440)


def test_json_output_is_the_document_itself(levels: Path, tmp_path: Path) -> None:
    found = run(
        "certify", levels / "level_02", *NETWORK, *CERTIFY, "--out", tmp_path, "--format", "json"
    )
    written = json.loads((tmp_path / "certificate.json").read_text())
    assert json.loads(found.stdout) == written


def test_a_foreign_checkpoint_with_init_and_mask_is_charged(levels: Path, tmp_path: Path) -> None:
    files = foreign_files(tmp_path / "files", levels)
    found = run(
        "certify",
        files["model"],
        *NETWORK,
        *CERTIFY,
        "--init",
        files["init"],
        "--mask",
        files["mask"],
        "--out",
        tmp_path / "out",
    )
    document = json.loads((tmp_path / "out" / "certificate.json").read_text())
    assert document["data"]["n"] == 1500
    assert document["prior"]["kind"] == "init"
    assert document["prior"]["mask"]["price"] == "count"
    ticket = read_ticket(levels / "level_02")
    nats = sum(float(t["kl"]["mask"]) for t in document["posterior"]["tensors"])
    assert nats > 0.9 * ticket.mask.prunable * 0.6  # H(0.64) = 0.653 nats per weight
    assert float(document["claim"]["risk_upper"]) > 0.9
    assert "positions of the mask cost" in found.stdout


def test_violated_conditions_are_listed_together(levels: Path, tmp_path: Path) -> None:
    lists = {"prior": list(range(750)), "certificate": list(range(750, 1500))}
    (tmp_path / "split.json").write_text(json.dumps(lists))
    found = run(
        "certify",
        levels / "level_02",
        *NETWORK,
        "--split-file",
        tmp_path / "split.json",
        "--out",
        tmp_path / "out",
        code=4,
    )
    assert "[V1]" in found.stderr
    assert "[V4]" in found.stderr
    assert not (tmp_path / "out" / "certificate.json").exists()


def test_the_calculator_agrees_with_the_golden_number() -> None:
    """kl bound at q = 1200/60000, KL = 5000, delta = 1/20, taken as exact."""
    options = ["--risk", "0.02", "--kl", "5000", "--n", "60000", "--delta", "0.05"]
    found = json.loads(run("bound", *options, "--format", "json").stdout)
    assert found["risk_upper"].startswith("0.134340191671621")
    assert float(found["risk_upper"]) >= 0.1343401916716210518


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["bound", "--errors", "1", "--n", "100"], 2),
        (["bound", "--risk", "0.1", "--n", "100", "--delta", "2"], 2),
        (["bound", "--risk", "nan", "--n", "100"], 2),
        (["bound", "--nothing"], 2),
        (["verify"], 2),
        (["verify", "absent.json"], 3),
        (["compare"], 2),
        (["inspect", "absent.pt"], 3),
        (["certify", "absent", *NETWORK, "--out", "o"], 3),
        (["certify", "absent", *NETWORK, "--out", "o", "--delta", "x"], 2),
        (["certify", "absent", "--model", "mlp:1-2", "--data", "digits", "--out", "o"], 2),
        (["find", *NETWORK, "--levels", "-1", "--out", "o"], 2),
        (["find", "--model", "lenet300", "--data", "mnist", "--data-root", "no", "--out", "o"], 3),
        (["find", "--model", "none", "--data", "digits", "--out", "o"], 2),
    ],
)
def test_exit_codes_and_one_line_reasons(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(*arguments, code=code)
    assert found.stdout == ""
    assert found.stderr.strip()


@pytest.mark.parametrize(
    "command",
    [[], ["find"], ["certify"], ["bound"], ["verify"], ["compare"], ["inspect"], ["demo"]],
)
def test_help_is_there_for_every_command(command: list[str]) -> None:
    assert "Usage" in run(*command, "--help").stdout


def test_inspect_shows_every_kind_of_file(levels: Path, certified: Path, tmp_path: Path) -> None:
    files = foreign_files(tmp_path, levels)
    for path in (
        files["model"],
        files["mask"],
        levels / "level_02",
        certified / "certificate.json",
    ):
        assert run("inspect", path).stdout.strip()


def test_a_killed_run_resumes_to_the_same_bytes(
    levels: Path, certified: Path, tmp_path: Path
) -> None:
    """SIGTERM while it works: exit 143, no certificate; the same command then finishes."""
    command = ["certify", levels / "level_02", *NETWORK, "--epochs", "150", "--draws", "2"]
    full = [*PROGRAM, *map(str, command), "--out"]
    child = subprocess.Popen([*full, str(tmp_path / "a")], stderr=subprocess.PIPE)
    journal = tmp_path / "a" / "ticket"
    for _ in range(600):
        if list(journal.glob("fit-*.safetensors")):
            break
        time.sleep(0.05)
    child.send_signal(signal.SIGTERM)
    child.communicate()
    assert child.returncode == 143
    assert not (tmp_path / "a" / "certificate.json").exists()
    subprocess.run([*full, str(tmp_path / "a"), "-q"], check=True, capture_output=True)
    subprocess.run([*full, str(tmp_path / "b"), "-q"], check=True, capture_output=True)
    resumed, whole = (tmp_path / k / "certificate.json" for k in ("a", "b"))
    assert resumed.read_bytes() == whole.read_bytes()


def test_demo_certifies_ticket_and_dense(tmp_path: Path) -> None:
    found = run("demo", "--quick", "--out", tmp_path, "-q")
    assert found.stdout.count(": accepted") == 2
    for name in ("certificate.json", "dense.certificate.json"):
        document = json.loads((tmp_path / name).read_text())
        assert float(document["claim"]["risk_upper"]) < 0.3


def test_the_installed_program_runs() -> None:
    found = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("pacbayes, version")
