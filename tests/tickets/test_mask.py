"""Laws of masks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pacbayes.errors import InputError
from pacbayes.tickets import Mask

WEIGHTS = {
    "fc.weight": torch.tensor([[1.0, -2.0, 0.0], [3.0, 4.0, 5.0]]),
    "fc.bias": torch.tensor([0.0, 1.0]),
}


@st.composite
def masks(draw: st.DrawFn) -> dict[str, Tensor]:
    found = {}
    for name in draw(st.sets(st.sampled_from("abc"))):
        rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
        bits = draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
        found[name] = torch.tensor(bits).reshape(rows, columns)
    return found


@given(masks())
def test_counts_are_those_of_the_entries(tensors: dict[str, Tensor]) -> None:
    mask = Mask(tensors)
    bits = [bit for tensor in tensors.values() for bit in tensor.flatten().tolist()]
    assert (mask.kept, mask.prunable) == (sum(bits), len(bits))
    assert mask.density == (sum(bits) / len(bits) if bits else 1.0)
    assert mask.density + mask.sparsity == 1.0
    assert set(mask) == set(tensors)
    assert len(mask) == len(tensors)


@given(masks())
def test_apply_keeps_and_removes(tensors: dict[str, Tensor]) -> None:
    mask = Mask(tensors)
    weights = {name: torch.full(t.shape, -2.0) for name, t in tensors.items()}
    weights["other"] = torch.ones(3)
    masked = mask.apply(weights)
    for name, tensor in tensors.items():
        assert torch.equal(masked[name] == -2.0, tensor)
        assert torch.equal(torch.signbit(masked[name]), tensor)  # no -0.0 is left behind
    assert masked["other"] is weights["other"]
    again = mask.apply(masked)
    assert all(torch.equal(again[name], masked[name]) for name in masked)


@given(masks(), st.randoms(use_true_random=False))
def test_digest_and_equality_ignore_order(tensors: dict[str, Tensor], random: object) -> None:
    names = list(tensors)
    random.shuffle(names)  # type: ignore[attr-defined]
    a, b = Mask(tensors), Mask({name: tensors[name] for name in names})
    assert a == b
    assert (hash(a), a.digest) == (hash(b), b.digest)
    for name in names:
        flipped = Mask({**tensors, name: ~tensors[name]})
        assert flipped != a
        assert flipped.digest != a.digest


def test_removed_entries_become_zero_even_where_they_were_not_finite() -> None:
    mask = Mask({"w": torch.tensor([True, False, False])})
    found = mask.apply({"w": torch.tensor([1.0, float("nan"), float("inf")])})
    assert found["w"].tolist() == [1.0, 0.0, 0.0]


def test_full_and_from_zeros_leave_biases_alone() -> None:
    assert list(Mask.full(WEIGHTS)) == ["fc.weight"]
    assert Mask.full(WEIGHTS).density == 1.0
    zeros = Mask.from_zeros(WEIGHTS)
    assert zeros["fc.weight"].tolist() == [[True, True, False], [True, True, True]]
    assert "fc.bias" not in zeros
    assert zeros.of("fc.bias", WEIGHTS["fc.bias"]).all()


def test_only_bool_tensors() -> None:
    for dtype in (torch.uint8, torch.int32, torch.float32):
        with pytest.raises(InputError, match="must be bool"):
            Mask({"w": torch.ones(2, dtype=dtype)})


def test_a_mask_does_not_change_with_its_source() -> None:
    source = torch.ones(2, 2, dtype=torch.bool)
    mask = Mask({"w": source})
    source[0, 0] = False
    assert mask.kept == 4


def test_every_misfit_is_listed() -> None:
    mask = Mask({name: torch.ones(2, 2, dtype=torch.bool) for name in ("a", "fc.weight", "z")})
    with pytest.raises(InputError) as caught:
        mask.require_fits(WEIGHTS)
    for text in ("['a', 'z']", "fc.weight", "(2, 2)", "(2, 3)"):
        assert text in str(caught.value)
    with pytest.raises(InputError):
        mask.apply(WEIGHTS)


def test_a_mask_is_no_dict() -> None:
    tensors = {"w": torch.ones(2, dtype=torch.bool)}
    assert Mask(tensors) != tensors
