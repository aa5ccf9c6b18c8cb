"""`pacbayes overlap` on real tickets."""

import json
from pathlib import Path

import pytest

from pacbayes.cli.main import run
from pacbayes.pipeline import find
from pacbayes.pruning import FindPlan, TrainPlan
from tests.pipeline.requests import small_find


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scores from one initialisation, and random masks."""
    folder = tmp_path_factory.mktemp("runs")
    train = TrainPlan(epochs=5, lr=0.1, batch_size=50)
    for score in ("magnitude", "l1", "l2", "random"):
        plan = FindPlan(train=train, levels=2, fraction=0.6, score=score)
        find(small_find(folder / score, plan=plan))
    return folder


def overlap(runs: Path, *names: str, more: tuple[str, ...] = ()) -> int:
    return run(["overlap", *(str(runs / name / "level_02") for name in names), *more])


def test_three_scores_share_far_more_than_chance(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert overlap(runs, "magnitude", "l1", "l2", more=("--format", "json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["whole"]["times_chance"] > 3
    assert found["whole"]["deviations"] > 10
    assert set(found["tensors"]) == {"fc1.weight", "fc2.weight"}


def test_random_masks_do_not(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert overlap(runs, "magnitude", "random", more=("--format", "json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert abs(found["whole"]["deviations"]) < 5


def test_the_table_has_a_row_per_tensor_and_one_for_all(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert overlap(runs, "magnitude", "l1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["tensor", "fc1.weight", "fc2.weight", "all"]


def test_stability_reads_the_earlier_levels(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert overlap(runs, "magnitude", "l1", more=("--stability", "--format", "json")) == 0
    found = json.loads(capsys.readouterr().out)
    common = sum(row["common"] for row in found["tensors"].values())
    for tensors in found["stability"].values():
        assert sum(groups["common"]["connections"] for groups in tensors.values()) == common
        assert all(0 <= groups["common"]["sign_flips"] <= 2 for groups in tensors.values())
    assert overlap(runs, "magnitude", "l1", more=("--stability",)) == 0
    assert "sign flips" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 2), (["level_00"], 2), (["level_00", "absent"], 3)]
)
def test_exit_codes(runs: Path, arguments: list[str], code: int) -> None:
    assert run(["overlap", *(str(runs / "l1" / name) for name in arguments)]) == code


def test_stability_without_earlier_levels_is_an_input_error(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "level_02"
    alone.symlink_to(runs / "l1" / "level_02")
    other = str(runs / "l2" / "level_02")
    assert run(["overlap", str(alone), other, "--stability"]) == 3
    assert "earlier levels" in capsys.readouterr().err
