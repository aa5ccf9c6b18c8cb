"""scikit-learn's digits, cut in a way that never changes."""

import numpy as np
import torch

from pacbayes.data import duplicates, load_data, split_by_fraction
from pacbayes.data.digits import fixed_order
from pacbayes.runtime.seeds import Seeds

TRAIN = "2e916760a8c8073eabcffa1e6404461716dc064c05b469cd89abb06551986b8b"


def test_sizes_values_and_digest() -> None:
    data = load_data("digits")
    assert data.test is not None
    assert (len(data.train), len(data.test), data.shape, data.classes) == (1500, 297, (1, 8, 8), 10)
    inputs = torch.cat([data.train.inputs, data.test.inputs])
    assert torch.equal(inputs * 16, (inputs * 16).round())
    assert (float(inputs.min()), float(inputs.max())) == (0.0, 1.0)
    assert data.digest == TRAIN
    assert data.builtin
    assert data.transform.text == "values/16"


def test_train_and_test_together_are_all_rows_once() -> None:
    from sklearn.datasets import load_digits

    data = load_data("digits")
    assert data.test is not None
    order = fixed_order(1797)
    assert sorted(order.tolist()) == list(range(1797))
    assert order[:5].tolist() == fixed_order(1797)[:5].tolist()
    rows = load_digits().data[order] / 16
    found = torch.cat([data.train.inputs, data.test.inputs]).flatten(1)
    assert (found.numpy() == rows).all()
    labels = torch.cat([data.train.labels, data.test.labels])
    assert (labels.numpy() == load_digits().target[order]).all()


def test_test_part_is_spread_over_rows_and_classes() -> None:
    order = fixed_order(1797)
    # the mean row of 297 out of 1797 has standard deviation 1797 / sqrt(12 * 297) = 30
    assert abs(order[1500:].mean() - 898) < 150
    data = load_data("digits")
    assert data.test is not None
    counts = np.bincount(data.test.labels.numpy(), minlength=10)
    assert counts.min() >= 15


def test_no_duplicates() -> None:
    data = load_data("digits")
    found = duplicates(data.train, split_by_fraction(1500, 0.5, Seeds(1)))
    assert (found.within, found.across) == (0, 0)
