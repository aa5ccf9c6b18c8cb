"""`python -m tests.evidence.mutants`: do the tests see every small wrong change of the arithmetic?

Each mutant runs in a forked child, whose import of the module is the changed one. The examples of
its docstrings come first, and for the checker documents whose verdicts are known; what these do not
kill runs against the tests of its room. What survives is done again next time, unless
`equivalents.json` gives a reason.
"""

import ast
import doctest
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType

import click

from tests.evidence.mutate import Mutant, mutants
from tests.evidence.shards import RESULTS, ROOT

EXAMPLES, TESTS, TESTS_OF_THE_CHECKER = 20, 75, 180
"""Seconds of a processor after which a mutant hangs: rooms take a third of that or less."""

BOUNDS = ROOT / "pacbayes" / "bounds"
CHECKER = ROOT / "pacbayes" / "certificate" / "checker.py"
TARGETS = (*sorted(BOUNDS.glob("[a-z]*.py")), CHECKER)
LATER = "not at once"
"""What survived the examples and known documents; the tests have yet to be run."""
EQUIVALENTS = Path(__file__).with_name("equivalents.json")

COARSE, DIRECTIONS = "test_coarse.py::test_", "test_directions.py::test_"
PUSHED = f"{DIRECTIONS}published_values["
SEARCHES = ("test_kl.py", "test_golden.py", f"{COARSE}kl_inverse_and_chernoff", f"{COARSE}kl")
THEOREMS = ("test_theorems.py", "test_golden.py", f"{COARSE}theorems")

ROOMS: dict[str, tuple[str, ...]] = {
    "binomial": (
        "test_binomial.py", "test_golden.py", f"{COARSE}tails", f"{COARSE}tail_sums_in_fixed_point",
        f"{COARSE}inverted_tails", f"{COARSE}tails_of_more_trials_than_are_summed",
        f"{DIRECTIONS}tails", f"{PUSHED}binomial]", f"{PUSHED}chernoff]",
        "test_oracle.py::test_random_binomial_tails", "test_failing_inputs.py",
    ),
    "catoni": (
        "test_theorems.py", f"{COARSE}theorems", f"{COARSE}tangents_and_grids",
        f"{COARSE}catoni_near_the_risk", f"{PUSHED}catoni]", f"{PUSHED}catoni grid]",
        "test_disintegrated.py",
    ),
    "complexity": (*THEOREMS, f"{PUSHED}kl]", f"{PUSHED}xi]"),
    "confidence": ("test_confidence.py",),
    "directed": (
        "test_directed.py", f"{COARSE}primitives", f"{DIRECTIONS}logarithms", *SEARCHES,
        f"{DIRECTIONS}kl",
    ),
    "disintegrated": (
        "test_disintegrated.py", f"{COARSE}one_drawn_classifier", f"{PUSHED}rivasplata]",
        f"{PUSHED}drawn catoni]", f"{PUSHED}renyi]", f"{PUSHED}vote]",
    ),
    "doubles": (
        "test_directed.py", *SEARCHES, "test_binomial.py", "test_failing_inputs.py",
        "test_split.py", "test_theorems.py", "test_oracle.py::test_random_kl_inverses",
    ),
    "factorial": (
        "test_directed.py", "test_sums.py", f"{COARSE}factorials", f"{DIRECTIONS}factorials",
        "test_binomial.py", f"{COARSE}sums_and_prices", "test_prices.py",
    ),
    "gibbs": (
        *THEOREMS, f"{COARSE}tangents_and_grids",
        *(f"{PUSHED}{name}]" for name in ("quad", "mcallester", "thiemann", "galvez")),
        f"{PUSHED}galvez fixed]",
    ),
    "inputs": ("test_inputs.py", "test_failing_inputs.py", "test_theorems.py", "test_sums.py"),
    "kl": (
        *SEARCHES, f"{DIRECTIONS}kl", f"{DIRECTIONS}kl_of_fractions", f"{PUSHED}kl inverse]",
        "test_failing_inputs.py", "test_oracle.py::test_random_kl_inverses",
        "test_oracle.py::test_binary_kl_is_an_upper_value_within_an_ulp",
    ),
    "means": (
        "test_means.py", f"{COARSE}means_of_draws", f"{PUSHED}bernstein]", f"{PUSHED}betting]",
    ),
    "prices": ("test_prices.py", f"{COARSE}sums_and_prices", f"{DIRECTIONS}prices"),
    "single": ("test_theorems.py", f"{COARSE}inverted_tails", f"{PUSHED}occam]",
               f"{PUSHED}test set]", "test_golden.py"),
    "split": (
        "test_split.py", f"{COARSE}losses_of_few_values", f"{DIRECTIONS}losses_of_few_values",
    ),
    "sums": ("test_sums.py", f"{COARSE}sums_and_prices", f"{DIRECTIONS}prices", "test_golden.py"),
    "xi": ("test_theorems.py", f"{COARSE}xi", f"{DIRECTIONS}prices", "test_golden.py"),
}  # fmt: skip
"""The tests of each file of bounds, the likely killers first."""

CHECKER_ROOM = tuple(
    f"test_checker_{name}.py"
    for name in (
        "edges", "directions", "rules", "theorems", "oracles", "program", "form", "tampering",
        "arithmetic",
    )
)  # fmt: skip
"""The tests of the checker, the quickest first."""
ARITHMETIC = ("log", "kl_lower", "log_factorial", "log_choose", "binomial_tail", "total")
"""Functions of the checker that one slow file is about, which comes right after the edges."""


def tests_of(target: Path, mutant: Mutant) -> list[str]:
    """Return the tests that may kill a mutant of a file, the likely ones first."""
    if target != CHECKER:
        return [str(ROOT / "tests" / "bounds" / test) for test in ROOMS[target.stem]]
    room = list(CHECKER_ROOM)
    if mutant.name.split(":")[0] in ARITHMETIC:
        room.insert(2, room.pop())
    return [str(ROOT / "tests" / "certificate" / test) for test in room]


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, which is not what its file says."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(
        self, fullname: str, _path: object, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)  # noqa: S102


Verdicts = list[tuple[bytes, bool]]


def verdicts() -> Verdicts:
    """Return documents and whether the second checker accepts them.

    Made by another process, for what a child imports must be the changed module.
    """
    made = subprocess.run(
        [sys.executable, "-m", "tests.evidence.verdicts"], cwd=ROOT, check=True, capture_output=True
    )
    lines = [json.loads(line) for line in made.stdout.splitlines()]
    return [(text.encode(), holds) for text, holds in lines]


def misjudged(mutant: Mutant, known: Verdicts) -> str:
    """Return what a changed checker gets wrong first, if anything."""
    module = ModuleType("checker")
    exec(compile(mutant.tree(), "checker", "exec"), module.__dict__)  # noqa: S102
    for data, holds in known:
        try:
            module.check(data)
            said = True
        except module.Rejected:
            said = False
        if said != holds:
            return "a certificate" if holds else "a false certificate"
    return ""


def killer(target: Path, mutant: Mutant, known: Verdicts, *, tests: bool) -> str:
    """Return what fails, "a hang", "an import", or "survived"."""
    seconds = (TESTS_OF_THE_CHECKER if target == CHECKER else TESTS) if tests else EXAMPLES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / target.name  # for tests that run the file as a program
        path.write_text(ast.unparse(mutant.tree()))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            _import_changed(target, mutant, path)
            with os.fdopen(writing, "w") as pipe:
                pipe.write(_tested(target, mutant) if tests else _tried(target, mutant, known))
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
    return told if told != "" else "a hang"


def _tried(target: Path, mutant: Mutant, known: Verdicts) -> str:
    """Return what kills a mutant at once, "survived" if nothing does; in a child only."""
    try:
        wrong = misjudged(mutant, known) if known else ""
    except Exception:  # a checker that crashes is found out as well
        return "a crash"
    with redirect_stdout(io.StringIO()):
        return wrong or _failed_examples(target) or "survived"


def _import_changed(target: Path, mutant: Mutant, path: Path) -> None:
    name = ".".join(target.relative_to(ROOT).with_suffix("").parts)
    sys.meta_path.insert(0, _Finder(name, path, mutant.tree()))


def _tested(target: Path, mutant: Mutant) -> str:
    """Return the test that kills a mutant, "survived" if none does; in a child only."""
    import pytest

    class Plugin:
        failed = ""

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed and not self.failed:
                self.failed = report.nodeid.split("/")[-1]

    plugin = Plugin()
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark", "--tb=no"]
    # A few examples kill most mutants of bounds; the checker's tests hardly draw any.
    for profile in ("fast", "steady") if target != CHECKER else ("steady",):
        chosen = [*options, f"--hypothesis-profile={profile}", *tests_of(target, mutant)]
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            code = pytest.main(chosen, plugins=[plugin])
        if code != 0:
            return plugin.failed or "an import"
    return "survived"


def _failed_examples(target: Path) -> str:
    """Return what fails of the examples in the docstrings of a file: they have all digits."""
    name = ".".join(target.relative_to(ROOT).with_suffix("").parts)
    try:
        failed = doctest.testmod(importlib.import_module(name)).failed
    except Exception:  # a module that does not load kills as well
        return "an import"
    return "an example" if failed else ""


def load(results: Path, target: Path) -> dict[str, str]:
    """Return the fates that are known of the mutants of a file as it is now."""
    path = results / "mutants" / f"{target.stem}.json"
    if not path.is_file():
        return {}
    stored = json.loads(path.read_text())
    fates: dict[str, str] = stored["fates"]
    return fates if stored["key"] == digest(target) else {}


def save(results: Path, target: Path, fates: dict[str, str]) -> None:
    """Write the fates of the mutants of a file."""
    path = results / "mutants" / f"{target.stem}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"key": digest(target), "fates": fates}, indent=1))


def digest(target: Path) -> str:
    """Return what the names of mutants and their meaning follow from."""
    sources = (target, Path(__file__).with_name("mutate.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def reason(known: dict[str, str], name: str) -> str:
    """Return why a mutant is no fault: a reason of its own, or of its whole function."""
    return known.get(name, known.get(name.split(":", maxsplit=1)[0], ""))


def reasons() -> dict[str, dict[str, str]]:
    """Return why mutants of a file that survive are no faults, by file and name."""
    found: dict[str, dict[str, str]] = json.loads(EQUIVALENTS.read_text())
    return found


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([path.stem for path in TARGETS]))
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS)
@click.option("--sample", type=int, default=1, help="one mutant in so many, by its name")
@click.option("--seconds", type=float, default=1e9, help="stop after so long; the rest comes next")
def main(names: Sequence[str], results: Path, sample: int, seconds: float) -> None:
    """Kill the mutants of some files of bounds and of the checker (of all by default)."""
    import flint  # noqa: F401
    import hypothesis  # noqa: F401
    import numpy as np  # noqa: F401
    import pytest  # noqa: F401

    end = time.monotonic() + seconds
    for target in TARGETS:
        if not names or target.stem in names:
            hunt(results, target, sample=sample, end=end)


def hunt(results: Path, target: Path, *, sample: int, end: float) -> None:
    """Try the mutants of a file that nothing killed so far, those that die at once first."""
    fates, told = load(results, target), reasons().get(target.stem, {})
    known = verdicts() if target == CHECKER else []
    for tests in (False, True):
        for mutant in mutants(target.read_text()):
            if int(hashlib.sha256(mutant.name.encode()).hexdigest(), 16) % sample:
                continue
            fate = fates.get(mutant.name, "")
            if fate not in (("", LATER, "survived") if tests else ("",)):
                continue
            if reason(told, mutant.name):
                continue
            if time.monotonic() > end:
                return
            fate = killer(target, mutant, known, tests=tests)
            fates[mutant.name] = LATER if fate == "survived" and not tests else fate
            save(results, target, fates)
            if fates[mutant.name] == "survived":
                click.echo(f"{target.stem}: survived: {mutant.name}", err=True)


if __name__ == "__main__":
    main()
