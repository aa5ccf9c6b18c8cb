"""The certificate reader against damaged bytes and exchanged values."""

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pacbayes.certificate import checker
from tests.certificate.tampering import seal
from tests.cli.site import certificate
from tests.fuzz.cases import EDGES, answer, damaged, edits, fuzz

DOCUMENT = certificate("old").document
TEXT = certificate("old").to_bytes()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    pairs = enumerate(value) if isinstance(value, list) else ()
    for key, below in value.items() if isinstance(value, dict) else pairs:
        found += places(below, (*path, key))
    return found


PLACES = places(DOCUMENT)
VALUES = [*EDGES, -1, 10**40, "", "0", "1", "-1", "NaN", "1e9", "1/3", "1/0", "0." + "0" * 62 + "1",
          "9" * 65, "\x1b[31m", "\ud800", None, True, False, 0.5, [], {}, [[]], {"a": {}},
          "0" * 64, "declared", "violated"]  # fmt: skip


def exchanged(changes: list[tuple[tuple[Any, ...], Any]]) -> dict[str, Any]:
    document = json.loads(TEXT)
    for path, value in changes:
        inner: Any = document
        try:
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = copy.deepcopy(value)  # a value set twice would hold itself
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has removed the place
    return document


def sealed(document: dict[str, Any]) -> bytes:
    try:
        return seal(document)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        return json.dumps(document).encode("ascii")


@fuzz
@given(
    st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(VALUES)), max_size=3),
    st.booleans(),
    edits,
)
def test_the_reader_accepts_or_refuses(
    changes: list[tuple[tuple[Any, ...], Any]], seals: bool, cuts: list[tuple[str, int, int]]
) -> None:
    document = exchanged(changes)
    data = damaged(sealed(document) if seals else json.dumps(document).encode("ascii"), cuts)
    found = answer(lambda: checker.check(data), refusals=(checker.Rejected,))
    if isinstance(found, dict):
        # What is accepted is a certificate that says nothing better than the honest one.
        assert found["claim"]["risk_upper"] >= DOCUMENT["claim"]["risk_upper"]


def test_the_honest_certificate_is_accepted() -> None:
    assert answer(lambda: checker.check(TEXT), refusals=(checker.Rejected,)) == DOCUMENT
