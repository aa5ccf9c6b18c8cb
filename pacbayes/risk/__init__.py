"""Posterior and data to integer error counts."""

from pacbayes.risk.counts import Counts
from pacbayes.risk.deterministic import count_errors
from pacbayes.risk.evaluate import default_draws, evaluate
from pacbayes.risk.probes import problems

__all__ = ["Counts", "count_errors", "default_draws", "evaluate", "problems"]
