"""The laws of pruning, for every scope."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pacbayes.errors import UsageError
from pacbayes.pruning.prune import Scope, prune, prune_to
from pacbayes.tickets import Mask

SHAPES = {"conv": (3, 2, 2, 2), "fc": (5, 7), "out": (4, 5)}
SCOPES: list[Scope] = ["global", "tensor"]


def full() -> Mask:
    return Mask({name: torch.ones(shape, dtype=torch.bool) for name, shape in SHAPES.items()})


def random_scores(seed: int, *, values: int = 10**6) -> dict[str, Tensor]:
    """Scores with many ties where there are few values."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randint(0, values, shape, generator=generator).double()
        for name, shape in SHAPES.items()
    }


def groups(scope: Scope, protected: tuple[str, ...]) -> list[list[str]]:
    free = [name for name in SHAPES if name not in protected]
    return [free] if scope == "global" else [[name] for name in free]


def kept(mask: Mask, names: list[str]) -> int:
    return sum(int(mask[name].sum()) for name in names)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("protected", [(), ("fc",)])
@given(
    seed=st.integers(0, 1000),
    fraction=st.floats(0, 1),
    values=st.sampled_from([1, 3, 10**6]),
)
def test_the_laws(
    scope: Scope, protected: tuple[str, ...], seed: int, fraction: float, values: int
) -> None:
    before = prune(full(), random_scores(seed + 1), fraction=0.3)
    scores = random_scores(seed, values=values)
    after = prune(before, scores, fraction=fraction, scope=scope, protected=protected)
    assert set(after) == set(before)
    for name in SHAPES:
        assert after[name].shape == before[name].shape
        assert not bool((after[name] & ~before[name]).any())  # what was removed stays removed
    for name in protected:
        assert torch.equal(after[name], before[name])
    for names in groups(scope, protected):
        asked = fraction * kept(before, names)
        assert abs(kept(before, names) - kept(after, names) - asked) <= 0.5
        stays = [scores[n][after[n]] for n in names]
        goes = [scores[n][before[n] & ~after[n]] for n in names]
        low, high = torch.cat(stays), torch.cat(goes)
        assert not low.numel() or not high.numel() or low.min() >= high.max()


@pytest.mark.parametrize("scope", SCOPES)
@given(seed=st.integers(0, 1000), first=st.floats(0, 1), second=st.floats(0, 1))
def test_masks_of_falling_density_are_nested(
    scope: Scope, seed: int, first: float, second: float
) -> None:
    scores = random_scores(seed, values=20)
    high, low = max(first, second), min(first, second)
    wide = prune_to(full(), scores, density=high, scope=scope)
    narrow = prune_to(full(), scores, density=low, scope=scope)
    assert all(not bool((narrow[name] & ~wide[name]).any()) for name in SHAPES)
    assert prune_to(wide, scores, density=low, scope=scope) == narrow


@pytest.mark.parametrize("scope", SCOPES)
@given(density=st.floats(0, 1))
def test_the_density_is_reached_within_half_a_weight(scope: Scope, density: float) -> None:
    mask = prune_to(full(), random_scores(1), density=density, scope=scope, protected=("out",))
    for names in groups(scope, ("out",)):
        entries = sum(mask[name].numel() for name in names)
        assert abs(kept(mask, names) - density * entries) <= 0.5
    assert bool(mask["out"].all())


def test_a_sparser_mask_is_left_alone() -> None:
    sparse = prune_to(full(), random_scores(1), density=0.2)
    assert prune_to(sparse, random_scores(2), density=0.5) == sparse


def test_ties_go_by_name_and_position() -> None:
    scores = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    mask = prune_to(full(), scores, density=0.5)
    entries = torch.cat([mask[name].reshape(-1) for name in sorted(SHAPES)])
    assert entries.tolist() == sorted(entries.tolist())


def test_everything_may_be_protected() -> None:
    assert prune(full(), random_scores(1), fraction=0.5, protected=tuple(SHAPES)) == full()


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_impossible_amounts_are_refused(value: float) -> None:
    with pytest.raises(UsageError):
        prune(full(), random_scores(1), fraction=value)
    with pytest.raises(UsageError):
        prune_to(full(), random_scores(1), density=value)


def test_an_unknown_protected_name_is_refused() -> None:
    with pytest.raises(UsageError, match=r"fc7.*conv"):
        prune(full(), random_scores(1), fraction=0.5, protected=("fc7",))
