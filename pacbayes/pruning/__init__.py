"""Finding tickets: scores, pruning, training inside a mask."""

from pacbayes.pruning.iterative import FindPlan, find_tickets
from pacbayes.pruning.prune import prune
from pacbayes.pruning.scores import SCORES
from pacbayes.pruning.train import TrainPlan, train

__all__ = [
    "SCORES",
    "FindPlan",
    "TrainPlan",
    "find_tickets",
    "prune",
    "train",
]
