"""compare --html and cite on the command line."""

from pathlib import Path

import pytest

from pacbayes.cli.main import run
from tests.cli.site import Site, tampered


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(folder=tmp_path)


def test_a_report_is_written_beside_the_table(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    page = site.folder / "report.html"
    assert run(["compare", site.new(), "--format", "markdown", "--html", str(page)]) == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    said = capsys.readouterr()
    assert said.out.count("| lenet300/toy/ticket |") == 1
    assert "report.html" in said.err


def test_no_report_about_a_tampered_certificate(site: Site) -> None:
    bad = site.write("bad.json", tampered("claim.risk_upper", "0.01"))
    page = site.folder / "report.html"
    assert run(["compare", site.new(), bad, "--html", str(page)]) == 1
    assert not page.exists()


def test_a_report_that_cannot_be_written_is_74(site: Site) -> None:
    assert run(["compare", site.new(), "--html", str(site.folder / "no" / "report.html")]) == 74


@pytest.mark.parametrize("command", ["compare", "cite"])
def test_nothing_given_is_usage(command: str) -> None:
    assert run([command]) == 2


@pytest.mark.parametrize(
    ("form", "start"), [("bibtex", "% the bound"), ("text", "Maurer"), ("json", "[")]
)
def test_cite(form: str, start: str, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cite", site.new(), "--format", form]) == 0
    assert capsys.readouterr().out.startswith(start)
    assert run(["cite", str(site.folder / "gone.json")]) == 3
