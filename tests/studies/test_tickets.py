"""The joint tables: every method and score, and masks without data, each row certified."""

from pathlib import Path

import pytest

from pacbayes.certificate import compare
from pacbayes.pruning.plan import METHODS
from pacbayes.pruning.scores import SCORES
from pacbayes.runtime.reading import read_json
from pacbayes.studies import densities, tickets
from pacbayes.studies.report import Report, write_report
from pacbayes.studies.request import StudyRequest

TINY = tickets.Settings(model="mlp:64-12-10", data="digits", densities=(0.3,), epochs=1, draws=2)
SPARSE = densities.Settings(
    model="mlp:64-12-10", data="digits", densities=(0.5, 0.2), epochs=1, lr=1e-2, draws=2
)


def request(out: Path) -> StudyRequest:
    return StudyRequest(out=out, size="quick", quiet=True)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tickets")


@pytest.fixture(scope="module")
def report(work: Path) -> Report:
    return tickets.study(request(work), TINY)[0]


def test_every_method_and_every_score_has_its_row(report: Report) -> None:
    ways = {(row["method"], row["score"]) for row in report.tickets}
    assert {method for method, _ in ways} == set(METHODS)
    assert {score for _, score in ways} == set(SCORES)
    assert len(report.tickets) == len(ways) == 16
    for row in report.tickets:
        assert (row["certificate"] is None) == (row["bound"] is None)
        assert (row["refused"] is None) == (row["bound"] is not None)
        assert row["sparsity"] == pytest.approx(0.7, abs=0.01)


def test_all_rows_share_one_delta(report: Report, work: Path) -> None:
    paths = [work / "quick" / row["certificate"] for row in report.tickets]
    together = compare(paths)
    assert str(len(paths)) in together.header
    for row, path, entry in zip(report.tickets, paths, together.rows, strict=True):
        alone = read_json(path)["claim"]["risk_upper"]
        assert row["bound"] == entry.bound
        assert float(row["bound"]) > float(alone)


def test_masks_of_the_prior_part_are_free_and_priced(report: Report) -> None:
    for row in report.tickets:
        assert float(row["paid"]) == 0
        assert float(row["price"]) > 0


def test_a_second_run_reads_what_the_first_left(report: Report, work: Path) -> None:
    steps = sorted((work / "quick" / "steps").glob("*.json"))
    before = [path.stat().st_mtime_ns for path in steps]
    again, figure = tickets.study(request(work), TINY)
    assert again.tickets == report.tickets
    assert [path.stat().st_mtime_ns for path in steps] == before
    text = write_report(work, again, figure)[0].read_text()
    assert "16 certified jointly at delta = 0.05" in text


def test_a_refused_row_keeps_its_reason(report: Report, work: Path) -> None:
    first, second = report.tickets[:2]
    refused = {**first, "certificate": None, "refused": "V5: running statistics"}
    alone = tickets.joint([refused, second], work / "quick")
    assert alone[0]["bound"] is None
    assert alone[0]["refused"] == "V5: running statistics"
    own = read_json(work / "quick" / second["certificate"])["claim"]["risk_upper"]
    assert alone[1]["bound"] == own


def test_masks_without_data_certify_on_all_examples_and_cost_nothing(tmp_path: Path) -> None:
    report, figure = densities.study(request(tmp_path), SPARSE)
    rows = report.tickets
    assert [row["method"] for row in rows] == ["dense", *["random"] * 2, *["synflow"] * 2]
    assert [row["density"] for row in rows] == [1.0, 0.5, 0.2, 0.5, 0.2]
    for row in rows:
        document = read_json(tmp_path / "quick" / row["certificate"])
        assert row["n"] == document["data"]["n"] == document["data"]["total"]
        assert float(row["mask"]) == 0
        assert float(row["bound"]) > float(row["alone"])
    assert len(report.remarks) == len(densities.FREE) + len(densities.REMARKS)
    write_report(tmp_path, report, figure)


def test_findings_name_the_densities_below_the_dense_bound() -> None:
    rows = [
        {"method": "dense", "density": 1.0, "bound": "0.30"},
        {"method": "random", "density": 0.5, "bound": "0.31"},
        {"method": "synflow", "density": 0.5, "bound": "0.29"},
        {"method": "synflow", "density": 0.2, "bound": "0.25"},
    ]
    random, synflow = densities.findings(rows)
    assert "at no density shown" in random
    assert "at densities 0.5, 0.2" in synflow
    assert "0.2500 at density 0.2" in synflow
