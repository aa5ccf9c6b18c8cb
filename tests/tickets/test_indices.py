"""Index sets: a set algebra, its JSON, and what hostile JSON does."""

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.errors import InputError, UsageError
from pacbayes.tickets import IndexSet


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, set[int], set[int]]:
    total = draw(st.integers(0, 70))
    members = st.sets(st.integers(0, total - 1)) if total else st.just(set())
    return total, draw(members), draw(members)


@given(pairs())
def test_the_algebra_is_that_of_sets(case: tuple[int, set[int], set[int]]) -> None:
    total, left, right = case
    a, b = IndexSet.of(sorted(left), total=total), IndexSet.of(list(right), total=total)
    assert set(a.union(b).indices.tolist()) == left | right
    assert a.isdisjoint(b) == left.isdisjoint(right)
    assert set(a.complement().indices.tolist()) == set(range(total)) - left
    assert (a == b) == (left == right)
    assert (a.digest == b.digest) == (left == right)
    assert len(a) == len(left)
    assert a.isdisjoint(a.complement())
    assert a.union(a.complement()) == IndexSet.all(total)


@given(pairs(), st.randoms(use_true_random=False))
def test_order_does_not_matter(case: tuple[int, set[int], set[int]], random: Any) -> None:
    total, members, _ = case
    shuffled = sorted(members)
    random.shuffle(shuffled)
    a, b = IndexSet.of(shuffled, total=total), IndexSet.of(sorted(members), total=total)
    assert a == b
    assert hash(a) == hash(b)
    assert a.indices.tolist() == sorted(members)


@given(pairs())
def test_json_round_trip(case: tuple[int, set[int], set[int]]) -> None:
    total, members, _ = case
    original = IndexSet.of(sorted(members), total=total)
    assert IndexSet.from_json(json.loads(json.dumps(original.to_json()))) == original


def test_total_is_part_of_the_identity() -> None:
    a, b = IndexSet.of([1], total=5), IndexSet.of([1], total=6)
    assert a != b
    assert a.digest != b.digest
    for operation in (a.union, a.isdisjoint):
        with pytest.raises(UsageError, match="same data"):
            operation(b)


def test_digest_by_hand() -> None:
    # SHA-256 of "pacbayes/indices/1\n5\n" and of 1 and 3 as eight little-endian bytes each.
    import hashlib

    text = b"pacbayes/indices/1\n5\n" + bytes([1] + [0] * 7) + bytes([3] + [0] * 7)
    assert IndexSet.of([3, 1], total=5).digest == hashlib.sha256(text).hexdigest()


def test_empty_and_full() -> None:
    assert len(IndexSet.none(4)) == 0
    assert len(IndexSet.all(4)) == 4
    assert IndexSet.none(0) == IndexSet.all(0)


@pytest.mark.parametrize(
    "indices",
    [[1, 1], [-1], [5], [2**62], np.array([2**64 - 1], dtype=np.uint64), [2**70], [0.5], [1.0],
     [True, False], np.array([True] * 5), ["1"], None, {1, 2}],
)  # fmt: skip
def test_what_is_no_index_list(indices: Any) -> None:
    with pytest.raises(UsageError):
        IndexSet.of(indices, total=5)


@pytest.mark.parametrize("total", [-1, 10**8 + 1])
def test_what_is_no_total(total: int) -> None:
    with pytest.raises(UsageError):
        IndexSet.of([], total=total)


@pytest.mark.parametrize("indices", [[3, 1], [1, 1], [-1, 2], [4, 5], [[1, 2]]])
def test_the_constructor_checks_as_well(indices: Any) -> None:
    with pytest.raises(UsageError):
        IndexSet(total=5, indices=np.array(indices))


def test_nobody_else_can_change_a_set() -> None:
    source = np.array([1, 2, 3])
    found = IndexSet.of(source, total=5)
    source[0] = 4
    assert found.indices.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="read-only"):
        found.indices[0] = 0


def packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


GOOD = IndexSet.of([0, 3, 4], total=10).to_json()
BITS = base64.b64decode(GOOD["bits"])

HOSTILE: dict[str, Any] = {
    "null": None,
    "list": [],
    "text": "x",
    "empty": {},
    "unknown field": {**GOOD, "x": 1},
    "no digest": {k: v for k, v in GOOD.items() if k != "sha256"},
    "total text": {**GOOD, "total": "10"},
    "total true": {**GOOD, "total": True},
    "total fraction": {**GOOD, "total": 10.0},
    "total negative": {**GOOD, "total": -10},
    "total huge": {**GOOD, "total": 10**18},
    "total other": {**GOOD, "total": 11},
    "count text": {**GOOD, "count": "3"},
    "count other": {**GOOD, "count": 4},
    "count null": {**GOOD, "count": None},
    "bits null": {**GOOD, "bits": None},
    "bits list": {**GOOD, "bits": [1]},
    "bits not base64": {**GOOD, "bits": "!" + GOOD["bits"]},
    "bits not ASCII": {**GOOD, "bits": "é"},
    "bits not deflated": {**GOOD, "bits": packed(b"xxxx")},
    "bits truncated": {**GOOD, "bits": packed(BITS[:-1])},
    "bits followed": {**GOOD, "bits": packed(BITS + b"x")},
    "bits too long": {**GOOD, "bits": packed(zlib.compress(b"\x98\0\0"))},
    "bits too short": {**GOOD, "bits": packed(zlib.compress(b"\x98"))},
    "bits beyond the total": {**GOOD, "bits": packed(zlib.compress(b"\x18\x01"))},
    "bomb": {**GOOD, "bits": packed(zlib.compress(bytes(2**26)))},
    "bomb with negative total": {**GOOD, "total": -8, "bits": packed(zlib.compress(bytes(2**26)))},
    "digest other": {**GOOD, "sha256": "0" * 64},
    "digest null": {**GOOD, "sha256": None},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json(name: str) -> None:
    with pytest.raises(InputError) as caught:
        IndexSet.from_json(HOSTILE[name])
    assert str(caught.value).isprintable()


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.sampled_from(sorted(GOOD)), below),
))  # fmt: skip
def test_any_json_is_read_or_refused(value: Any) -> None:
    try:
        found = IndexSet.from_json(value)
    except InputError:
        return
    assert found.to_json()["sha256"] == value["sha256"]
