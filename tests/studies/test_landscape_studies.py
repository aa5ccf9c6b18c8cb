"""The four studies of tickets at a tiny size on bundled digits: they run, resume and judge."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pacbayes.studies.portrait import Effort
from pacbayes.studies.report import Report, write_report
from pacbayes.studies.request import StudyRequest

SMALL: dict[str, Any] = {
    "data": "digits",
    "model": "mlp:64-12-10",
    "prior_share": 0.5,
    "epochs": 1,
    "seeds": 2,
}
WHOLE: dict[str, Any] = {**SMALL, "examples": None}
EFFORT = Effort(epochs=1, noises=2, rays=2)
TINY: dict[str, dict[str, Any]] = {
    "vandersmissen2023": {**WHOLE, "levels": 2, "deep": "mlp:64-8-8-10", "collapse": (0.3, 0.01)},
    "paul2023": {
        **WHOLE,
        "levels": 2,
        "late": 2,
        "narrow": "mlp:64-6-10",
        "narrow_epochs": 1,
        "n_measure": 60,
        "points": 3,
        "fractions": (0.5, 0.9),
        "settle": 2,
    },
    "saleem2024": {**WHOLE, "levels": 2, "n_measure": 60, "points": 3, "rays": 2},
    "sakamoto2022": {
        **WHOLE,
        "levels": 2,
        "warmup": 3,
        "method_seeds": 1,
        "n_measure": 60,
        "portrayed": (2,),
        "effort": EFFORT,
    },
    "link": {
        **SMALL,
        "rates": (0.1,),
        "levels": 1,
        "portrayed": (1,),
        "seeds": 1,
        "n_measure": 60,
        "effort": EFFORT,
    },
}


def run(name: str, out: Path) -> Report:
    module = import_module(f"pacbayes.studies.{name}")
    settings = replace(module.SETTINGS["quick"], **TINY[name])
    report, figure = module.study(StudyRequest(out=out, size="quick", quiet=True), settings)
    write_report(out, report, figure)
    assert isinstance(report, Report)
    return report


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_a_study_runs_judges_every_claim_and_resumes(tmp_path: Path, name: str) -> None:
    first = run(name, tmp_path)
    assert len(first.verdicts) == len(first.claims) > 0
    tickets = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")}
    again = run(name, tmp_path)
    assert again.to_json() == first.to_json()
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")} == tickets


@pytest.mark.slow
def test_the_alarm_of_an_empty_layer_is_shown(tmp_path: Path) -> None:
    report = run("vandersmissen2023", tmp_path)
    table = next(table for table in report.tables if table.title.startswith("Layer collapse"))
    empty = [str(row[3]) for row in table.rows]
    counted = sum(
        m.value for m in report.measurements if m.name.startswith("levels with an empty layer")
    )
    assert counted == sum(cell != "none" for cell in empty)
    assert any("fc" in cell for cell in empty)


@pytest.mark.slow
def test_bound_items_and_legacy_value_stand_beside_each_other(tmp_path: Path) -> None:
    report = run("sakamoto2022", tmp_path)
    for row in report.tickets:
        assert 0 < row["risk"] <= row["bound"] <= 1
        assert row["kl"] == pytest.approx(row["kl_mask"] + row["kl_mean"] + row["kl_scale"])
        assert row["kl_mask"] == 0 < row["mask_price"]
        # The legacy mask price is N H(s), the certified code of tensors is never above it by more
        # than ln(N + 1) per tensor.
        assert row["legacy"] > row["legacy_gaussian"]
