"""Finding into a folder: what it leaves, going on, controls, noise, and the command."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pacbayes.checkpoints import read_ticket
from pacbayes.cli.main import run
from pacbayes.data import load_data
from pacbayes.data.label_noise import LabelNoise, with_label_noise
from pacbayes.errors import UsageError
from pacbayes.pipeline import FindRequest, find
from pacbayes.pruning import FindPlan, TrainPlan
from pacbayes.runtime.folders import write_ticket
from pacbayes.tickets import digest
from tests.pipeline.requests import DATA, MODEL, small_find


def quick(out: Path, *, plan: dict[str, Any] | None = None, **changes: Any) -> FindRequest:
    train = TrainPlan(epochs=1, lr=0.1, batch_size=50)
    options = {"train": train, "levels": 2, "fraction": 0.4, **(plan or {})}
    return small_find(out, plan=FindPlan(**options), **changes)


def digests(out: Path) -> list[str]:
    return [read_ticket(folder).digest for folder in sorted(out.glob("level_*"))]


def record(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "find.json").read_text())
    return found


def test_it_leaves_a_folder_for_every_level_and_a_record(tmp_path: Path) -> None:
    folders = find(quick(tmp_path))
    assert [folder.name for folder in folders] == ["level_00", "level_01", "level_02"]
    levels = record(tmp_path)["levels"]
    for folder, row in zip(folders, levels, strict=True):
        ticket = read_ticket(folder)
        assert (row["level"], row["kept"]) == (ticket.level, ticket.mask.kept)
        assert sum(kept for kept, _ in row["tensors"].values()) == row["kept"]
        assert row["collapsed"] == ticket.notes["collapsed"] == []
        assert 0 < row["test"]["errors"] < row["test"]["n"] == 297


@pytest.mark.parametrize("lost", ["level_00", "level_01", "level_02"])
def test_a_killed_run_goes_on(tmp_path: Path, lost: str) -> None:
    find(quick(tmp_path))
    before, said = digests(tmp_path), record(tmp_path)
    (tmp_path / lost / "ticket.json").unlink()  # the record is written last
    find(quick(tmp_path))
    assert (digests(tmp_path), record(tmp_path)) == (before, said)


def test_more_levels_go_on_from_fewer(tmp_path: Path) -> None:
    find(quick(tmp_path / "few", plan={"levels": 1}))
    find(quick(tmp_path / "few", plan={"levels": 3}))
    find(quick(tmp_path / "many", plan={"levels": 3}))
    assert digests(tmp_path / "few") == digests(tmp_path / "many")


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"split": 0.4},
        {"label_noise": "0.1"},
        {"plan": {"score": "l1"}},
        {"plan": {"rewind": 3}},
        {"plan": {"protected": ("fc2.weight",)}},
    ],
)
def test_another_request_does_not_mix_with_what_is_there(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    find(quick(tmp_path))
    with pytest.raises(UsageError, match="another request"):
        find(quick(tmp_path, **changes))
    find(quick(tmp_path, force=True, **changes))
    find(quick(tmp_path / "fresh", **changes))
    assert digests(tmp_path) == digests(tmp_path / "fresh")


def test_tickets_of_other_initial_weights_are_not_gone_on_with(tmp_path: Path) -> None:
    """The same texts, but what they name has changed."""
    find(quick(tmp_path, plan={"levels": 1}))
    wanted = digests(tmp_path)
    ticket = read_ticket(tmp_path / "level_00")
    assert ticket.init is not None
    other = {name: tensor + 1 for name, tensor in ticket.init.items()}
    write_ticket(tmp_path / "level_00", replace(ticket, init=other))
    with pytest.raises(UsageError, match="other initial weights"):
        find(quick(tmp_path, plan={"levels": 1}))
    find(quick(tmp_path, plan={"levels": 1}, force=True))
    assert digests(tmp_path) == wanted


# --- controls


@pytest.mark.parametrize("name", ["reinit", "shuffle"])
def test_controls_stand_beside_the_levels(tmp_path: Path, name: Any) -> None:
    find(quick(tmp_path))
    before = digests(tmp_path)
    find(quick(tmp_path, control=name))
    assert digests(tmp_path) == before
    rows = record(tmp_path)["controls"]
    assert [(row["level"], row["kept"]) for row in rows[name]] == [(1, 888), (2, 533)]
    folder = tmp_path / f"control_{name}"
    assert [path.name for path in sorted(folder.iterdir())] == ["level_01", "level_02"]
    found = digests(folder)
    for level in (1, 2):
        ticket = read_ticket(tmp_path / f"level_0{level}")
        made = read_ticket(folder / f"level_0{level}")
        assert made.notes["control"] == name
        assert made.mask.kept == ticket.mask.kept
        assert (made.mask == ticket.mask) == (name == "reinit")
        assert made.init is not None
        assert ticket.init is not None
        assert (digest(made.init) == digest(ticket.init)) == (name == "shuffle")
    (folder / "level_02" / "ticket.json").unlink()
    find(quick(tmp_path, control=name))
    assert digests(folder) == found


# --- label noise


def test_the_recipe_of_the_noise_is_kept_and_gives_the_data_again(tmp_path: Path) -> None:
    find(quick(tmp_path, label_noise="0.3"))
    ticket = read_ticket(tmp_path / "level_01")
    recipe = LabelNoise.from_json(ticket.notes["label_noise"])
    assert recipe == LabelNoise(fraction="0.3", seed=1)
    clean = load_data(DATA)
    assert ticket.provenance.data == with_label_noise(clean, recipe).digest != clean.digest


def test_without_noise_there_is_no_recipe(tmp_path: Path) -> None:
    find(quick(tmp_path, plan={"levels": 0}))
    ticket = read_ticket(tmp_path / "level_00")
    assert ticket.notes["label_noise"] is None
    assert ticket.provenance.data == load_data(DATA).digest


# --- the command

ARGUMENTS = ["find", "--model", MODEL, "--data", DATA, "--epochs", "1", "--levels", "1", "-q"]


def command(out: Path, *more: str) -> int:
    return run([*ARGUMENTS, "--out", str(out), *more])


@pytest.mark.parametrize(
    "more",
    [
        ["--method", "iterative", "--score", "l2", "--fraction", "0.5", "--rewind", "init"],
        ["--method", "one-shot", "--score", "lamp", "--rewind", "lr"],
        ["--method", "iterative", "--score", "min-max", "--rewind", "4", "--warmup", "2"],
        ["--method", "synflow", "--density", "0.5", "--density", "0.1", "--split", "0"],
        ["--method", "continuous", "--optimizer", "adam", "--lr", "0.01"],
        ["--method", "supermask", "--scope", "global", "--protect", "fc2.weight"],
        ["--method", "snip", "--optimizer", "sam", "--rho", "0.1"],
        ["--method", "random", "--schedule", "milestones", "--milestones", "1", "--gamma", "0.5"],
        ["--label-noise", "0.1", "--control", "shuffle"],
        ["--quick"],
    ],
    ids=" ".join,
)
def test_the_command_takes_its_options(
    tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, *more) == 0
    said = capsys.readouterr()
    folders = [Path(line) for line in said.out.splitlines()]
    assert all((folder / "ticket.json").is_file() for folder in folders)
    assert len(folders) == 1 + max(1, more.count("--density"))
    assert said.err == ""


def test_masks_without_data_stay_free_where_weights_see_everything(tmp_path: Path) -> None:
    assert command(tmp_path, "--method", "synflow", "--split", "0") == 0
    origin = read_ticket(tmp_path / "level_01").provenance
    assert origin.mask is not None
    assert origin.init is not None
    assert origin.trained is not None
    assert (len(origin.mask), len(origin.init), len(origin.trained)) == (0, 0, 1500)


def test_a_collapsed_tensor_is_an_alarm_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, "--density", "0.0007") == 0
    (name,) = record(tmp_path)["levels"][1]["collapsed"]
    assert capsys.readouterr().err == f"pacbayes: level 1: nothing is left of {name}\n"


@pytest.mark.parametrize(
    "more",
    [
        ["--method", "magic"],
        ["--score", "vibes"],
        ["--method", "snip", "--score", "l1"],
        ["--rewind", "late"],
        ["--rewind", "100000"],
        ["--density", "0.1", "--density", "0.5"],
        ["--milestones", "a,b"],
        ["--label-noise", "2"],
        ["--protect", "fc9.weight"],
        ["--optimizer", "lbfgs"],
        ["--lr", "0"],
    ],
    ids=" ".join,
)
def test_bad_options_are_usage_errors_without_a_traceback(
    tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, *more) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not list(tmp_path.glob("level_*"))
