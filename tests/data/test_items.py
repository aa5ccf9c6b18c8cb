"""The identity of an example is its content and its label."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pacbayes.data.items import item_hashes, items_digest, ordered_digest

arrays = hnp.arrays(
    st.sampled_from([np.uint8, np.float32, np.float64, np.dtype(">f4"), np.dtype(">i2")]),
    hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4),
    elements=st.integers(0, 100),
)


def slow(raw: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Say it once more, one example at a time and without views."""
    rows = []
    for row, label in zip(raw, labels, strict=True):
        little = row.astype(row.dtype.newbyteorder("<"))
        head = f"pacbayes/item/1\n{row.dtype.name} {row.shape}\n".encode()
        content = head + little.tobytes() + int(label).to_bytes(8, "little", signed=True)
        rows.append(list(hashlib.sha256(content).digest()))
    return np.array(rows, dtype=np.uint8)


@given(arrays, st.data())
def test_hashes_are_those_of_the_slow_definition(raw: np.ndarray, data: st.DataObject) -> None:
    labels = data.draw(hnp.arrays(np.int64, len(raw), elements=st.integers(0, 9)))
    assert (item_hashes(raw, labels) == slow(raw, labels)).all()
    assert (item_hashes(raw[::-1], labels[::-1]) == slow(raw, labels)[::-1]).all()


def test_dtype_shape_content_and_label_all_count() -> None:
    zero = np.zeros((1, 2, 2), dtype=np.uint8)
    one = zero.copy()
    one[0, 1, 1] = 1
    variants = [
        (zero, 0),
        (zero, 1),
        (one, 0),
        (zero.reshape(1, 4), 0),
        (zero.reshape(1, 1, 4), 0),
        (zero.view(np.int8), 0),
        (zero.view(np.uint16), 0),
        (zero.astype(np.float32), 0),
    ]
    found = {item_hashes(raw, np.array([label])).tobytes() for raw, label in variants}
    assert len(found) == len(variants)


def test_byte_order_and_strides_do_not_count() -> None:
    raw = np.arange(12, dtype="<f4").reshape(3, 4)
    labels = np.arange(3)
    expected = item_hashes(raw, labels)
    assert (item_hashes(raw.astype(">f4"), labels.astype(np.int16)) == expected).all()
    assert (item_hashes(np.asfortranarray(raw), labels) == expected).all()


def test_no_examples_have_no_hashes() -> None:
    assert item_hashes(np.zeros((0, 3)), np.zeros(0, dtype=int)).shape == (0, 32)


def test_sample_digest_forgets_the_order_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    items = item_hashes(rng.integers(0, 255, (50, 3), dtype=np.uint8), np.zeros(50, dtype=int))
    shuffled = items[rng.permutation(50)]
    assert items_digest(items) == items_digest(shuffled)
    assert ordered_digest(items) != ordered_digest(shuffled)
    doubled = np.concatenate([items, items[:1]])
    assert len({items_digest(x) for x in (items, items[1:], doubled, items[:0])}) == 4
    in_python = sorted(bytes(row) for row in items)
    content = b"pacbayes/sample/1\n50\n" + b"".join(in_python)
    assert items_digest(items) == hashlib.sha256(content).hexdigest()


def test_zero_bytes_at_the_end_of_a_hash_are_kept() -> None:
    items = np.zeros((3, 32), dtype=np.uint8)
    items[0, 0], items[1, 31] = 1, 1
    content = b"pacbayes/sample/1\n3\n" + b"".join(sorted(bytes(row) for row in items))
    assert items_digest(items) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("count", [1, 1000])
def test_digest_has_the_form_of_a_sha256(count: int) -> None:
    digest = items_digest(np.zeros((count, 32), dtype=np.uint8))
    assert len(digest) == 64
    assert int(digest, 16) > 0
