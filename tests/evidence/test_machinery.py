"""The machinery of the evidence: mutants are real changes, shards survive, the page is written."""

import ast
import json
from pathlib import Path

import pytest

from tests.evidence import mutants
from tests.evidence.mutate import mutants as changes_of
from tests.evidence.page import write_page
from tests.evidence.shards import Experiment, added

SOURCE = '''
"""A docstring is not changed."""
LIMIT = 3


def clipped(x: int = 1) -> int:
    """Neither is this."""
    if x < LIMIT and not x == 2:
        raise ValueError(f"{x + 1} is too small")
    return min(x, LIMIT) + 1
'''


def test_mutants_are_named_and_differ() -> None:
    changes = changes_of(SOURCE)
    names = [change.name for change in changes]
    assert len(set(names)) == len(names)
    assert "clipped: x < LIMIT => x <= LIMIT" in names
    assert "clipped: min => max" in names
    assert "module: 3 => 4" in names
    assert not any("docstring" in name for name in names)
    texts = {ast.unparse(change.tree()) for change in changes}
    assert len(texts) == len(changes)
    assert ast.unparse(ast.parse(SOURCE)) not in texts
    for change in changes:
        compile(change.tree(), "mutant", "exec")


@pytest.mark.parametrize("target", mutants.TARGETS, ids=lambda path: path.stem)
def test_reasons_are_of_mutants_that_exist(target: Path) -> None:
    names = {change.name for change in changes_of(target.read_text())}
    places = {name.split(":")[0] for name in names}
    for name, reason in mutants.reasons().get(target.stem, {}).items():
        assert name in names | places
        assert len(reason) > 20


def test_shards_are_done_once(tmp_path: Path) -> None:
    asked: list[int] = []

    def work(shard: int) -> dict[str, int]:
        asked.append(shard)
        return {"inputs": shard}

    experiment = Experiment(name="sums", shards=4, work=work, depends=("Makefile",))
    assert added(experiment.run(tmp_path, until=0.0), "inputs") == 0
    assert added(experiment.run(tmp_path), "inputs") == 6
    assert added(experiment.run(tmp_path), "inputs") == 6
    assert asked == [0, 1, 2, 3]
    path = tmp_path / "sums.json"
    stored = json.loads(path.read_text())
    del stored["shards"]["1"]
    path.write_text(json.dumps(stored))
    assert len(experiment.known(tmp_path)) == 3
    assert added(experiment.run(tmp_path), "inputs") == 6
    assert asked == [0, 1, 2, 3, 1]


def test_shards_of_other_code_are_done_again(tmp_path: Path) -> None:
    experiment = Experiment(
        name="ones", shards=2, work=lambda _: {"ones": 1}, depends=("Makefile",)
    )
    stale = {"key": "other", "shards": {"0": {"ones": 9}}}
    (tmp_path / "ones.json").write_text(json.dumps(stale))
    assert experiment.known(tmp_path) == []
    assert added(experiment.run(tmp_path), "ones") == 2


def test_a_page_without_results_says_so(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write_page(page, tmp_path)
    text = page.read_text()
    assert "Not all is done yet" in text
    assert "$" not in text
