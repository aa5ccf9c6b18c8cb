"""Equal contents are counted within the certificate part and across the split."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.data import Examples, Split, Transform, duplicates
from pacbayes.data.arrays import examples_from_arrays
from pacbayes.tickets import IndexSet


def make(contents: list[int], labels: list[int] | None = None) -> Examples:
    raw = np.array(contents, dtype=np.uint8)[:, None]
    return examples_from_arrays(
        raw,
        np.array(labels or [0] * len(contents)),
        divisor=255,
        transform=Transform(text="pixels/255"),
        source="test",
    )


def split(prior: list[int], certificate: list[int], total: int) -> Split:
    return Split(
        prior=IndexSet.of(prior, total=total),
        certificate=IndexSet.of(certificate, total=total),
        description={},
    )


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from("pcx")), min_size=1, max_size=30))
def test_counts_are_those_of_the_slow_definition(rows: list[tuple[int, str]]) -> None:
    rows = [*rows, (0, "c")]
    prior = [i for i, (_, part) in enumerate(rows) if part == "p"]
    certificate = [i for i, (_, part) in enumerate(rows) if part == "c"]
    found = duplicates(make([c for c, _ in rows]), split(prior, certificate, len(rows)))
    ours, theirs = [rows[i][0] for i in certificate], [rows[i][0] for i in prior]
    assert found.within == sum(content in ours[:i] for i, content in enumerate(ours))
    assert found.across == sum(content in theirs for content in ours)
    assert found.n_unique == len(set(ours))
    pairs = [(p, c) for c in certificate for p in prior if rows[p][0] == rows[c][0]]
    assert found.first_across == (pairs[0] if pairs else None)


def test_the_same_picture_with_another_label_is_another_example() -> None:
    found = duplicates(make([7, 7, 7], [0, 1, 1]), split([0], [1, 2], 3))
    assert (found.within, found.across, found.first_across, found.n_unique) == (1, 0, None, 1)


def test_one_item_in_both_parts_is_named_by_its_indices() -> None:
    found = duplicates(make([1, 2, 3, 4, 2]), split([0, 1, 2], [3, 4], 5))
    assert (found.within, found.across, found.first_across) == (0, 1, (1, 4))
