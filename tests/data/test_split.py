"""Splits are disjoint, nested over fractions, and own n."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.data import Split, split_by_fraction, split_from_file
from pacbayes.errors import InputError, UnsoundError, UsageError
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet

fractions = st.floats(0.01, 0.99)


@given(st.integers(100, 3000), fractions, fractions, st.integers(0, 5))
def test_parts_are_disjoint_complete_and_nested(
    total: int, first: float, second: float, seed: int
) -> None:
    low, high = sorted((first, second))
    small, large = (split_by_fraction(total, share, Seeds(seed)) for share in (low, high))
    for split, share in ((small, low), (large, high)):
        assert len(split.prior) == round(share * total)
        assert split.prior.isdisjoint(split.certificate)
        assert split.prior.union(split.certificate) == IndexSet.all(total)
        assert split.n == total - round(share * total)
    assert small.prior.isdisjoint(large.certificate)


def test_split_depends_on_the_seed_and_is_not_the_front() -> None:
    one, again, two = (split_by_fraction(1000, 0.5, Seeds(s)) for s in (1, 1, 2))
    assert one.prior == again.prior
    assert one.prior != two.prior
    assert one.prior != IndexSet.of(range(500), total=1000)
    # 250 +- 5 standard deviations (15.8 / sqrt(2) without replacement) of the first half
    assert abs(int((one.prior.indices < 500).sum()) - 250) < 60


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.1, 0.04, 0.97, float("nan")])
def test_shares_that_leave_a_part_empty(fraction: float) -> None:
    with pytest.raises(UsageError):
        split_by_fraction(10, fraction, Seeds(1))


def test_everything() -> None:
    split = Split.everything(7)
    assert (len(split.prior), split.n) == (0, 7)


def test_overlap_is_unsound_and_named() -> None:
    prior, part = IndexSet.of([1, 2, 5], total=9), IndexSet.of([0, 2, 5], total=9)
    with pytest.raises(UnsoundError, match=r"2 examples are in the prior part .* index 2 first"):
        Split(prior=prior, certificate=part, description={})


def test_other_splits_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="5 and 6 examples"):
        Split(prior=IndexSet.none(5), certificate=IndexSet.all(6), description={})
    with pytest.raises(UsageError, match="empty"):
        Split(prior=IndexSet.all(5), certificate=IndexSet.none(5), description={})


def test_json_and_npz_say_the_same(tmp_path: Path) -> None:
    prior, part = [4, 0, 2], [1, 5]
    (tmp_path / "s.json").write_text(json.dumps({"prior": prior, "certificate": part}))
    np.savez(tmp_path / "s.npz", prior=np.array(prior), certificate=np.array(part, dtype=np.uint8))
    for name in ("s.json", "s.npz"):
        split = split_from_file(tmp_path / name, 8)
        assert split.prior == IndexSet.of([0, 2, 4], total=8)
        assert split.certificate == IndexSet.of([1, 5], total=8)
        assert split.description["method"] == "file"
        assert str(tmp_path) not in str(split.description)


@pytest.mark.parametrize(
    "text",
    [
        '{"prior": [], "certificate": []}',
        '{"prior": [1]}',
        '{"prior": [1], "certificate": [2], "test": [3]}',
        '{"prior": [1], "certificate": [8]}',
        '{"prior": [-1], "certificate": [2]}',
        '{"prior": [1, 1], "certificate": [2]}',
        '{"prior": [1.0], "certificate": [2]}',
        '{"prior": [true], "certificate": [2]}',
        '{"prior": ["1"], "certificate": [2]}',
        '{"prior": [18446744073709551617], "certificate": [2]}',
        '{"prior": 1, "certificate": [2]}',
        '{"prior": [1], "prior": [3], "certificate": [2]}',
        "[[1], [2]]",
    ],
)
def test_index_lists_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InputError, match=r"s\.json"):
        split_from_file(tmp_path / "s.json", 8)


@pytest.mark.parametrize(
    "prior",
    [
        np.array([[1]]),
        np.array([1.0]),
        np.array([True]),
        np.array([8]),
        np.array([-1]),
        np.array([1, 1]),
        np.array([2**64 - 1], dtype=np.uint64),
    ],
)
def test_index_arrays_that_are_none(tmp_path: Path, prior: np.ndarray) -> None:
    np.savez(tmp_path / "s.npz", prior=prior, certificate=np.array([2]))
    with pytest.raises(InputError, match=r"s\.npz"):
        split_from_file(tmp_path / "s.npz", 8)


def test_overlapping_lists_are_unsound(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"prior": [1, 2], "certificate": [2]}')
    with pytest.raises(UnsoundError, match="V1"):
        split_from_file(tmp_path / "s.json", 8)
