"""Digests of named tensors: what they depend on, and what they don't."""

import hashlib
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.errors import InputError
from pacbayes.tickets import digest, is_prunable, require_finite, tensor_digest


def test_tensor_digest_by_hand() -> None:
    raw = b"float32 (2, 1)\n" + struct.pack("<2f", 1.5, -2.0)
    assert tensor_digest(torch.tensor([[1.5], [-2.0]])) == hashlib.sha256(raw).hexdigest()
    raw = b"bool ()\n\x01"
    assert tensor_digest(torch.tensor(True)) == hashlib.sha256(raw).hexdigest()


def test_digest_by_hand() -> None:
    tensor = torch.tensor([1.0])
    line = f"1 w {tensor_digest(tensor)}\n".encode()
    assert digest({"w": tensor}) == hashlib.sha256(b"pacbayes/tensors/1\n" + line).hexdigest()


@given(st.lists(st.integers(-3, 3), min_size=6, max_size=6), st.permutations("abc"))
def test_order_strides_and_devices_do_not_matter(values: list[int], names: list[str]) -> None:
    tensor = torch.tensor(values, dtype=torch.float32).reshape(2, 3)
    assert tensor_digest(tensor.t().contiguous().t()) == tensor_digest(tensor)
    tensors = {name: tensor + ord(name) for name in "abc"}
    assert digest({name: tensors[name] for name in names}) == digest(tensors)


def test_dtype_shape_names_and_each_entry_matter() -> None:
    tensor = torch.arange(6.0).reshape(2, 3)
    nudged = tensor.clone()
    nudged[1, 2] = torch.nextafter(nudged[1, 2], torch.tensor(9.0))
    variants = [tensor, nudged, tensor.double(), tensor.reshape(3, 2), tensor.flatten(), -tensor]
    digests = {digest({"a": t}) for t in variants} | {digest({"b": tensor}), digest({})}
    assert len(digests) == len(variants) + 2
    assert digest({"a": tensor, "b": nudged}) != digest({"a": nudged, "b": tensor})


def test_no_name_can_imitate_two() -> None:
    a, b = torch.ones(1), torch.zeros(1)
    forged = f"a {tensor_digest(a)}\nb"
    forged_with_length = f"a {tensor_digest(a)}\n1 b"
    assert digest({forged: b}) != digest({"a": a, "b": b})
    assert digest({forged_with_length: b}) != digest({"a": a, "b": b})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_first_bad_entry_is_named(bad: float, dtype: torch.dtype) -> None:
    tensor = torch.ones(2, 3, dtype=dtype)
    tensor[1, 1] = tensor[1, 2] = bad
    with pytest.raises(InputError, match=rf"here: w\[1, 1\] is {bad}"):
        require_finite({"v": torch.ones(2), "w": tensor}, source="here")


def test_finite_and_integer_tensors_pass() -> None:
    extreme = torch.tensor([torch.finfo(torch.float32).max, 1e-45, 0.0])
    require_finite({"w": extreme, "n": torch.tensor(3)}, source="here")


def test_prunable_are_arrays_with_two_axes_or_more() -> None:
    assert [is_prunable(torch.ones((1,) * axes)) for axes in range(5)] == [False] * 2 + [True] * 3
