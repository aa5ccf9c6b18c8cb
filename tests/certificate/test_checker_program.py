"""The checker as a program of its own, on a bare interpreter."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pacbayes.certificate import Certificate, checker
from tests.certificate.tampering import put, seal

SOURCE = Path(checker.__file__)


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Without site packages and environment: torch, numpy, scipy and pacbayes cannot be found."""
    return subprocess.run(
        [sys.executable, "-S", "-I", str(SOURCE), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_accepts_on_a_bare_interpreter(certificate: Certificate, tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(certificate.to_bytes())
    done = run(path, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first == f"accepted {path}: {certificate.claim.statement}"
    assert second == "  declared, not checked: V8, V11, V14, V16, V28"


def test_exit_code_is_the_worst(split_certificate: Certificate, tmp_path: Path) -> None:
    good, bad, ugly = (tmp_path / name for name in ("good", "bad", "ugly"))
    good.write_bytes(split_certificate.to_bytes())
    bad.write_bytes(seal(put(split_certificate.document, ("mc", "errors"), 3311)))
    ugly.write_bytes(b"{")
    assert run(good, good, folder=tmp_path).returncode == 0
    assert run(good, bad, folder=tmp_path).returncode == 1
    mixed = run(ugly, bad, good, tmp_path / "missing", tmp_path, folder=tmp_path)
    assert (mixed.returncode, mixed.stderr) == (3, "")
    words = [line.split()[0] for line in mixed.stdout.splitlines() if not line.startswith(" ")]
    assert words == ["malformed", "rejected", "accepted", "unreadable", "unreadable"]
    assert run(folder=tmp_path).returncode == 2


def test_main_in_process(
    split_certificate: Certificate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(split_certificate.to_bytes())
    bad.write_bytes(b"[]")
    assert checker.main([str(good)]) == 0
    assert checker.main([str(good), str(bad), str(tmp_path / "missing")]) == 3
    assert checker.main([]) == 2
    assert capsys.readouterr().out.count("accepted") == 2


def test_imports_nothing_but_six_standard_modules() -> None:
    tree = ast.parse(SOURCE.read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert imported == {"decimal", "fractions", "hashlib", "json", "math", "re", "sys"}


def test_stays_short_enough_to_read() -> None:
    assert len(SOURCE.read_text().splitlines()) < 500


def test_ambient_decimal_settings_do_not_matter(certificate: Certificate) -> None:
    import decimal

    for setting in (
        decimal.Context(prec=3, rounding=decimal.ROUND_DOWN),
        decimal.Context(prec=1, Emax=1, Emin=-1, traps=[decimal.Inexact]),
    ):
        with decimal.localcontext(setting):
            assert checker.check(certificate.to_bytes()) == certificate.document
