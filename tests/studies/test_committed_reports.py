"""The runs in `notebooks/reports`: verdicts follow from figures beside them, files are small."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from pacbayes.studies import link, paul2023, sakamoto2022, saleem2024, vandersmissen2023, yang2023
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.verdicts import Claim, judge
from tests.test_notebooks import MACHINE

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks" / "reports"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/report.json"))


def committed(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / name / "report.json").read_text(encoding="utf-8"))
    return found


def claims(report: dict[str, Any]) -> tuple[Claim, ...]:
    name = report["study"]
    if name == "yang2023":
        return yang2023.claims(yang2023.SETTINGS[report["size"]])
    if name == "vandersmissen2023":
        start = "log overlap over chance, "
        names = [m["name"] for m in report["measurements"]]
        tensors = [n.removeprefix(start) for n in names if n.startswith(start)]
        return vandersmissen2023.claims([tensor for tensor in tensors if tensor != "whole"])
    modules = {
        "link": link,
        "paul2023": paul2023,
        "sakamoto2022": sakamoto2022,
        "saleem2024": saleem2024,
    }
    return modules[name].claims()


def measurement(stored: dict[str, Any]) -> Measurement:
    low, high = stored["low"], stored["high"]
    return Measurement(
        name=stored["name"],
        value=stored["value"],
        low=-math.inf if low is None else low,
        high=math.inf if high is None else high,
        how=stored["how"],
        values=tuple(stored["values"]),
    )


@pytest.mark.parametrize("name", NAMES)
def test_committed_verdicts_follow_from_committed_measurements(name: str) -> None:
    report = committed(name)
    found = [measurement(stored) for stored in report["measurements"]]
    judged = [judge(claim, found).to_json() for claim in claims(report)]
    assert judged == report["verdicts"]


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_are_small_and_name_no_machine(name: str) -> None:
    for path in (FOLDER / name).iterdir():
        assert path.stat().st_size < 100_000, path.name
    text = (FOLDER / name / "report.md").read_text() + json.dumps(committed(name))
    assert MACHINE.findall(text) == []
    for verdict in committed(name)["verdicts"]:
        assert verdict["verdict"] in text


@pytest.mark.parametrize("name", NAMES)
def test_folders_are_called_by_study_and_size(name: str) -> None:
    report = committed(name)
    ending = "" if report["size"] == "quick" else f"_{report['size']}"
    assert name == f"{report['study']}{ending}"


def test_the_negative_control_holds_in_every_zone() -> None:
    if "yang2023" not in NAMES:
        pytest.skip("no committed run")
    values = {m["name"]: m["value"] for m in committed("yang2023")["measurements"]}
    settings = committed("yang2023")["settings"]
    assert settings["seeds"] == "1 to 20"
    assert values["bounds below the true risk"] == 0
    densities = 1 + len(settings["densities"])
    assert values["bounds held against the true risk"] == 20 * densities * 2 * 5
