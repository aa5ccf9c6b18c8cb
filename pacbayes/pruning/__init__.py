"""Finding tickets: scores, masks, training inside a mask, and the chain of levels."""

from pacbayes.pruning.chain import find_tickets
from pacbayes.pruning.collapse import collapsed, kept_counts
from pacbayes.pruning.controls import CONTROLS, ControlName, control, redrawn, shuffled
from pacbayes.pruning.plan import METHODS, FindPlan, parse_rewind
from pacbayes.pruning.prune import prune, prune_to
from pacbayes.pruning.scores import SCORES, scores_of
from pacbayes.pruning.train import State, TrainPlan, train
from pacbayes.pruning.winning import Comparison, compare_risks

__all__ = [
    "CONTROLS",
    "METHODS",
    "SCORES",
    "Comparison",
    "ControlName",
    "FindPlan",
    "State",
    "TrainPlan",
    "collapsed",
    "compare_risks",
    "control",
    "find_tickets",
    "kept_counts",
    "parse_rewind",
    "prune",
    "prune_to",
    "redrawn",
    "scores_of",
    "shuffled",
    "train",
]
