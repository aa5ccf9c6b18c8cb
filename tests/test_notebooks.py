"""Notebooks as they are committed: no outputs, no machine paths, readable in a diff."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
FILES = sorted(FOLDER.glob("*.ipynb"))
MACHINE = re.compile(
    r"(?<![\w.:/<])/(?:home|root|tmp|work|usr|var|mnt|data|Users|opt)\b|[A-Z]:\\\\|https?://"
)


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    text = request.param.read_text(encoding="utf-8")
    return text, json.loads(text)


def sources(document: dict[str, Any], kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == kind]


def test_there_are_seven() -> None:
    assert len(FILES) == 7


def test_outputs_are_stripped(notebook: tuple[str, dict[str, Any]]) -> None:
    _, document = notebook
    for cell in document["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_keys_are_sorted(notebook: tuple[str, dict[str, Any]]) -> None:
    text, document = notebook
    assert text == json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_no_path_of_a_machine_and_no_address(notebook: tuple[str, dict[str, Any]]) -> None:
    text, _ = notebook
    assert MACHINE.findall(text) == []


@pytest.mark.parametrize("text", ["open('/home/me/x')", "/usr/x", "C:\\\\x", "https://a.b"])
def test_a_machine_path_is_seen(text: str) -> None:
    assert MACHINE.search(text)


def test_a_notebook_reads_like_a_page(notebook: tuple[str, dict[str, Any]]) -> None:
    _, document = notebook
    first = document["cells"][0]
    assert first["cell_type"] == "markdown"
    assert first["source"][0].startswith("# ")
    code, prose = sources(document, "code"), sources(document, "markdown")
    assert len(prose) >= len(code) / 2
    assert max(len(cell.splitlines()) for cell in code) <= 45


def test_code_is_python_and_stays_out_of_private_names(
    notebook: tuple[str, dict[str, Any]],
) -> None:
    _, document = notebook
    for source in sources(document, "code"):
        names = [n.attr for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Attribute)]
        assert [name for name in names if name.startswith("_")] == []
