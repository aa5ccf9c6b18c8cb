"""Networks by name, and by the user's own functions."""

from pacbayes.models.build import buffers, build_model, weights
from pacbayes.models.fold import Folding, folding
from pacbayes.models.statistics import statistics

__all__ = ["Folding", "buffers", "build_model", "folding", "statistics", "weights"]
