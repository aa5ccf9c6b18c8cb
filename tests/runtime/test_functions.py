"""The user's own functions: found in the current folder, blamed by name."""

import sys
from pathlib import Path

import pytest

from pacbayes.errors import InputError, UsageError
from pacbayes.runtime.functions import user_code


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_current_folder_is_importable_and_the_path_restored(here: Path) -> None:
    (here / "zoo_a.py").write_text("def make(n):\n    import zoo_b\n    return zoo_b.ANSWER + n\n")
    (here / "zoo_b.py").write_text("import sys\nsys.path.append('x')\nANSWER = 41\n")
    before = list(sys.path)
    with user_code("zoo_a:make") as make:
        assert make(1) == 42
    assert sys.path == before


def test_path_is_restored_after_an_error(here: Path) -> None:
    (here / "zoo_c.py").write_text("def make():\n    raise KeyError('two\\nlines')\n")
    before = list(sys.path)
    with pytest.raises(InputError, match="zoo_c:make raised KeyError") as caught:
        with user_code("zoo_c:make") as make:
            make()
    assert "\n" not in str(caught.value)
    assert sys.path == before


def test_exit_in_the_users_code_is_an_input_error(here: Path) -> None:
    (here / "zoo_d.py").write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(InputError, match="SystemExit"), user_code("zoo_d:make"):
        pass


@pytest.mark.parametrize(
    ("spec", "error", "text"),
    [
        ("os", UsageError, "expected module:function"),
        (":x", UsageError, "expected module:function"),
        ("os:", UsageError, "expected module:function"),
        ("no_such_module_here:x", InputError, "no_such_module_here"),
        ("os:no_such", InputError, "no function no_such"),
        ("os:name", InputError, "no function name"),
    ],
)
def test_what_is_not_there(here: Path, spec: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text), user_code(spec):
        pass


def test_methods_are_functions_too(here: Path) -> None:
    with user_code("pathlib:Path.cwd") as function:
        assert function() == here
