"""SIGKILL at random moments: no torn file, no false certificate, the same bytes in the end."""

import random
from pathlib import Path

import pytest

from tests.faults.children import Work, kill_at_random


def kill(
    good: Path,
    folder: Path,
    whole: dict[str, bytes],
    durations: dict[str, float],
    *,
    runs: int,
    kills: int,
) -> int:
    """Kill every stage of every run so often, then finish it; return how many kills there were."""
    chance = random.Random(1)  # noqa: S311 - moments, not secrets
    total = 0
    for k in range(runs):
        work = Work(good, folder / f"work{k}")
        for stage in work.stages:
            kill_at_random(
                work, stage, kills=kills, chance=chance, duration=durations[stage], whole=whole
            )
            total += kills
            if stage != "check":
                _finish_stage(work, stage)
        assert work.finish() == whole
        assert not list(work.folder.rglob("*.pacbayes-tmp"))
    return total


def _finish_stage(work: Work, stage: str) -> None:
    from tests.faults.children import finish

    assert finish(work.stages[stage], work.log) == 0, work.log.read_text()


def test_killed_runs_resume_to_the_same_bytes(
    good: Path, tmp_path: Path, whole: dict[str, bytes], durations: dict[str, float]
) -> None:
    assert kill(good, tmp_path, whole, durations, runs=2, kills=3) == 18


@pytest.mark.slow
def test_three_hundred_kills(
    good: Path, tmp_path: Path, whole: dict[str, bytes], durations: dict[str, float]
) -> None:
    assert kill(good, tmp_path, whole, durations, runs=20, kills=5) == 300


def test_a_torn_certificate_would_be_seen(
    good: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    """Negative control of the check after every kill."""
    work = Work(good, tmp_path / "work")
    torn = work.folder / "out" / "certificate.json"
    torn.parent.mkdir()
    torn.write_bytes(whole["out/certificate.json"][:-20])
    with pytest.raises(Exception, match="JSON"):
        work.require_whole()
    assert work.files() != whole
