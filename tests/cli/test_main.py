"""Every command is found under its name, and a quick one loads nobody else's file."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

import pacbayes.cli
from pacbayes.cli.main import FILES, cli

HERE = click.Context(cli)


def test_names_are_those_of_the_commands() -> None:
    assert {cli.get_command(HERE, name).name for name in cli.list_commands(HERE)} == set(FILES)
    assert cli.get_command(HERE, "verfy") is None


def test_every_file_that_defines_a_command_of_its_own_name_is_listed() -> None:
    files = {path.stem for path in Path(pacbayes.cli.__file__).parent.glob("*.py")}
    defined = {name for name in files if f"def {name}(" in _text(name)}
    assert defined - {"main", "table"} <= set(FILES)


def _text(name: str) -> str:
    return (Path(pacbayes.cli.__file__).parent / f"{name}.py").read_text()


@pytest.mark.parametrize("name", ["bound", "verify", "compare", "check"])
def test_a_quick_command_loads_no_other(name: str) -> None:
    code = (
        "import sys; from pacbayes.cli.main import run; run([sys.argv[1], '--help']); "
        "print(*sorted(m for m in sys.modules if m.startswith('pacbayes.cli.')), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, name], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage")
    others = {f"pacbayes.cli.{other}" for other in FILES} - {f"pacbayes.cli.{name}"}
    assert others.isdisjoint(done.stderr.split())
