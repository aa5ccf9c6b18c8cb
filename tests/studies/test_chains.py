"""What studies of chains share: settings, tables of connectivity and of rates, overlaps by hand."""

import math
from typing import Any

import pytest
import torch

from pacbayes.studies.connectivity_tables import (
    agreement_table,
    limit_table,
    pair_table,
    refill_table,
    rewind_table,
    sparse_pairs,
)
from pacbayes.studies.overlap_tables import mean_log_overlaps
from pacbayes.studies.rate_tables import ITEMS, level_table
from pacbayes.studies.request import StudyRequest
from pacbayes.studies.settings import ChainSettings
from pacbayes.tickets import Mask


def chain(risks: list[float], barriers: list[float]) -> dict[str, Any]:
    pairs = [
        {
            "density": 0.5**level,
            "barrier": height,
            "barrier_above_mean": height + 0.1,
            "train_barrier": 0.0,
            "loss_barrier": 0.0,
            "refilled": 0.25,
        }
        for level, height in enumerate(barriers, start=1)
    ]
    return {"risks": risks, "pairs": pairs}


# Two levels each, so the second alone belongs to the sparser half.
ROW: dict[str, Any] = {
    "chains": {
        "init": chain([0.1, 0.1, 0.1], [0.3, 0.0]),
        "late": chain([0.1, 0.1, 0.2], [0.0, 0.04]),
        "random": chain([0.1, 0.5, 0.6], [0.0, 0.0]),
    },
    "rewinds": {
        "init": {"density": 0.25, "excess": 0.01, "length": 2.0, "push": 0.2, "sgd": 0.1},
        "late": {"density": 0.25, "excess": 0.00, "length": 1.0, "push": 0.0, "sgd": 0.0},
    },
    "limits": {
        "random": {
            "predicted": 0.8,
            "measured": 0.6,
            "settled": -0.01,
            "mean_curvature": 0.5,
            "curvature": [1.0, 3.0],
        }
    },
}


def test_pairs_of_the_sparser_half_match_by_their_own_dense_network() -> None:
    assert sparse_pairs(ROW, match=0.05) == [(True, 0.0), (False, 0.04), (False, 0.0)]
    assert sparse_pairs(ROW, match=0.5) == [(True, 0.0), (True, 0.04), (True, 0.0)]
    above_mean = sparse_pairs(ROW, match=0.05, key="barrier_above_mean")
    assert [height for _, height in above_mean] == pytest.approx([0.1, 0.14, 0.1])


def test_agreement_counts_every_pair_once_for_each_end() -> None:
    table = agreement_table([ROW, ROW], match=0.05, zero=0.01)
    assert table.rows == (
        ("the larger end", "matching", 2, 2, 0),
        ("the larger end", "not matching", 4, 2, 2),
        ("the mean of the ends", "matching", 2, 0, 2),
        ("the mean of the ends", "not matching", 4, 0, 4),
    )


def test_rows_of_the_other_tables() -> None:
    assert len(pair_table([ROW]).rows) == 6
    assert rewind_table([ROW]).rows[1] == ("late", 0.25, 0.0, 1.0, 0.0, 0.0)
    assert limit_table([ROW]).rows == (("random", 0.8, 0.6, -0.01, 0.5, 2.0),)
    assert [line[0] for line in refill_table([ROW]).rows] == ["init", "late"]


def test_levels_keep_their_order_and_are_means_over_seeds() -> None:
    def found(bound: float) -> dict[str, Any]:
        items = {key: bound for key, _ in ITEMS}
        return {"portraits": [{"level": 0, **items}, {"level": 5, **items, "bound": bound + 0.1}]}

    table = level_table({"small": [found(0.2), found(0.4)]})
    place = table.columns.index("certified bound")
    assert [(line[1], line[place]) for line in table.rows] == [
        (0, pytest.approx(0.3)),
        (5, pytest.approx(0.4)),
    ]


def test_overlaps_by_hand() -> None:
    def mask(*kept: int) -> Mask:
        return Mask({"w": torch.tensor([place in kept for place in range(8)])})

    # Masks of 4 in 8 share 2 by chance: the first two share 4, both share none with the third.
    same, other = mask(0, 1, 2, 3), mask(4, 5, 6, 7)
    found = mean_log_overlaps({"a": same, "b": same, "c": other})
    high, low = math.log(4.5 / 2.5), math.log(0.5 / 2.5)
    assert found == pytest.approx({"a": (high + low) / 2, "b": (high + low) / 2, "c": low})


def test_another_network_takes_no_arguments(tmp_path: Any) -> None:
    settings = ChainSettings(data="digits", model="resnet20", model_args=(("norm", "group"),))
    request = StudyRequest(out=tmp_path)
    own, other = settings.bench(request), settings.bench(request, other="mlp:64-8-10")
    assert (own.model, own.model_args) == ("resnet20", (("norm", "group"),))
    assert (other.model, other.model_args) == ("mlp:64-8-10", ())


def test_only_smaller_data_are_remarked() -> None:
    said = ChainSettings(levels=2, fraction=0.5).smaller("ResNets", "convolutions")
    assert "6000 training examples, 2 levels to density 0.250" in said[0]
    assert said[1] == "Left out: convolutions."
    assert ChainSettings(data="cifar10-jpeg").smaller("ResNets", "convolutions") == ()
