"""check and compare start without torch, numpy, scipy or matplotlib, on a hundred certificates."""

import subprocess
import sys
from pathlib import Path

import pytest

from pacbayes.certificate import Baseline, DrawFacts, issue
from tests.certificate.cases import evidence
from tests.imports import PACKAGE

PROGRAM = """
import importlib.abc, sys

class Wall(importlib.abc.MetaPathFinder):
    heavy = {"torch", "torchvision", "numpy", "scipy", "safetensors", "matplotlib", "sklearn"}

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.heavy:
            raise ImportError(f"{name} must not be imported")

sys.meta_path.insert(0, Wall())
sys.path.insert(0, sys.argv.pop(1))
from pacbayes.cli.main import run
sys.exit(run(sys.argv[1:]))
"""
COUNT = 100


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hundred")
    made = [
        issue(
            **evidence(
                name=f"lenet300/toy/ticket{number}",
                draws=DrawFacts(draws=5, errors=3000 + 37 * number, trials=150000),
            )
        )
        for number in range(COUNT)
    ]
    for number, certificate in enumerate(made):
        (folder / f"{number:03d}.json").write_bytes(certificate.to_bytes())
    (folder / "baseline").write_bytes(Baseline.of(made, source="test").to_bytes())
    return folder


@pytest.mark.parametrize(
    "options",
    [
        ["check", "--baseline", "baseline"],
        ["check", "--baseline", "baseline", "--format", "markdown"],
        ["compare", "--format", "markdown"],
        ["compare", "--format", "csv", "--html", "report.html"],
    ],
    ids=" ".join,
)
def test_a_hundred_certificates_need_nothing_heavy(options: list[str], hundred: Path) -> None:
    files = [f"{number:03d}.json" for number in range(COUNT)]
    command, *rest = options
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(PACKAGE.parent), command, *files, *rest],
        cwd=hundred,
        capture_output=True,
        text=True,
        check=False,
    )
    said = "pacbayes: written: report.html\n" if "--html" in options else ""
    assert (done.returncode, done.stderr) == (0, said)
    assert done.stdout.count("lenet300/toy/ticket") >= COUNT
