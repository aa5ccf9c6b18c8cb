"""Overlap of masks against enumeration and the hypergeometric law."""

from fractions import Fraction
from itertools import combinations, product
from math import sqrt

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from pacbayes.errors import InputError, UsageError
from pacbayes.tickets import Mask
from pacbayes.tickets.overlap import chance, overlap


def mask(**tensors: list[int]) -> Mask:
    return Mask({name: torch.tensor(bits).bool() for name, bits in tensors.items()})


@pytest.mark.parametrize(
    ("entries", "kept"), [(4, (2, 2)), (5, (0, 3)), (4, (1, 2, 3)), (5, (5, 2, 4)), (3, (1, 1, 1))]
)
def test_chance_against_all_sets(entries: int, kept: tuple[int, ...]) -> None:
    families = [list(combinations(range(entries), count)) for count in kept]
    sizes = [len(set.intersection(*map(set, sets))) for sets in product(*families)]
    mean = Fraction(sum(sizes), len(sizes))
    variance = Fraction(sum(size**2 for size in sizes), len(sizes)) - mean**2
    assert chance(entries, kept) == (mean, variance)


@given(entries=st.integers(1, 60), first=st.floats(0, 1), second=st.floats(0, 1))
def test_chance_of_two_masks_is_hypergeometric(entries: int, first: float, second: float) -> None:
    kept = [round(share * entries) for share in (first, second)]
    counts = np.arange(entries + 1)
    law = hypergeom(entries, *kept).pmf(counts)
    mean, variance = chance(entries, kept)
    # Sums of at most 61 float64 terms up to 3600 times a probability good to about 1e-13.
    assert float(mean) == pytest.approx(law @ counts, abs=1e-9)
    assert float(variance) == pytest.approx(law @ (counts - float(mean)) ** 2, abs=1e-9)


def test_by_hand() -> None:
    found = overlap(
        [
            mask(a=[1, 1, 0, 0], b=[1, 0]),
            mask(a=[1, 0, 1, 0], b=[1, 1]),
            mask(a=[1, 1, 1, 0], b=[1, 0]),
        ]
    )
    first = found.tensors["a"]
    assert (first.entries, first.kept, first.common, first.either) == (4, (2, 2, 3), 1, 3)
    assert first.expected == 4 * (2 * 2 * 3) / 64
    assert first.share_of_all == 0.25
    assert first.share_of_kept == pytest.approx(3 / 7, rel=1e-15)
    assert (found.whole.common, found.whole.entries, found.whole.kept) == (2, 6, (3, 4, 4))
    assert found.whole.expected == pytest.approx(0.75 + 2 * 0.5 * 1 * 0.5, rel=1e-15)
    assert found.common == mask(a=[1, 0, 0, 0], b=[1, 0])


def test_published_chance_level() -> None:
    """Three masks at 96.48 % sparsity: 0.0044 % of all, so 0.33 % is 75 times chance (4.4)."""
    entries = 10**6
    kept = [round((1 - 0.9648) * entries)] * 3
    mean, _ = chance(entries, kept)
    assert 100 * float(mean) / entries == pytest.approx(0.0044, abs=5e-5)
    assert 0.33 / (100 * float(mean) / entries) == pytest.approx(75.7, abs=0.1)


def test_a_mask_shares_all_with_itself() -> None:
    one = mask(a=[1, 0, 1, 0, 0])
    row = overlap([one, one]).whole
    assert (row.common, row.either, row.share_of_kept) == (2, 2, 1.0)
    assert row.times_chance == 2.5


def test_random_masks_stay_near_chance() -> None:
    """Of 40 pairs the z-values have mean square near 1: within 5 deviations, sqrt(2/40) each."""
    generator = torch.Generator().manual_seed(0)
    squares = []
    for _ in range(40):
        pair = [Mask({"w": torch.rand(50, 40, generator=generator) < 0.2}) for _ in range(2)]
        z = overlap(pair).whole.deviations
        assert z is not None
        squares.append(z**2)
    assert sum(squares) / 40 == pytest.approx(1, abs=5 * sqrt(2 / 40))


def test_agreement_about_counts_alone_is_no_overlap() -> None:
    """Both masks keep all of one tensor and nothing of the other: chance does the same."""
    row = overlap([mask(a=[1, 1], b=[0, 0])] * 2).whole
    assert (row.common, row.expected, row.deviation) == (2, 2.0, 0.0)
    assert row.deviations is None


def test_empty_tensors_and_masks() -> None:
    row = overlap([mask(a=[0, 0]), mask(a=[0, 0])]).whole
    assert (row.common, row.share_of_kept, row.times_chance) == (0, 0.0, None)
    assert overlap([Mask({}), Mask({})]).whole.share_of_all == 0.0
    assert chance(0, [0, 0]) == (0, 0)


def test_documents_hold_numbers_alone() -> None:
    found = overlap([mask(a=[1, 0]), mask(a=[1, 1])]).to_json()
    assert set(found) == {"whole", "tensors"}
    assert found["whole"]["kept"] == [1, 2]


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="two masks"):
        overlap([mask(a=[1])])
    with pytest.raises(InputError, match="mask 2"):
        overlap([mask(a=[1]), mask(b=[1])])
    with pytest.raises(InputError, match="mask 3"):
        overlap([mask(a=[1]), mask(a=[1]), mask(a=[1, 0])])
