"""What a fresh interpreter loads, and what the top level offers."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import pacbayes
from tests.imports import PACKAGE

HEAVY = ["matplotlib", "numpy", "safetensors", "scipy", "sklearn", "torch", "torchvision"]


def run(arguments: list[str], *, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def loaded_by(statement: str, *, folder: Path) -> tuple[list[str], str]:
    """Heavy packages that a statement loads in a fresh interpreter, and what else it said."""
    code = "\n".join(
        [
            "import sys",
            f"sys.path.insert(0, {str(PACKAGE.parent)!r})",
            statement,
            "import json",
            f"print(json.dumps(sorted(set({HEAVY!r}) & set(sys.modules))), file=sys.stderr)",
        ]
    )
    done = run(["-c", code], folder=folder)
    assert done.returncode == 0, done.stderr
    *said, last = done.stderr.splitlines()
    heavy: list[str] = json.loads(last)
    return heavy, done.stdout + "\n".join(said)


@pytest.mark.parametrize(
    "statement",
    [
        "import pacbayes",
        "import pacbayes; dir(pacbayes); pacbayes.__version__",
        "import pacbayes.errors",
        "import pacbayes.bounds",
        "import pacbayes.certificate",
        "import pacbayes.certificate.checker",
        "import pacbayes; pacbayes.Confidence, pacbayes.Certificate",
        "import pacbayes; pacbayes.verify, pacbayes.compare",
    ],
)
def test_loads_nothing_heavy(statement: str, tmp_path: Path) -> None:
    heavy, _ = loaded_by(statement, folder=tmp_path)
    assert heavy == []


def test_the_probe_sees_a_heavy_import(tmp_path: Path) -> None:
    heavy, _ = loaded_by("import numpy", folder=tmp_path)
    assert heavy == ["numpy"]


CALCULATION = ["bound", "--errors", "600", "--trials", "30000", "--kl", "120", "--n", "30000"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["bound", "--help"], 0),
        ([*CALCULATION, "--delta", "0.05", "--format", "json"], 0),
        ([*CALCULATION, "--delta", "2"], 2),
        (["verify", "--help"], 0),
        (["verify", "absent.json"], 3),
        (["compare", "--help"], 0),
        (["compare", "absent.json", "gone.json"], 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_command_without_tensors_loads_nothing_heavy(
    arguments: list[str], code: int, tmp_path: Path
) -> None:
    statement = "\n".join(
        [
            f"sys.argv = ['pacbayes', *{arguments!r}]",
            "from pacbayes.cli import main",
            "try:",
            "    code = main()",
            "except SystemExit as end:",
            "    code = end.code",
            f"if (code or 0) != {code}: sys.exit(f'exit code {{code}}')",
        ]
    )
    heavy, said = loaded_by(statement, folder=tmp_path)
    assert heavy == []
    assert "Traceback" not in said


def test_the_checker_loads_where_nothing_is_installed(tmp_path: Path) -> None:
    alone = tmp_path / "checker.py"
    alone.write_bytes((PACKAGE / "certificate" / "checker.py").read_bytes())
    code = f"import runpy; print(sorted(runpy.run_path({str(alone)!r}, run_name='checker'))[:1])"
    # -I leaves out the environment and the current folder, -S the installed packages.
    done = run(["-I", "-S", "-c", code], folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


NAMES = [name for name in pacbayes.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_a_class_or_a_function(name: str) -> None:
    value = getattr(pacbayes, name)
    # A function must not be shadowed by the module of the same name.
    assert callable(value)
    assert not isinstance(value, ModuleType)
    assert value.__name__ == name
    assert value.__doc__


def test_the_top_level_lists_its_names() -> None:
    assert set(pacbayes.__all__) <= set(dir(pacbayes))
    assert sorted(pacbayes.__all__) == pacbayes.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'accuracy'"):
        getattr(pacbayes, "accuracy")  # noqa: B009 - mypy knows that the name is absent


def test_the_version_is_that_of_the_project() -> None:
    metadata = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{pacbayes.__version__}"\n' in metadata
