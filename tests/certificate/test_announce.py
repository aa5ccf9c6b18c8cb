"""The gate's report in its five formats, with hostile names."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from pacbayes.certificate import Failure, Report, Verdict, announce
from pacbayes.errors import UsageError

HOSTILE = 'a|b<script>`x`_*[y](z)\n::error::x%0A,file=/x:1"&\x1b[31m'
WORSE = Failure(kind="worse", message=f"above {HOSTILE}")
GOOD = Verdict(path="good.json", name="m/d/good", old="0.2", new="0.1", limit="0.2")
EQUAL = Verdict(path="equal.json", name="m/d/equal", old="0.2", new="0.2", limit="0.2")
BAD = Verdict(
    path=HOSTILE, name=HOSTILE, old="0.1", new="0.2", failures=(WORSE,), why=(HOSTILE, "draws")
)
LOST = Verdict(path="lost.json", failures=(Failure(kind="unreadable", message="no such file"),))
PROBLEM = Failure(kind="absent", message=f"{HOSTILE} is gone")
REPORT = Report(verdicts=(GOOD, EQUAL, BAD, LOST), problems=(PROBLEM,), limits=("budget: 0.3",))
PASSED = Report(verdicts=(GOOD, EQUAL), limits=("baseline: b.json",))


def test_text_puts_the_verdict_first_on_every_line() -> None:
    lines = announce(REPORT).splitlines()
    assert not [line for line in lines if line.lstrip().startswith("::")]
    assert lines[1].startswith("unreadable")
    assert any(line.startswith("lower") and "-1.00e-01" in line for line in lines)
    assert any(line.startswith("equal") and " 0  " in line for line in lines)
    assert lines[-1] == "2 of 4 certificates pass, 2 fail, 1 other problem: exit 3"


def test_problems_are_counted() -> None:
    assert announce(Report(verdicts=(GOOD,))).endswith("1 of 1 certificates pass, 0 fail: exit 0\n")
    two = Report(verdicts=(GOOD,), problems=(PROBLEM, PROBLEM))
    assert "2 other problems" in two.summary


def test_json_has_everything() -> None:
    found = json.loads(announce(REPORT, "json"))
    assert (found["schema"], found["code"]) == ("pacbayes/check/1", 3)
    assert [verdict["change"] for verdict in found["verdicts"]] == ["-0.1", "0", "+0.1", None]
    assert found["verdicts"][2]["name"] == HOSTILE
    assert found["problems"][0]["kind"] == "absent"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_markdown_has_one_cell_per_column_and_no_tags() -> None:
    text = announce(REPORT, "markdown")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {8}
    assert len(rows) == 2 + len(REPORT.verdicts)
    parser = _Tags()
    parser.feed(text)
    assert parser.tags == []
    assert "`" not in text
    assert text.startswith("### pacbayes check: FAIL")
    assert announce(PASSED, "markdown").startswith("### pacbayes check: pass")


def test_a_long_summary_is_cut_knowingly() -> None:
    many = tuple(Verdict(path="x" * 9000, failures=(WORSE,)) for _ in range(200))
    text = announce(Report(verdicts=many), "markdown")
    assert len(text.encode()) < 2**20
    shown = sum(line.startswith("| worse") for line in text.splitlines())
    assert f"{200 - shown} more rows are left out here." in text


COMMAND = re.compile(r"^::(error|notice) title=([^:,]+)(?:,file=([^:,]+),line=1)?::(.+)$")


def test_github_annotations_are_whole_lines() -> None:
    lines = announce(REPORT, "github").splitlines()
    found = [COMMAND.match(line) for line in lines]
    assert all(found)
    assert len(lines) == 1 + 2 + 1
    assert lines[-1] == (
        "::error title=pacbayes%3A check::2 of 4 certificates pass, 2 fail, 1 other problem: exit 3"
    )
    (good,) = announce(PASSED, "github").splitlines()
    assert good.startswith("::notice ")


def test_github_shows_the_worst_nine_and_a_summary() -> None:
    many = [
        Verdict(path=f"{k}.json", name=f"m{k}", old="0.1", new=f"0.{20 + k}", failures=(WORSE,))
        for k in range(30)
    ]
    lines = announce(Report(verdicts=tuple(many)), "github").splitlines()
    assert len(lines) == 10
    assert "file=29.json" in lines[0]
    assert "(21 more in the log and the summary)" in lines[-1]


def test_junit_is_xml_with_failures_and_errors() -> None:
    suite = ElementTree.fromstring(announce(REPORT, "junit").encode())  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "1", "2")
    names = [case.get("name") for case in suite.iter("testcase")]
    assert len(names) == 5
    assert [len(case) for case in suite.iter("testcase")] == [0, 0, 1, 1, 1]
    assert {child.tag for case in suite.iter("testcase") for child in case} == {"failure", "error"}


def test_an_unknown_format_is_usage() -> None:
    with pytest.raises(UsageError, match="known are text, json, markdown, github, junit"):
        announce(REPORT, "sarif")  # type: ignore[arg-type]
