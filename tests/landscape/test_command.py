"""`pacbayes landscape` on real tickets: what it prints, leaves and refuses."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from pacbayes.checkpoints import read_ticket
from pacbayes.cli.main import run
from pacbayes.data import load_data
from pacbayes.landscape import barrier, escape, gap
from pacbayes.landscape import distance as measured_distance
from pacbayes.pipeline import find
from pacbayes.posterior import SpikeAndSlab
from pacbayes.pruning import FindPlan, TrainPlan
from pacbayes.runtime.files import write_tensors
from pacbayes.tickets import Ticket
from tests.pipeline.requests import DATA, MODEL, network, small_find

NET = ("--model", MODEL, "--data", DATA)
SMALL = ("--examples", "100", "-q")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    train = TrainPlan(epochs=3, lr=0.1, batch_size=50)
    plan = FindPlan(train=train, levels=2, fraction=0.5)
    find(small_find(folder / "imp", plan=plan))
    find(small_find(folder / "noisy", plan=FindPlan(train=train, levels=1), label_noise="0.5"))
    return folder


def document(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)
    assert (found["schema"], found["certified"]) == ("pacbayes/landscape/1", False)
    return found


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["landscape", *arguments, "--format", "json"]) == 0
    return document(capsys.readouterr().out)


def test_a_chain_is_what_the_functions_measure(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--sample", "test", "--examples", "0", "--loss", "error", "--points", "5")
    found = ask(capsys, "chain", str(runs / "imp"), *NET, *options, "-q")
    levels = [read_ticket(runs / "imp" / f"level_{level:02d}") for level in range(3)]
    test = load_data(DATA).test
    assert test is not None
    wanted = barrier(network(), levels[1], levels[2], test, points=5)
    first, second = found["results"]
    assert (first["from"], first["to"], second["to"]) == ("level_00", "level_01", "level_02")
    assert tuple(second["barrier"]["path"]) == wanted.path
    assert second["barrier"]["height"] == wanted.height
    assert second["member"] == (wanted.path[-1] <= wanted.path[0] + 0.01)
    assert found["tickets"]["level_02"]["density"] == levels[2].mask.density


def test_barriers_are_between_any_two(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "barriers", str(runs / "imp"), *NET, *SMALL, "--points", "3")
    rows = found["results"]
    # Three pairs, two samples, two losses.
    assert len(rows) == 12
    assert {(row["from"], row["to"]) for row in rows} == {
        ("level_00", "level_01"), ("level_00", "level_02"), ("level_01", "level_02")
    }  # fmt: skip


def test_train_means_what_the_ticket_saw(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--sample", "train", "--examples", "0", "--loss", "error", "--points", "2")
    found = ask(capsys, "chain", str(runs / "imp"), *NET, *options, "-q")
    seen = read_ticket(runs / "imp" / "level_00").provenance.trained
    assert seen is not None
    assert found["results"][0]["barrier"]["n"] == len(seen) < len(load_data(DATA).train)


def test_distance_and_escape_and_gap_agree(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    level = str(runs / "imp" / "level_01")
    found = ask(capsys, "distance", level, "--tensors")["results"]
    names = ["all", "prunable", "fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"]
    assert [row["tensor"] for row in found] == names
    wanted = measured_distance(read_ticket(level))
    assert found[0]["moved"]["raw"] == wanted.raw
    left = ask(capsys, "escape", str(runs / "imp"), *NET, *SMALL)["results"]
    assert left[0]["escape"]["from_start"] == pytest.approx(wanted.raw, rel=1e-6)
    first, second = (read_ticket(runs / "imp" / f"level_0{place}") for place in (0, 1))
    assert gap(first, second) > 0
    sample = load_data(DATA).train
    again = escape(network(), first, second, sample)
    assert left[0]["escape"]["distance"] == pytest.approx(again.distance, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("curvature", "--probes", "2", "--steps", "5"), {"top", "trace", "spectrum"}),
        (("sharpness", "--draws", "2", "--steps", "1"), {"expected", "worst"}),
        (("volume", "--rays", "2", "--probes", "2", "--steps", "5"), {"rays", "quadratic"}),
        (("prune-limit", "--draws", "2", "--steps", "2", "--probes", "2"), {"rule", "limit"}),
        (("robustness", "--pairs", "2", "--epochs", "1"), {"found"}),
        (("escape",), {"escape"}),
        (("barriers", "--points", "3"), {"barrier"}),
        (("chain", "--points", "3"), {"barrier", "member", "connected", "level"}),
    ],
)
def test_each_leaves_a_document_and_a_figure(
    runs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    keys: set[str],
) -> None:
    what, *more = arguments
    tickets = [str(runs / "imp" / f"level_{level:02d}") for level in (0, 1)]
    code = run(["landscape", what, *tickets, *NET, *SMALL, *more, "--out", str(tmp_path), "--plot"])
    text = capsys.readouterr().out
    assert code == 0
    assert text.startswith("estimates, not certified\n")
    assert "level_01" in text
    found = document((tmp_path / f"{what}.json").read_text())
    assert all(keys <= set(row) for row in found["results"])
    assert (tmp_path / f"{what}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("what", ["distance", "requilibration"])
def test_those_that_need_no_network_do_too(
    what: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["landscape", what, str(runs / "imp"), "--out", str(tmp_path), "--plot"]) == 0
    assert "level_02" in capsys.readouterr().out
    assert len(document((tmp_path / f"{what}.json").read_text())["results"]) >= 2
    assert (tmp_path / f"{what}.png").is_file()


def test_no_result_passes_for_a_certificate(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["landscape", "distance", str(runs / "imp"), "--out", str(tmp_path)])
    assert run(["verify", str(tmp_path / "distance.json")]) == 3
    assert run(["check", str(tmp_path / "distance.json"), "--budget", "0.5"]) == 3


def test_the_same_request_gives_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(["landscape", "sharpness", str(runs / "imp" / "level_01"), *NET, *SMALL,
                    "--draws", "3", "--out", str(tmp_path / name), "--plot"]) == 0  # fmt: skip
    for file in ("sharpness.json", "sharpness.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_pairs_that_are_finished_are_not_trained_again(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("robustness", str(runs / "imp" / "level_01"), *NET, *SMALL, "--pairs", "2",
                 "--out", str(tmp_path))  # fmt: skip
    first = ask(capsys, *arguments)
    kept = sorted((tmp_path / "pairs").glob("*.safetensors"))
    # Two pairs by two disturbances, two networks each.
    assert len(kept) == 8
    times = [path.stat().st_mtime_ns for path in kept]
    kept[0].unlink()
    kept[1].write_bytes(b"cut short")
    assert ask(capsys, *arguments) == first
    again = [path.stat().st_mtime_ns for path in kept]
    assert [a == b for a, b in zip(times, again, strict=True)] == [False, False, *[True] * 6]


def test_robustness_trains_as_the_run_did(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    level = str(runs / "imp" / "level_01")
    asked = ("robustness", level, *NET, *SMALL, "--pairs", "2")
    own = ask(capsys, *asked)["results"]
    assert ask(capsys, *asked, "--epochs", "3", "--lr", "0.1")["results"] == own
    assert ask(capsys, *asked, "--epochs", "1")["results"] != own
    pushes = {row["found"]["length"] for row in own if row["found"]["disturbance"] == "push"}
    levels = [read_ticket(runs / "imp" / f"level_{place:02d}") for place in (1, 2)]
    assert pushes == {gap(levels[0], levels[1])}


def test_label_noise_is_that_of_the_ticket(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--sample", "train", "--examples", "0", "--loss", "error", "--points", "2", "-q")
    found = ask(capsys, "chain", str(runs / "noisy"), *NET, *options)
    # Half of the labels are drawn at random, so nine in twenty can't be learned in three epochs.
    assert found["results"][0]["barrier"]["path"][0] > 0.3


REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (("chain", "imp/level_00", *NET), 2, "2 tickets"),
    (("chain", "imp/level_00", "imp/level_00", *NET), 2, "given twice"),
    (("chain", "imp/absent", "imp/level_00", *NET), 3, "absent"),
    (("barriers", "imp", "noisy", *NET), 2, "label noise"),
    (("distance", "imp", "--plot"), 2, "--out"),
    (("requilibration", "imp/level_01", "imp/level_00"), 2, "in order"),
    (("sharpness", "imp", *NET, "--examples", "-1"), 2, "--examples"),
    (("sharpness", "imp", *NET, "--scale", "-1"), 2, "scales"),
    (("sharpness", "imp", "--model", "mlp:64-9-10", "--data", DATA), 3, "do not fit"),
    (("curvature", "imp", *NET, "--loss", "error"), 2, "error"),
    (("robustness", "imp", *NET, "--pairs", "1"), 2, "--pairs"),
    (("robustness", "imp", *NET, "--length", "-1", "--epochs", "0"), 2, "length"),
]


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused[2])
def test_refusals_say_what_is_wrong(
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refused: tuple[tuple[str, ...], int, str],
) -> None:
    arguments, code, word = refused
    monkeypatch.chdir(runs)
    more = ("--examples", "50") if NET[0] in arguments and "--examples" not in arguments else ()
    assert run(["landscape", *arguments, *more, "-q"]) == code
    assert word in capsys.readouterr().err


def test_tickets_of_other_data_are_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = "synthetic:n=100,dim=64,classes=10"
    code = run(
        ["landscape", "sharpness", str(runs / "imp"), "--model", MODEL, "--data", data, "-q"]
    )
    assert code == 3
    assert "other data" in capsys.readouterr().err


@pytest.mark.parametrize(
    "what",
    ["barriers", "chain", "curvature", "sharpness", "volume", "distance", "prune-limit",
     "requilibration", "robustness", "escape"],
)  # fmt: skip
def test_help_has_examples(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["landscape", what, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"pacbayes landscape {what}" in text
    assert "Examples:" in text


def posterior_of(folder: Path, ticket: Ticket) -> Path:
    kept = {name: ticket.mask.of(name, t).float() for name, t in ticket.trained.items()}
    law = SpikeAndSlab(
        mean=ticket.trained,
        scale={name: 0.25 * inclusion for name, inclusion in kept.items()},
        inclusion=kept,
    )
    path = folder / "posterior.safetensors"
    write_tensors(path, law.tensors(), {"schema": "pacbayes/posterior/1"})
    return path


def test_a_posterior_gives_volume_and_noise(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    level = runs / "imp" / "level_01"
    path = str(posterior_of(tmp_path, read_ticket(level)))
    asked = (str(level), *NET, *SMALL)
    few = ("--rays", "2", "--probes", "2", "--steps", "3")
    (row,) = ask(capsys, "volume", *asked, *few, "--posterior", path)["results"]
    assert row["posterior_per_entry"]["value"] == pytest.approx(math.log(0.25), rel=1e-6)
    few = ("--draws", "3", "--steps", "1")
    learned = ask(capsys, "sharpness", *asked, *few, "--posterior", path)["results"]
    assert learned == ask(capsys, "sharpness", *asked, *few, "--scale", "0.25")["results"]
    assert run(["landscape", "volume", *asked, "--rays", "2", "--posterior", path]) == 0
    assert "posterior: mean ln" in capsys.readouterr().out


def test_a_posterior_is_that_of_one_ticket(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(posterior_of(tmp_path, read_ticket(runs / "imp" / "level_01")))
    code = run(["landscape", "sharpness", str(runs / "imp"), *NET, *SMALL, "--posterior", path])
    assert code == 2
    assert "one ticket" in capsys.readouterr().err
    weights = str(runs / "imp" / "level_01" / "trained.safetensors")
    one = str(runs / "imp" / "level_01")
    code = run(["landscape", "sharpness", one, *NET, *SMALL, "--posterior", weights])
    assert code == 3
    assert "no posterior" in capsys.readouterr().err


def test_running_statistics_are_interpolated_or_measured_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "tests.landscape.problems:normed_digits"
    plan = FindPlan(train=TrainPlan(epochs=3, lr=0.1, batch_size=50), levels=1, fraction=0.5)
    find(small_find(tmp_path / "run", plan=plan, model=model))
    asked = ("chain", str(tmp_path / "run"), "--model", model, "--data", DATA, *SMALL,
             "--loss", "cross-entropy")  # fmt: skip
    plain = ask(capsys, *asked)["results"]
    anew = ask(capsys, *asked, "--buffers", "re-estimate")["results"]
    assert [row["barrier"]["buffers"] for row in anew] == ["re-estimate"] * 2
    # The ends change too: their own statistics are averages over training.
    assert plain[0]["barrier"]["path"] != anew[0]["barrier"]["path"]
    for what in ("curvature", "sharpness", "robustness"):
        few = ("--pairs", "2", "--epochs", "1") if what == "robustness" else ()
        assert ask(capsys, what, *asked[1:], *few)["results"]
