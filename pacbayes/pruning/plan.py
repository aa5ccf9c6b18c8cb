"""Everything that decides how tickets are found."""

import math
from dataclasses import dataclass
from typing import Literal

from pacbayes.errors import UsageError
from pacbayes.pruning.prune import Scope
from pacbayes.pruning.scores import SCORES, ScoreName
from pacbayes.pruning.train import TrainPlan

Method = Literal[
    "iterative",
    "one-shot",
    "random",
    "magnitude-init",
    "snip",
    "grasp",
    "synflow",
    "supermask",
    "continuous",
]
Rewind = Literal["init", "lr", "none"] | int
AFTER_TRAINING: tuple[Method, ...] = ("iterative", "one-shot")
WITHOUT_DATA: tuple[Method, ...] = ("random", "magnitude-init", "synflow")
AT_INIT: tuple[Method, ...] = (*WITHOUT_DATA, "snip", "grasp")
METHODS: tuple[Method, ...] = (*AFTER_TRAINING, *AT_INIT, "supermask", "continuous")


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPlan:
    """How to find tickets.

    Attributes:
        train: how each level is trained.
        levels: tickets after the dense network.
        fraction: fraction of the kept, unprotected entries that each level removes.
        densities: density of each level over the unprotected entries, falling; instead of
            ``fraction``, and as many as there are levels.
        method: how masks are found.
        score: importance of a weight, for ``iterative`` and ``one-shot``.
        scope: ``global`` or ``tensor``; ``None`` is ``tensor`` for supermasks, else ``global``.
        protected: names of tensors that are never pruned.
        rewind: what survivors return to: ``init``, the weights after a number of steps, or their
            own trained values, with the learning rate rewound (``lr``) or at its end (``none``).

    Raises:
        UsageError: a value is out of range, or two of them contradict each other.
    """

    train: TrainPlan
    levels: int
    fraction: float = 0.2
    densities: tuple[float, ...] = ()
    method: Method = "iterative"
    score: ScoreName = "magnitude"
    scope: Scope | None = None
    protected: tuple[str, ...] = ()
    rewind: Rewind = "init"

    def __post_init__(self) -> None:
        if self.levels < 0:
            raise UsageError(f"levels must be at least 0, got {self.levels}")
        if not 0 < self.fraction < 1:
            raise UsageError(f"fraction must lie between 0 and 1, got {self.fraction}")
        if self.method not in METHODS:
            raise UsageError(f"method must be one of {list(METHODS)}, got {self.method!r}")
        if self.score not in SCORES:
            raise UsageError(f"score must be one of {sorted(SCORES)}, got {self.score!r}")
        if self.scope not in ("global", "tensor", None):
            raise UsageError(f"scope must be global or tensor, got {self.scope!r}")
        if self.score != "magnitude" and self.method not in AFTER_TRAINING:
            raise UsageError(f"method {self.method} has a score of its own; leave out --score")
        self._check_densities()
        self._check_rewind()

    def _check_densities(self) -> None:
        if not self.densities:
            return
        if len(self.densities) != self.levels:
            raise UsageError(f"{len(self.densities)} densities don't make {self.levels} levels")
        falling = list(self.densities) == sorted(set(self.densities), reverse=True)
        if not falling or not 0 < self.densities[-1] <= self.densities[0] <= 1:
            raise UsageError(f"densities must fall inside (0, 1], got {list(self.densities)}")

    def _check_rewind(self) -> None:
        rewind = self.rewind
        if isinstance(rewind, int):
            if isinstance(rewind, bool) or rewind < 1:
                raise UsageError(f"a rewind step must be at least 1, got {rewind}")
        elif rewind not in ("init", "lr", "none"):
            raise UsageError(f"rewind must be init, a step, lr or none, got {rewind!r}")
        if rewind != "init" and self.method not in AFTER_TRAINING:
            raise UsageError(f"method {self.method} starts at init; --rewind {rewind} does not go")

    @property
    def mask_without_data(self) -> bool:
        """Whether masks are a function of seeds and initial weights alone."""
        by_chance = self.method in AFTER_TRAINING and self.score == "random"
        return self.method in WITHOUT_DATA or by_chance

    @property
    def where(self) -> Scope:
        """The scope, chosen by the method where nobody said."""
        return self.scope or ("tensor" if self.method == "supermask" else "global")

    def density(self, level: int) -> float:
        """Return the density over unprotected entries that a level aims at.

        Example:
            >>> plan = FindPlan(train=TrainPlan(epochs=1, lr=0.1), levels=2, fraction=0.5)
            >>> [plan.density(level) for level in range(3)]
            [1.0, 0.5, 0.25]
        """
        if level == 0:
            return 1.0
        return self.densities[level - 1] if self.densities else math.pow(1 - self.fraction, level)


def parse_rewind(text: str) -> Rewind:
    """Return the rewind point that a text names: ``init``, ``lr``, ``none`` or a step.

    Raises:
        UsageError: the text is none of these.

    Example:
        >>> parse_rewind("500"), parse_rewind("lr")
        (500, 'lr')
    """
    named: dict[str, Rewind] = {"init": "init", "lr": "lr", "none": "none"}
    if text in named:
        return named[text]
    if text.isascii() and text.isdecimal():
        return int(text) or "init"
    raise UsageError(f"rewind must be init, a step, lr or none, got {text!r}")
