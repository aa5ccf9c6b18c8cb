"""Good files, and what an uninterrupted run leaves."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacbayes.certificate import tool
from tests.conformance.corpus import make_good
from tests.faults.children import Work, finish


@pytest.fixture(scope="session", autouse=True)
def _one_source() -> Iterator[None]:
    """Certificates name the program's source, which an editor may change meanwhile."""
    digest = tool.source_sha256()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tool, "source_sha256", lambda: digest)
        yield


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    make_good(folder)
    return folder


@pytest.fixture(scope="session")
def whole(good: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an uninterrupted run."""
    return Work(good, tmp_path_factory.mktemp("whole") / "work").finish()


@pytest.fixture(scope="session")
def durations(good: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Seconds that each stage takes here, so that kills fall anywhere within it."""
    work = Work(good, tmp_path_factory.mktemp("timed") / "work")
    found = {}
    for stage, argv in work.stages.items():
        started = time.monotonic()
        assert finish(argv, work.log) == 0, work.log.read_text()
        found[stage] = time.monotonic() - started
    return found
