"""Label noise: the recipe, exactly; and that noisy data are other data."""

import math
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.data import load_data
from pacbayes.data.label_noise import LabelNoise, noisy_labels, with_label_noise
from pacbayes.errors import InputError, UsageError


@given(
    total=st.integers(1, 300),
    thousandths=st.integers(0, 1000),
    classes=st.integers(2, 12),
    seed=st.integers(0, 100),
)
def test_the_recipe(total: int, thousandths: int, classes: int, seed: int) -> None:
    labels = torch.arange(total) % classes
    noise = LabelNoise(fraction=f"{thousandths / 1000:.3f}", seed=seed)
    noisy, chosen = noisy_labels(labels, classes=classes, noise=noise)
    assert len(chosen) == math.ceil(Fraction(thousandths, 1000) * total)
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    changed = torch.nonzero(noisy != labels).squeeze(1).tolist()
    assert set(changed) <= set(chosen.tolist())
    assert 0 <= int(noisy.min()) <= int(noisy.max()) < classes
    again, _ = noisy_labels(labels, classes=classes, noise=noise)
    assert torch.equal(noisy, again)


def test_the_fraction_is_taken_exactly() -> None:
    """In doubles, ceil(0.1 * 30) is 4 where it should be 3: 0.1 is a little more than a tenth."""
    noise = LabelNoise(fraction="0.1", seed=1)
    _, chosen = noisy_labels(torch.zeros(30, dtype=torch.int64), classes=2, noise=noise)
    assert len(chosen) == 3


def test_more_noise_contains_less() -> None:
    labels = torch.zeros(200, dtype=torch.int64)
    little, few = noisy_labels(labels, classes=10, noise=LabelNoise(fraction="0.1", seed=3))
    much, many = noisy_labels(labels, classes=10, noise=LabelNoise(fraction="0.4", seed=3))
    assert set(few.tolist()) <= set(many.tolist())
    assert torch.equal(little[torch.from_numpy(few)], much[torch.from_numpy(few)])


def test_new_labels_are_uniform_over_all_classes() -> None:
    """Of 20000 labels about a tenth each, within 5 deviations; so a tenth stays right."""
    labels = torch.zeros(20000, dtype=torch.int64)
    noisy, _ = noisy_labels(labels, classes=10, noise=LabelNoise(fraction="1", seed=5))
    counts = torch.bincount(noisy, minlength=10)
    assert bool(((counts - 2000).abs() < 5 * math.sqrt(20000 * 0.1 * 0.9)).all())


def test_noisy_data_are_other_data() -> None:
    data = load_data("digits")
    noisy = with_label_noise(data, LabelNoise(fraction="0.2", seed=1))
    changed = noisy.train.labels != data.train.labels
    same_item = torch.from_numpy((noisy.train.items == data.train.items).all(axis=1))
    assert bool(changed.any())
    assert torch.equal(same_item, ~changed)
    assert noisy.digest != data.digest
    assert torch.equal(noisy.train.inputs, data.train.inputs)
    assert noisy.test is data.test
    assert "0.2 of the training labels" in noisy.description


def test_without_noise_data_stay_the_same() -> None:
    data = load_data("digits")
    assert with_label_noise(data, LabelNoise(fraction="0", seed=1)).digest == data.digest


def test_applying_a_stored_recipe_again_gives_the_same_data() -> None:
    data, noise = load_data("digits"), LabelNoise(fraction="0.3", seed=7)
    stored = LabelNoise.from_json(noise.to_json())
    assert stored == noise
    assert with_label_noise(data, stored).digest == with_label_noise(data, noise).digest


@pytest.mark.parametrize(
    "fraction", ["-0.1", "1.1", "many", "", "nan", "inf", "1/0", "1e-999999999", "1_0"]
)
def test_impossible_fractions_are_refused(fraction: str) -> None:
    with pytest.raises(UsageError):
        LabelNoise(fraction=fraction, seed=1)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"fraction": "0.1"},
        {"fraction": 0.1, "seed": 1},
        {"fraction": "0.1", "seed": True},
        {"fraction": "0.1", "seed": -1},
        {"fraction": "2", "seed": 1},
        {"fraction": "0.1", "seed": 1, "more": 0},
    ],
)
def test_a_malformed_recipe_is_refused(value: Any) -> None:
    with pytest.raises(InputError):
        LabelNoise.from_json(value)
