"""Networks by name, and by the user's own functions."""

from pacbayes.models.build import buffers, build_model, weights

__all__ = ["buffers", "build_model", "weights"]
