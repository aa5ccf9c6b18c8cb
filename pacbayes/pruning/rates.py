"""The learning rate as a function of the step."""

import math
from dataclasses import dataclass
from typing import Literal

from pacbayes.errors import UsageError

Schedule = Literal["cosine", "milestones", "constant"]
# A cosine ends at zero, where nothing moves; fine-tuning takes this share of the first rate.
COSINE_END = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How the learning rate rises and falls.

    Attributes:
        lr: the rate after warmup, positive.
        schedule: ``cosine`` falls to zero at the last step, ``milestones`` multiplies by ``gamma``
            after each of some epochs, ``constant`` stays.
        warmup: steps over which the rate rises linearly to what the schedule says.
        milestones: epochs, increasing.
        gamma: factor at each milestone.
    """

    lr: float
    schedule: Schedule = "cosine"
    warmup: int = 0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1

    def __post_init__(self) -> None:
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise UsageError(f"lr must be positive, got {self.lr}")
        if self.schedule not in ("cosine", "milestones", "constant"):
            raise UsageError(f"schedule must be cosine, milestones or constant: {self.schedule!r}")
        if self.warmup < 0:
            raise UsageError(f"warmup must be a number of steps, got {self.warmup}")
        if bool(self.milestones) != (self.schedule == "milestones"):
            raise UsageError("milestones go with the schedule of that name, at least one of them")
        increasing = list(self.milestones) == sorted(set(self.milestones))
        if not increasing or min(self.milestones, default=1) < 1:
            raise UsageError(f"milestones must be increasing epochs, got {list(self.milestones)}")
        if not 0 < self.gamma <= 1:
            raise UsageError(f"gamma must lie in (0, 1], got {self.gamma}")

    def at(self, step: int, *, steps: int, per_epoch: int) -> float:
        """Return the rate of one step.

        Args:
            step: from 0.
            steps: of the whole training.
            per_epoch: steps of one epoch.

        Example:
            >>> rates = Rates(lr=1.0, schedule="milestones", milestones=(2,), warmup=2)
            >>> [rates.at(step, steps=6, per_epoch=2) for step in range(6)]
            [0.5, 1.0, 1.0, 1.0, 0.1, 0.1]
        """
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "cosine":
            return self.lr * (rise * (0.5 * (1 + math.cos(math.pi * step / steps))))
        passed = sum(step >= milestone * per_epoch for milestone in self.milestones)
        return self.lr * rise * self.gamma**passed

    @property
    def final(self) -> float:
        """The rate for fine-tuning: the last one, or a hundredth of the first for a cosine."""
        if self.schedule == "cosine":
            return self.lr * COSINE_END
        return self.lr * self.gamma ** len(self.milestones)
