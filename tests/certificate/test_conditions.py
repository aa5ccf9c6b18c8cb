"""The 32 conditions."""

import hashlib

import pytest

from pacbayes.certificate import (
    TITLES,
    Condition,
    checked,
    checker,
    declared,
    not_applicable,
    violated,
)
from pacbayes.certificate.conditions import in_order, problems
from pacbayes.errors import UsageError
from tests.certificate.cases import all_conditions


def test_the_table_is_the_checkers() -> None:
    text = "".join(f"{name} {title}\n" for name, title in TITLES.items())
    assert hashlib.sha256(text.encode()).hexdigest() == checker.TITLES
    assert list(TITLES) == [f"V{place}" for place in range(1, 33)]
    assert len(set(TITLES.values())) == 32


def test_builders() -> None:
    assert checked("V7") == Condition(id="V7", status="checked", by="code")
    assert declared("V8", "a survey", by="default").by == "default"
    assert violated("V1", "seen").status == "violated"
    assert not_applicable("V5").to_json() == {
        "id": "V5",
        "title": TITLES["V5"],
        "status": "n/a",
        "by": "code",
        "note": "",
    }


@pytest.mark.parametrize(
    ("status", "by"), [("checked", "user"), ("checked", "default"), ("declared", "code")]
)
def test_status_and_author_must_agree(status: str, by: str) -> None:
    with pytest.raises(UsageError, match="V7"):
        Condition(id="V7", status=status, by=by)  # type: ignore[arg-type]


def test_unknown_identifiers_are_refused() -> None:
    with pytest.raises(UsageError, match="V33"):
        checked("V33")


def test_a_complete_list_has_no_problem_in_any_order() -> None:
    everything = all_conditions()
    assert problems(everything) == []
    assert [c["id"] for c in in_order(reversed(everything))] == list(TITLES)


def test_all_problems_come_at_once() -> None:
    some = [violated("V1", "the prior saw it"), violated("V4", ""), checked("V7"), checked("V7")]
    found = {p.condition: p.message for p in problems(some)}
    assert found["V1"] == "the prior saw it"
    assert found["V4"].startswith("violated: ")
    assert found["V7"].startswith("stated more than once")
    assert found["V32"].startswith("not stated")
    assert len(found) == 32
