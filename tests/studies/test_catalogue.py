"""The list of studies: the command knows them all, and reads it without torch."""

import subprocess
import sys
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

from pacbayes.cli.main import run
from pacbayes.errors import UsageError
from pacbayes.studies.catalogue import STUDIES, run_study
from pacbayes.studies.request import StudyRequest


def test_help_lists_every_study_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["study", "--help"]) == 0
    said = capsys.readouterr().out
    for name, line in STUDIES.items():
        assert name in said
        assert len(line) < 80


def test_the_list_is_read_without_torch() -> None:
    code = "import sys, pacbayes.cli.study; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_study_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are"):
        run_study("nobody2030", StudyRequest(out=tmp_path))
    assert run(["study", "nobody2030"]) == 2


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_settings_of_every_size(name: str) -> None:
    module = import_module(f"pacbayes.studies.{name}")
    assert set(module.SETTINGS) == {"quick", "long", "full"}
    for settings in module.SETTINGS.values():
        # Their text decides which steps of an earlier run count, so it must not name an address.
        assert is_dataclass(settings)
        assert " at 0x" not in repr(settings)
