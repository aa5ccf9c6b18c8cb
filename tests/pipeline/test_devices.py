"""Device and type by flag: named in the certificate, the same folder, or refused in one line."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from pacbayes.certificate import verify
from pacbayes.cli.main import run
from pacbayes.errors import UsageError
from pacbayes.pipeline import certify
from tests.peaks import peak
from tests.pipeline import other_device
from tests.pipeline.requests import find_levels, small_certify


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return find_levels(tmp_path_factory.mktemp("devices") / "run", split=0.5)


def test_the_type_of_the_draws_is_in_the_certificate(levels: Path, tmp_path: Path) -> None:
    documents = []
    for dtype in ("float32", "float64"):
        request = small_certify(levels / "level_02", tmp_path / "out", dtype=dtype)
        (found,) = certify(request)
        assert verify(found.path).accepted
        documents.append(found.certificate.document)
    one, other = documents
    assert [d["environment"]["dtype"] for d in documents] == ["float32", "float64"]
    assert {d["environment"]["deterministic"] for d in documents} == {"on"}
    # One posterior, fitted once, and the same noise.
    assert one["posterior"] == other["posterior"]
    assert one["mc"]["root_sha256"] == other["mc"]["root_sha256"]
    assert abs(one["mc"]["errors"] - other["mc"]["errors"]) <= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_an_absent_device_ends_in_one_line(
    levels: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = f"{levels / 'level_02'} --model mlp:64-20-10 --data digits --out {tmp_path / 'o'}"
    for command in ("certify", "evaluate --fit-only"):
        assert run([*command.split(), *arguments.split(), "--device", "cuda"]) == 2
        assert capfd.readouterr().err.splitlines() == [
            "pacbayes: --device cuda: torch finds no CUDA device here; take cpu"
        ]
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("bound", ["recursive", "disintegrated", "test-set", "occam"])
def test_theorems_that_count_on_the_cpu_refuse_the_flags(bound: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave --device and --dtype out"):
        small_certify(tmp_path, tmp_path, bound=bound, dtype="float64")


def test_errors_are_counted_again_in_the_type_of_the_certificate(
    levels: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    certify(small_certify(levels / "level_02", out, dtype="float64"))
    site = "--model mlp:64-20-10 --data digits --split 0.5".split()
    stored = str(out / "ticket" / "posterior.safetensors")
    assert run(["verify", str(out / "certificate.json"), "--checkpoint", stored, *site]) == 0
    assert "counted again" in capfd.readouterr().out
    document = json.loads((out / "certificate.json").read_text())
    assert document["environment"]["dtype"] == "float64"


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("torch._lazy.ts_backend") is None, reason="torch has no lazy backend"
)
def test_fits_and_counts_stay_on_their_device() -> None:
    done = peak("-m", other_device.__name__)
    assert done.code == 0, done.output
    found = json.loads(done.output.splitlines()[-1])
    assert len(found) == 6
    for values in found.values():
        assert values["errors there"] == values["errors here"] > 0
        # Two steps of Adam at rates up to 1e-3; float32 rounds weights of size one to 1e-7.
        assert values["means differ by"] < 1e-6
        assert values["came back"]
