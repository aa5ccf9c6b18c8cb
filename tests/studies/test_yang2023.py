"""The signal-and-noise laboratory at a tiny size: three zones, and no bound below the truth."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pacbayes.studies.request import StudyRequest
from pacbayes.studies.verdicts import judge
from pacbayes.studies.yang2023 import SETTINGS, claims, study, two_layer

TINY = replace(
    SETTINGS["quick"],
    n=40,
    dim=1500,
    width=4,
    densities=(0.5, 0.2, 0.01),
    over=0.01,
    seeds=2,
    steps=120,
    fit_epochs=5,
    fresh=500,
    draws=20,
)


def test_logits_are_sums_over_the_neurons_of_a_class() -> None:
    model = two_layer(classes=2, width=2, dim=3)
    with torch.no_grad():
        model.get_parameter("fc1.weight").copy_(
            torch.tensor([[1.0, 0, 0], [0, -1.0, 0], [0, 0, 1.0], [0, 1.0, 1.0]])
        )
    found = model(torch.tensor([[1.0, 2.0, 3.0]]))
    assert found.tolist() == [[1.0, 8.0]]  # relu 1, relu -2; relu 3, relu 5


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    out = tmp_path_factory.mktemp("yang")
    report, _ = study(StudyRequest(out=out, size="quick", quiet=True), TINY)
    return out, {m.name: m.value for m in report.measurements}


def test_mild_pruning_learns_the_signal(found: tuple[Path, dict[str, float]]) -> None:
    _, values = found
    assert values["train error, mild"] == 0
    assert values["signal over noise, dense"] > 1


def test_over_pruning_memorises(found: tuple[Path, dict[str, float]]) -> None:
    _, values = found
    assert values["train error, over-pruned"] < 0.05
    assert values["risk, over-pruned"] > 0.25  # half of chance


def test_no_bound_lies_below_the_true_risk(found: tuple[Path, dict[str, float]]) -> None:
    _, values = found
    assert values["bounds below the true risk"] == 0
    # Two seeds, four densities, two posteriors, five bounds.
    assert values["bounds held against the true risk"] == 2 * 4 * 2 * 5


def test_a_second_run_reads_what_is_there(found: tuple[Path, dict[str, float]]) -> None:
    out, values = found
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    report, _ = study(StudyRequest(out=out, size="quick", quiet=True), TINY)
    assert {m.name: m.value for m in report.measurements} == values
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before
    outcomes = [judge(claim, report.measurements).outcome for claim in claims(TINY)]
    assert [verdict.outcome for verdict in report.verdicts] == outcomes
