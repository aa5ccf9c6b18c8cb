"""Counts of pairs of posteriors against the definition and against really drawn networks."""

from dataclasses import replace

import pytest
import torch
from torch.func import functional_call

from pacbayes.data.loss import is_right
from pacbayes.errors import UsageError
from pacbayes.risk.pairs import PairCounts, evaluate_pairs
from tests.risk.test_evaluate import law, sample


def test_the_three_counts_come_in_the_order_of_rising_values() -> None:
    assert PairCounts(trials=10, at_least_zero=8, errors=5, alone=2).counts == (8, 5, 2)


def test_the_counts_fit_the_four_outcomes() -> None:
    """Of (wrong, wrong before): 10 + 11 err, 01 is below zero, 10 alone reaches one."""
    model, posterior = law()
    _, before = law()
    found = evaluate_pairs(posterior, before, model, sample(300), draws=3, root=5, quiet=True)
    assert found.trials == 900
    assert found.trials >= found.at_least_zero >= found.errors >= found.alone >= 0
    again = evaluate_pairs(posterior, before, model, sample(300), draws=3, root=5, quiet=True)
    other = evaluate_pairs(posterior, before, model, sample(300), draws=3, root=6, quiet=True)
    assert found == again != other


def test_equal_laws_are_drawn_independently() -> None:
    """With h and h' of one law the outcomes 10 and 01 are equally likely; 5 deviations."""
    model, posterior = law()
    found = evaluate_pairs(posterior, posterior, model, sample(300), draws=40, root=5, quiet=True)
    only_before = found.trials - found.at_least_zero
    assert found.alone > 0
    assert abs(found.alone - only_before) <= 5 * (found.alone + only_before) ** 0.5


def test_nearly_certain_laws_count_like_two_fixed_networks() -> None:
    model, posterior = law()
    still = {name: 1e-9 * (t > 0) for name, t in posterior.scale.items()}
    sharp = replace(posterior, scale=still)
    moved = replace(sharp, mean={name: -t for name, t in sharp.mean.items()})
    data = sample(120)
    found = evaluate_pairs(sharp, moved, model, data, draws=2, root=1, quiet=True)
    wrong, wrong_before = (
        ~is_right(functional_call(model, one.mean, (data.inputs,)), data.labels)
        for one in (sharp, moved)
    )
    assert found.errors == 2 * int(wrong.sum())
    assert found.alone == 2 * int((wrong & ~wrong_before).sum())
    assert found.trials - found.at_least_zero == 2 * int((wrong_before & ~wrong).sum())


def test_nothing_to_count_is_refused() -> None:
    model, posterior = law()
    with pytest.raises(UsageError, match="at least one draw"):
        evaluate_pairs(posterior, posterior, model, sample(10), draws=0, root=1)


def test_the_model_is_not_touched() -> None:
    model, posterior = law()
    model.train()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    evaluate_pairs(posterior, posterior, model, sample(20), draws=1, root=1, quiet=True)
    assert model.training
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
