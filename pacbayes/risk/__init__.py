"""Posterior and data to integer error counts."""

from pacbayes.risk.counts import Counts
from pacbayes.risk.designs import MEMORY
from pacbayes.risk.deterministic import count_errors
from pacbayes.risk.evaluate import default_draws, draws_for_slack, evaluate, evaluate_shard
from pacbayes.risk.probes import problems

__all__ = [
    "MEMORY",
    "Counts",
    "count_errors",
    "default_draws",
    "draws_for_slack",
    "evaluate",
    "evaluate_shard",
    "problems",
]
