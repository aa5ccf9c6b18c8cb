"""The map of the rooms, held against the code: who imports whom, and what nobody may use."""

import ast
import sys
from pathlib import Path

import pytest

from tests.imports import PACKAGE, cycle, imports, modules, room, targets, uses

TESTS = Path(__file__).resolve().parent
EVERYBODY = {"errors", "bounds"}
ROOMS_BUT_CLI = {
    "bounds", "certificate", "report", "tickets", "runtime", "data", "models", "checkpoints",
    "posterior", "pruning", "risk", "landscape", "pipeline", "studies",
}  # fmt: skip
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "bounds": set(),
    "certificate": set(),
    "report": {"certificate"},
    "tickets": set(),
    "runtime": {"tickets"},
    "data": {"runtime", "tickets"},
    "models": {"runtime", "data"},  # for the one file that imports torchvision
    "checkpoints": {"tickets"},
    "posterior": {"tickets", "runtime"},
    "pruning": {"tickets", "runtime", "data"},
    "risk": {"tickets", "posterior", "runtime", "data"},
    "landscape": {"tickets", "posterior", "pruning", "risk", "runtime", "data"},
    "pipeline": ROOMS_BUT_CLI - {"studies", "landscape"},
    "studies": ROOMS_BUT_CLI,
    "cli": ROOMS_BUT_CLI,
    "__init__": ROOMS_BUT_CLI,  # lazily, which the fresh processes below see to
    "__main__": {"cli"},
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
LONGEST = 500
WITHOUT_TORCH = {"errors", "bounds", "certificate", "report"}
# Whatever runs code that a file brings along.
UNPICKLERS = {
    "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve",
    "torch.hub", "torch.jit.load", "torch.load", "torch.package", "torch.serialization.load",
}  # fmt: skip


def violations(trees: dict[str, ast.Module]) -> list[str]:
    """Imports that the table does not allow."""
    found = []
    for module, tree in trees.items():
        mine = room(module)
        allowed = MAY_IMPORT.get(mine, set()) | EVERYBODY | {mine}
        found += [
            f"{module} imports {target}"
            for target in sorted(targets(tree, set(trees)))
            if room(target) not in allowed and not (mine == "cli" and target == "pacbayes")
        ]
    return found


# --- the walk sees what it should see


def parse(**sources: str) -> dict[str, ast.Module]:
    return {name.replace("__", "."): ast.parse(source) for name, source in sources.items()}


@pytest.mark.parametrize(
    "source",
    [
        "import pacbayes.risk",
        "from pacbayes import risk",
        "from pacbayes.risk import Counts",
        "def f():\n    from pacbayes.risk.counts import Counts",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pacbayes.risk import Counts",
        "import importlib\nimportlib.import_module('pacbayes.risk')",
    ],
)
def test_a_forbidden_import_is_seen_in_every_form(source: str) -> None:
    trees = parse(pacbayes__risk="", pacbayes__risk__counts="", pacbayes__posterior__fit=source)
    assert len(violations(trees)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from pacbayes.tickets import Mask",
        "import pacbayes.bounds, pacbayes.errors",
        "from pacbayes import __version__",
        "import torch",
    ],
)
def test_an_allowed_import_is_no_violation(source: str) -> None:
    assert violations(parse(pacbayes__posterior__fit=source)) == []


def test_nobody_but_the_cli_reads_the_top_level() -> None:
    source = "from pacbayes import Ticket"
    assert violations(parse(pacbayes__posterior__fit=source)) != []
    assert violations(parse(pacbayes__cli__find=source)) == []


def test_a_cycle_is_seen_through_a_lazy_import() -> None:
    trees = parse(
        pacbayes__a="import pacbayes.b",
        pacbayes__b="def f():\n    from pacbayes.c import x",
        pacbayes__c="from pacbayes import a",
    )
    assert cycle(trees) == ["pacbayes.a", "pacbayes.b", "pacbayes.c", "pacbayes.a"]


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load('a')",
        "import torch as t\nload = t.load",
        "from torch import load",
        "from torch import load as read",
        "import torch.serialization\ntorch.serialization.load('a')",
        "import pickle",
        "def f():\n    from pickle import loads",
    ],
)
def test_an_unpickler_is_seen_in_every_form(source: str) -> None:
    assert uses(ast.parse(source), *UNPICKLERS)


def test_a_state_dict_is_no_unpickler() -> None:
    tree = ast.parse("import torch\nmodel.load_state_dict(torch.loaded)")
    assert uses(tree, *UNPICKLERS) == []


# --- the map


def test_imports_follow_the_table() -> None:
    assert violations(modules()) == []


def test_imports_are_absolute() -> None:
    relative = [
        name for name, tree in modules().items() for target, _ in imports(tree) if target[0] == "."
    ]
    assert relative == []


def test_no_import_cycle() -> None:
    assert cycle(modules()) == []


def test_nobody_imports_the_cli() -> None:
    trees = modules()
    readers = [
        module
        for module, tree in trees.items()
        for target in targets(tree, set(trees))
        if room(target) == "cli" and room(module) not in {"cli", "__main__"}
    ]
    assert readers == []


def test_every_folder_is_a_room_of_the_map() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []
    assert {room(name) for name in modules()} - set(MAY_IMPORT) == set()


def test_no_module_is_too_long() -> None:
    lengths = {
        str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_file_is_named_after_nothing() -> None:
    paths = [*PACKAGE.rglob("*"), *TESTS.rglob("*")]
    assert [path for path in paths if path.stem.removeprefix("test_") in FORBIDDEN_NAMES] == []


def test_torch_is_absent_where_documents_are_read() -> None:
    readers = [
        name
        for name, tree in modules().items()
        if room(name) in WITHOUT_TORCH and uses(tree, "torch", "safetensors")
    ]
    assert readers == []


def test_certificates_need_no_arrays() -> None:
    readers = [
        name
        for name, tree in modules().items()
        if room(name) == "certificate" and uses(tree, "numpy", "scipy")
    ]
    assert readers == []


def test_torchvision_is_imported_in_one_file() -> None:
    readers = {
        name
        for name, tree in modules().items()
        if any(target.split(".")[0] == "torchvision" for target, _ in imports(tree))
    }
    assert readers <= {"pacbayes.data.vision"}


def test_foreign_files_are_opened_in_one_room() -> None:
    openers = [
        f"{name} uses {banned}"
        for name, tree in modules().items()
        if room(name) != "checkpoints"
        for banned in uses(tree, *sorted(UNPICKLERS))
    ]
    assert openers == []


def test_no_array_file_may_bring_objects() -> None:
    openers = [
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle"
        if not (isinstance(node.value, ast.Constant) and node.value.value is False)
    ]
    assert openers == []


# --- the checker

CHECKER = PACKAGE / "certificate" / "checker.py"


def test_the_checker_is_short_and_needs_the_standard_library_alone() -> None:
    text = CHECKER.read_text(encoding="utf-8")
    assert len(text.splitlines()) < LONGEST
    sources = {module.split(".")[0] for module, _ in imports(ast.parse(text))}
    assert sources <= sys.stdlib_module_names
