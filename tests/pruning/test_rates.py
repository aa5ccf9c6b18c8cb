"""The learning rate at every step, by hand."""

from typing import Any

import pytest

from pacbayes.errors import UsageError
from pacbayes.pruning.rates import Rates


def rates(steps: int = 8, per_epoch: int = 2, **options: Any) -> list[float]:
    found = Rates(**{"lr": 1.0, **options})
    return [found.at(step, steps=steps, per_epoch=per_epoch) for step in range(steps)]


def test_a_cosine_falls_from_the_rate_to_zero() -> None:
    found = rates(steps=4)
    assert found == pytest.approx([1, 0.5 + 0.5**0.5 / 2, 0.5, 0.5 - 0.5**0.5 / 2], rel=1e-12)


def test_milestones_count_epochs() -> None:
    found = rates(schedule="milestones", milestones=(1, 3), gamma=0.1)
    assert found == pytest.approx([1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01], rel=1e-12)


def test_a_constant_stays() -> None:
    assert rates(schedule="constant", lr=0.3) == [0.3] * 8


def test_warmup_rises_in_equal_steps_and_then_follows_the_schedule() -> None:
    plain, warm = rates(), rates(warmup=4)
    assert [w / p for w, p in zip(warm, plain, strict=True)] == pytest.approx(
        [0.25, 0.5, 0.75, 1, 1, 1, 1, 1], rel=1e-12
    )


def test_the_final_rate_is_the_last_one() -> None:
    assert Rates(lr=2.0, schedule="constant").final == 2.0
    assert Rates(lr=2.0, schedule="milestones", milestones=(1, 2), gamma=0.5).final == 0.5
    assert Rates(lr=2.0).final == 0.02


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.0},
        {"lr": float("nan")},
        {"lr": float("inf")},
        {"schedule": "linear"},
        {"warmup": -1},
        {"milestones": (1,)},
        {"schedule": "milestones"},
        {"schedule": "milestones", "milestones": (3, 1)},
        {"schedule": "milestones", "milestones": (0, 1)},
        {"schedule": "milestones", "milestones": (1,), "gamma": 0.0},
    ],
)
def test_impossible_schedules_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Rates(**{"lr": 0.1, **options})
