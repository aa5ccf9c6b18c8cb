"""LeNet-300-100 on MNIST against the published table (Vandersmissen and Oramas 2023, table 2)."""

from functools import cache
from pathlib import Path

import pytest

from pacbayes.data import Data, Split, load_data
from pacbayes.models import build_model
from pacbayes.pruning import FindPlan, TrainPlan, find_tickets
from pacbayes.pruning.scores import ScoreName
from pacbayes.risk import count_errors
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Ticket
from pacbayes.tickets.overlap import overlap

# Accuracy in percent after 5 levels of 20 %, that is at a sparsity of 67.23 %.
PUBLISHED: dict[ScoreName, float] = {"magnitude": 98.00, "l1": 98.12, "l2": 98.04}
POINTS = 0.4


@pytest.fixture(scope="module")
def mnist(data_root: Path) -> Data:
    return load_data("mnist", root=data_root)


@cache
def last_ticket(data: Data, score: ScoreName) -> Ticket:
    """A fifth of the paper's training, with momentum and a falling rate instead."""
    model = build_model("lenet300", in_shape=data.shape, classes=10, seed=1)
    plan = FindPlan(train=TrainPlan(epochs=4, lr=0.1), levels=5, score=score)
    split = Split.everything(len(data.train))
    *_, last = find_tickets(model, data, split, plan=plan, seeds=Seeds(1))
    return last


@pytest.mark.slow
@pytest.mark.parametrize("score", PUBLISHED)
def test_tickets_are_as_good_as_published(mnist: Data, score: ScoreName) -> None:
    """One seed; the published standard deviations are 0.09 to 0.15 points."""
    assert mnist.test is not None
    ticket = last_ticket(mnist, score)
    model = build_model("lenet300", in_shape=mnist.shape, classes=10, seed=1)
    counts = count_errors(model, ticket.trained, ticket.buffers, mnist.test)
    right = 100 * (1 - counts.errors / counts.trials)
    assert right == pytest.approx(PUBLISHED[score], abs=POINTS)
    assert 100 * ticket.mask.sparsity == pytest.approx(67.23, abs=0.01)


@pytest.mark.slow
def test_tickets_of_three_scores_share_more_than_chance_in_every_tensor(mnist: Data) -> None:
    found = overlap([last_ticket(mnist, score).mask for score in PUBLISHED])
    for row in (found.whole, *found.tensors.values()):
        assert row.deviations is not None
        assert row.deviations > 10
