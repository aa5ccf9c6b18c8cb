"""The gate on the command line: no scenario passes that should not, and every failure says why."""

import json
from pathlib import Path

import pytest

from pacbayes.cli.main import run
from tests.cli.scenarios import SCENARIOS
from tests.cli.site import Site, certificate

FORMATS = ["text", "json", "markdown", "github", "junit"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "JENKINS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder=folder)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_gate(name: str, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    code, make = SCENARIOS[name]
    argv = make(site)
    before = {path: path.read_bytes() for path in site.folder.glob("baseline.json")}
    assert run(["check", *argv]) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.out or said.err
    assert {path: path.read_bytes() for path in before} == before


def test_there_are_enough_ways_to_fail() -> None:
    assert sum(code != 0 for code, _ in SCENARIOS.values()) >= 45


# --- what is said


def test_a_missing_baseline_names_the_command_that_makes_it(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    new, baseline = site.new(), str(site.folder / "baseline.json")
    assert run(["check", new, "--baseline", baseline]) == 3
    command = capsys.readouterr().out.partition("make it with: pacbayes ")[2].splitlines()[0]
    assert run(command.split()) == 0
    assert run(["check", new, "--baseline", baseline]) == 0


def test_the_reason_for_a_rise_is_given(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    run(["check", *site.held("more nats")])
    said = capsys.readouterr().out
    assert "kl of mean 42.26 became 900 nats" in said
    assert "with the nats" in said


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["old", "worse", "larger delta"])
def test_formats_agree_on_the_exit_code(
    form: str, kind: str, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = {"old": 0, "worse": 1, "larger delta": 3}
    assert run(["check", *site.held(kind, "--format", form)]) == codes[kind]
    assert f"exit {codes[kind]}" in capsys.readouterr().out


@pytest.mark.parametrize("form", FORMATS)
def test_a_missing_baseline_is_said_in_every_format(
    form: str, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [site.new(), "--baseline", str(site.folder / "gone.json"), "--format", form]
    assert run(["check", *argv]) == 3
    assert "gone.json" in capsys.readouterr().out


# --- updates


def test_an_update_writes_what_the_next_check_accepts(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = site.held("better", "--update-baseline")
    assert run(["check", *argv]) == 0
    told = capsys.readouterr().err
    assert certificate("better").risk_upper in told
    assert f"was {certificate('old').risk_upper}" in told
    assert run(["check", *argv[:-1]]) == 0
    assert run(["check", site.new("old"), *argv[1:-1]]) == 1


def test_a_new_subject_needs_no_force(site: Site) -> None:
    more = site.write("more.json", certificate("other name"))
    assert run(["check", more, *site.held("old", "--update-baseline")]) == 0
    names = [
        c["name"] for c in json.loads((site.folder / "baseline.json").read_text())["certificates"]
    ]
    assert names == ["lenet300/toy/other", "lenet300/toy/ticket"]


@pytest.mark.parametrize("kind", ["worse", "larger delta", "vacuous"])
def test_force_writes_a_worse_one(kind: str, site: Site) -> None:
    argv = site.held(kind, "--update-baseline")
    assert run(["check", *argv]) != 0
    assert run(["check", *argv, "--force"]) == 0
    assert run(["check", *argv[:-1]]) == 0


def test_force_replaces_a_broken_baseline(site: Site) -> None:
    argv = [site.new(), "--baseline", site.write("baseline.json", "{}")]
    assert run(["check", *argv, "--update-baseline", "--force"]) == 0
    assert run(["check", *argv]) == 0


@pytest.mark.parametrize("variable", ["GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "JENKINS_URL"])
def test_no_job_writes_its_own_baseline(
    variable: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "true")
    baseline = site.folder / "fresh.json"
    assert run(["check", site.new(), "--baseline", str(baseline), "--update-baseline"]) == 2
    assert not baseline.exists()


def test_a_baseline_that_cannot_be_written_is_74(site: Site) -> None:
    missing = site.folder / "absent" / "baseline.json"
    assert run(["check", site.new(), "--baseline", str(missing), "--update-baseline"]) == 74
