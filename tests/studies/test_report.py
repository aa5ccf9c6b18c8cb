"""The writer: rules before figures, verdicts from measurements, the same bytes each time."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from pacbayes.errors import UsageError
from pacbayes.studies.figure import panels
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.report import Report, Table, write_report
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.steps import steps
from pacbayes.studies.verdicts import Claim, above


def report(values: list[float]) -> Report:
    return Report(
        study="test2026",
        paper="Nobody (2026).",
        size="quick",
        claims=(Claim(key="growth", text="it grows", source="-", rules=(above("x", 0),)),),
        measurements=(Measurement.over_seeds("x", values),),
        settings={"seeds": len(values)},
        tables=(Table(title="All", columns=("seed", "x"), rows=((1, 0.5), (2, None))),),
        remarks=("a remark",),
        seconds=3.0,
        processor=2.0,
    )


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([1.0, 1.1, 0.9], "reproduced"),
        ([-1.0, -1.1, -0.9], "not reproduced"),
        ([-1.0, 1.0], "inconclusive"),
    ],
)
def test_the_same_text_gets_the_verdict_of_its_measurements(
    tmp_path: Path, values: list[float], outcome: str
) -> None:
    paths = write_report(tmp_path, report(values), panels("one")[0])
    assert [path.name for path in paths] == ["report.md", "report.json", "figure.png"]
    found = json.loads(paths[1].read_text())
    assert [row["verdict"] for row in found["verdicts"]] == [outcome]
    assert f"**{outcome}**" in paths[0].read_text()


def test_the_rule_stands_before_the_figures(tmp_path: Path) -> None:
    text = write_report(tmp_path, report([1.0, 2.0]), panels("one")[0])[0].read_text()
    places = [text.index(part) for part in ("`x` lies above 0", "## Verdicts", "## Measurements")]
    assert places == sorted(places)
    assert "| 2 | - |" in text
    assert "took 3 s, 2 s of them" in text


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    first = [p.read_bytes() for p in write_report(tmp_path, report([1.0]), panels("one")[0])]
    again = [p.read_bytes() for p in write_report(tmp_path, report([1.0]), panels("one")[0])]
    assert first == again


def test_a_row_needs_a_cell_for_each_column() -> None:
    with pytest.raises(UsageError, match="2 cells"):
        Table(title="t", columns=("a", "b"), rows=((1,),))


@dataclass(frozen=True)
class Settings:
    epochs: int
    seeds: int = 1


def test_steps_are_read_back_and_their_time_counts(tmp_path: Path) -> None:
    request = StudyRequest(out=tmp_path, quiet=True)
    calls = []

    def compute() -> dict[str, float]:
        calls.append(1)
        return {"x": 0.1}

    cases = ((Settings(1), 1), (Settings(1), 1), (Settings(1, seeds=5), 1), (Settings(2), 2))
    for settings, count in cases:
        with steps(request, settings, study="s", total=1) as todo:
            assert todo.run("one", compute) == {"x": 0.1}
            assert todo.seconds > 0
        assert len(calls) == count
