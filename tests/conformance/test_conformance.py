"""Every bad input of the corpus: its exit code, a reason, no traceback, no certificate."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacbayes.cli.main import run
from tests.conformance import certificates, checkpoints, data, masks, models, parameters
from tests.conformance.corpus import Case, Site, make_good

CORPORA = [m.CORPUS for m in (checkpoints, masks, data, parameters, models, certificates)]
SECONDS = 2.0  # of the processor; torch is imported before
CASES = [case for corpus in CORPORA for case in corpus.cases]


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    make_good(folder)
    return folder


@pytest.fixture(autouse=True)
def _undisturbed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The folder of the case is the current one; handlers and environment are as they were."""
    for name in ("PACBAYES_DATA", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "JENKINS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def test_the_corpus_is_large_and_its_names_are_distinct() -> None:
    names = [(case.kind, case.name) for case in CASES]
    assert len(set(names)) == len(names)
    assert len(CASES) >= 150
    assert all(len(corpus.cases) >= 20 for corpus in CORPORA)
    assert all(case.code in (1, 2, 3, 4, 74) for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_input(
    case: Case, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(argument) for argument in case.make(Site(good=good, folder=tmp_path))]
    before = sorted(good.rglob("*"))
    started = time.process_time()
    code = run(argv)
    assert time.process_time() - started <= SECONDS
    said = capsys.readouterr()
    both = said.out + said.err
    assert code == case.code, both
    assert "Traceback" not in both
    assert not any(character in both for character in "\x1b\x00\x07")
    reasons = [line for line in (said.err or said.out).splitlines() if case.says(line)]
    assert reasons, both
    assert all(len(line) < 1500 for line in reasons)
    if code != 4 and said.err and argv[:1] != ["check"]:  # 4 lists problems, check has a table
        assert case.says(said.err.splitlines()[-1]), both
    assert not list(tmp_path.rglob("*certificate.json"))
    assert not list(tmp_path.rglob("*.pacbayes-tmp"))
    assert not (tmp_path / "canary").exists()
    assert sorted(good.rglob("*")) == before
