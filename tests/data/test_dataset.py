"""Examples, transformations and data refuse what makes no sense."""

import dataclasses

import numpy as np
import pytest
import torch

from pacbayes.data import Data, Examples, Transform
from pacbayes.data.arrays import examples_from_arrays, standardized
from pacbayes.errors import InputError, UsageError
from pacbayes.tickets import IndexSet

PLAIN = Transform(text="as given")


def make(count: int = 6, *, classes: int = 3, shape: tuple[int, ...] = (2,)) -> Examples:
    raw = np.arange(count * int(np.prod(shape)), dtype=np.float32).reshape(count, *shape)
    labels = np.arange(count) % classes
    return examples_from_arrays(raw, labels, divisor=1, transform=PLAIN, source="test")


def data(train: Examples, test: Examples | None = None, classes: int = 3) -> Data:
    return Data(
        name="test", train=train, test=test, classes=classes, transform=PLAIN,
        description="numbers", builtin=False, spec="module:function",
    )  # fmt: skip


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_an_input_that_is_not_finite_is_named(bad: float) -> None:
    raw = np.zeros((4, 3), dtype=np.float32)
    raw[2, 1] = bad
    with pytest.raises(InputError, match=r"here: input 2 is not finite: .*\[1\]"):
        examples_from_arrays(raw, np.zeros(4, dtype=int), divisor=1, transform=PLAIN, source="here")


def test_opposite_infinities_do_not_hide_each_other_and_large_values_pass() -> None:
    raw = np.full((2, 2), 3e38, dtype=np.float32)
    examples = examples_from_arrays(
        raw, np.array([0, 1]), divisor=1, transform=PLAIN, source="here"
    )
    assert len(examples) == 2
    raw[0] = [np.inf, -np.inf]
    with pytest.raises(InputError, match="not finite"):
        examples_from_arrays(raw, np.array([0, 1]), divisor=1, transform=PLAIN, source="here")


def test_float64_beyond_float32_is_not_finite() -> None:
    with pytest.raises(InputError, match="not finite"), np.errstate(over="ignore"):
        examples_from_arrays(
            np.array([[1e300]]), np.array([0]), divisor=1, transform=PLAIN, source="here"
        )


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (np.array([0.0, 1.0]), "integers"),
        (np.array([0, 1, 2]), "2 inputs and 3 labels"),
        (np.array([[1, 0], [0, 1]]), "shape"),
        (np.array([True, False]), "integers"),
        (np.array([0, 2**63], dtype=np.uint64), "no class"),
        (np.array(["a", "b"]), "integers"),
    ],
)
def test_labels_that_are_none(labels: np.ndarray, text: str) -> None:
    with pytest.raises(InputError, match=text):
        examples_from_arrays(np.zeros((2, 2)), labels, divisor=1, transform=PLAIN, source="here")


def test_labels_in_a_column_are_accepted() -> None:
    raw, column = np.zeros((2, 2)), np.array([[1], [0]], dtype=np.uint8)
    examples = examples_from_arrays(raw, column, divisor=1, transform=PLAIN, source="here")
    assert examples.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("inputs", torch.zeros(5, 2)),
        ("inputs", torch.zeros(6)),
        ("inputs", torch.zeros(6, 2, dtype=torch.float64)),
        ("labels", torch.zeros(6, dtype=torch.int32)),
        ("labels", torch.zeros(6, 1, dtype=torch.int64)),
        ("items", np.zeros((6, 31), dtype=np.uint8)),
        ("items", np.zeros((6, 32), dtype=np.int8)),
    ],
)
def test_examples_that_do_not_fit_together(field: str, value: object) -> None:
    with pytest.raises(InputError):
        dataclasses.replace(make(), **{field: value})


def test_a_part_has_the_rows_of_its_indices_in_their_order() -> None:
    whole = make()
    part = whole.part(IndexSet.of([4, 1], total=6))
    assert part.labels.tolist() == [whole.labels[1], whole.labels[4]]
    assert torch.equal(part.inputs, whole.inputs[[1, 4]])
    assert (part.items == whole.items[[1, 4]]).all()
    with pytest.raises(UsageError, match="refer to 7"):
        whole.part(IndexSet.of([1], total=7))


def test_labels_outside_the_classes_are_refused() -> None:
    with pytest.raises(InputError, match=r"training labels must lie in \[0, 2\), got 0..2"):
        data(make(), classes=2)
    with pytest.raises(InputError, match="test labels"):
        data(make(classes=2), make(classes=3), classes=2)
    negative = dataclasses.replace(make(), labels=torch.tensor([0, 1, 2, -1, 0, 1]))
    with pytest.raises(InputError, match=r"-1\.\.2"):
        data(negative)


def test_other_data_that_make_no_sense() -> None:
    with pytest.raises(InputError, match="no training examples"):
        data(make().part(IndexSet.none(6)))
    with pytest.raises(InputError, match="differ in shape"):
        data(make(), make(shape=(3,)))
    with pytest.raises(InputError, match="at least 2 classes"):
        data(make(classes=1), classes=1)


def test_digest_depends_on_content_label_and_order() -> None:
    whole = data(make())
    order = torch.tensor([1, 0, 2, 3, 4, 5])
    swapped = Examples(
        inputs=whole.train.inputs[order],
        labels=whole.train.labels[order],
        items=whole.train.items[order.numpy()],
    )
    assert whole.digest == data(make()).digest
    assert len({whole.digest, data(swapped).digest, data(make(classes=2)).digest}) == 3
    assert whole.shape == (2,)


def test_standardizing_by_hand() -> None:
    raw = np.array([[0, 255], [51, 102]], dtype=np.uint8)
    transform = standardized(Transform(text="pixels/255"), "0.2,0.4", 2)
    examples = examples_from_arrays(
        raw, np.array([0, 1]), divisor=255, transform=transform, source="here"
    )
    # (0 - 0.2)/0.4, (1 - 0.2)/0.4, (0.2 - 0.2)/0.4, (0.4 - 0.2)/0.4; float32 has 2^-24 of relative
    # error, and float64 cancels to 1e-16 at 0.
    expected = torch.tensor([[-0.5, 2.0], [0.0, 0.5]])
    assert torch.allclose(examples.inputs, expected, rtol=2**-24, atol=1e-15)
    assert transform == Transform(
        text="standardize", mean=("0.2",), std=("0.4",), source="declared"
    )


def test_standardizing_per_channel_and_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = np.random.default_rng(0).integers(0, 255, (10, 3, 2, 2), dtype=np.uint8)
    transform = standardized(Transform(text="pixels/255"), "0.1:0.2:-0.3,1:2:4", 3)
    monkeypatch.setattr("pacbayes.data.arrays.BLOCK", 30)
    found = examples_from_arrays(
        raw, np.zeros(10, dtype=int), divisor=255, transform=transform, source="here"
    ).inputs
    for channel, (mean, std) in enumerate([(0.1, 1.0), (0.2, 2.0), (-0.3, 4.0)]):
        expected = ((raw[:, channel] / 255 - mean) / std).astype(np.float32)
        assert (found[:, channel].numpy() == expected).all()


def test_items_do_not_depend_on_the_transformation() -> None:
    raw, labels = np.arange(8, dtype=np.uint8).reshape(4, 2), np.zeros(4, dtype=int)
    plain = Transform(text="pixels/255")
    one = examples_from_arrays(raw, labels, divisor=255, transform=plain, source="here")
    two = examples_from_arrays(
        raw, labels, divisor=255, transform=standardized(plain, "0.5,0.5", 2), source="here"
    )
    assert (one.items == two.items).all()
    assert not torch.equal(one.inputs, two.inputs)


@pytest.mark.parametrize(
    "text",
    ["", "0.1", "0.1,", ",1", "a,b", "0.1,0", "0.1,-1", "nan,1", "inf,1", "1e3,1", "0.1:0.2,1:1",
     "0.1:0.2:0.3,1", "0.1,1,1", "01,1", ".5,1", "5.,1", "+1,1", "None", "0." + "1" * 40 + ",1"],
)  # fmt: skip
def test_constants_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--normalize"):
        standardized(Transform(text="pixels/255"), text, 3)


def test_constants_taken_from_the_data_are_noticed() -> None:
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 255, (200, 3, 4, 4), dtype=np.uint8)
    mean = [f"{raw[:, c].mean() / 255:.4f}" for c in range(3)]
    std = [f"{raw[:, c].std() / 255:.4f}" for c in range(3)]
    plain = Transform(text="pixels/255")

    def fits(text: str) -> bool:
        transform = standardized(plain, text, 3)
        return transform.fits_statistics(
            examples_from_arrays(
                raw, np.zeros(200, dtype=int), divisor=255, transform=transform, source="here"
            )
        )

    assert fits(f"{':'.join(mean)},{':'.join(std)}")
    assert fits(f"{raw.mean() / 255:.3f},{raw.std() / 255:.3f}")
    assert fits(f"{raw.mean() / 255:.7f},{raw.std() / 255:.7f}")
    assert not fits("0.5:0.5:0.5,0.3:0.3:0.3")
    off = f"{float(mean[0]) + 0.0011:.4f}"
    assert not fits(f"{off}:{mean[1]}:{mean[2]},{':'.join(std)}")
    examples = examples_from_arrays(
        raw, np.zeros(200, dtype=int), divisor=255, transform=plain, source="here"
    )
    assert not plain.fits_statistics(examples)
