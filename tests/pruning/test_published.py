"""LeNet-300-100 on MNIST against the published table (Vandersmissen and Oramas 2023, table 2).

The runs of the table are kept in the folder that PACBAYES_RUNS names, so that a killed test goes
on where it stopped (``make published``).
"""

import os
from functools import cache
from pathlib import Path
from statistics import fmean

import pytest

from pacbayes.data import Data, Split, load_data
from pacbayes.models import build_model
from pacbayes.pipeline import FindRequest, find
from pacbayes.pruning import FindPlan, TrainPlan, find_tickets
from pacbayes.pruning.scores import ScoreName
from pacbayes.runtime.reading import read_json
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Ticket
from pacbayes.tickets.overlap import overlap

# Accuracy in percent after 5, 10 and 15 rounds of 20 %; the table has no LAMP.
PUBLISHED: dict[ScoreName, tuple[float, float, float]] = {
    "magnitude": (98.00, 98.08, 97.94),
    "l1": (98.12, 98.15, 98.12),
    "l2": (98.04, 98.06, 97.95),
    "softmax": (98.00, 98.05, 97.90),
    "min-max": (98.02, 98.04, 97.77),
}
ROUNDS = (5, 10, 15)
SPARSITY = (67.23, 89.26, 96.48)
SEEDS = (1, 2, 3)
POINTS = 0.4
PRUNABLE, OUTPUT = 266_200, 1000


def rounds(score: ScoreName, seed: int, folder: Path, data_root: Path) -> tuple[float, ...]:
    """Return the test accuracy in percent after each round, found or read back.

    A twentieth of the paper's epochs, with momentum, a falling rate, smaller batches and weight
    decay instead. The output layer is left out of pruning, the default of OpenLTH, on which the
    published code was built, for this network; rounds keep 80 % of all weights, that layer's
    included, as there.
    """
    kept = [(0.8**k * PRUNABLE - OUTPUT) / (PRUNABLE - OUTPUT) for k in range(1, 16)]
    plan = FindPlan(
        train=TrainPlan(epochs=2, lr=0.1, batch_size=64, weight_decay=5e-4),
        levels=15,
        densities=tuple(kept),
        score=score,
        protected=("fc3.weight",),
    )
    out = folder / f"{score}_{seed}"
    find(
        FindRequest(
            model="lenet300",
            data="mnist",
            data_root=data_root,
            out=out,
            plan=plan,
            split=0.0,
            seed=seed,
            quiet=True,
        )
    )
    levels = read_json(out / "find.json")["levels"]
    for k, sparsity in zip(ROUNDS, SPARSITY, strict=True):
        assert 100 * (1 - levels[k]["kept"] / PRUNABLE) == pytest.approx(sparsity, abs=0.01)
    return tuple(100 - 100 * level["test"]["errors"] / level["test"]["n"] for level in levels)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("PACBAYES_RUNS")
    return Path(named) if named else tmp_path_factory.mktemp("published")


@pytest.mark.slow
@pytest.mark.parametrize("score", PUBLISHED)
def test_means_of_three_seeds_are_the_published_ones(
    score: ScoreName, runs: Path, data_root: Path
) -> None:
    """The published standard deviations are 0.05 to 0.17 points."""
    found = [rounds(score, seed, runs, data_root) for seed in SEEDS]
    for place, k in enumerate(ROUNDS):
        mean = fmean(accuracies[k] for accuracies in found)
        assert mean == pytest.approx(PUBLISHED[score][place], abs=POINTS)


@pytest.mark.slow
def test_lamp_is_as_good_as_l2(runs: Path, data_root: Path) -> None:
    """The paper's L2 score is attributed to LAMP, which divides by another sum."""
    lamp, squares = (
        [rounds(score, seed, runs, data_root) for seed in SEEDS] for score in ("lamp", "l2")
    )
    for k in ROUNDS:
        assert fmean(a[k] for a in lamp) == pytest.approx(fmean(a[k] for a in squares), abs=POINTS)


@pytest.fixture(scope="module")
def mnist(data_root: Path) -> Data:
    return load_data("mnist", root=data_root)


@cache
def last_ticket(data: Data, score: ScoreName) -> Ticket:
    """Five rounds from one init, with the same batches for every score."""
    model = build_model("lenet300", in_shape=data.shape, classes=10, seed=1)
    plan = FindPlan(train=TrainPlan(epochs=2, lr=0.1, batch_size=64), levels=5, score=score)
    split = Split.everything(len(data.train))
    *_, last = find_tickets(model, data, split, plan=plan, seeds=Seeds(1))
    return last


@pytest.mark.slow
def test_tickets_of_three_scores_share_more_than_chance_in_every_tensor(mnist: Data) -> None:
    """Well above chance: beyond it by six deviations, and by half of what is attainable.

    Common connections of independent masks follow a hypergeometric law, whose tails are lighter
    than Gaussian ones: six deviations happen with a probability below 1e-8. In the output layer
    that limit alone says little and no fixed larger one fits: each mask keeps about 80 to 98 % of
    it, so even masks that lie inside each other are only about 20 deviations above chance. Hence
    the share of the way from chance to that maximum (measured 0.80 to 0.96).
    """
    found = overlap([last_ticket(mnist, score).mask for score in ("magnitude", "l1", "l2")])
    for row in (found.whole, *found.tensors.values()):
        assert row.deviations is not None
        assert row.deviations > 6
        assert (row.common - row.expected) / (min(row.kept) - row.expected) > 0.5
