"""Certified test-error bounds for neural networks, dense and pruned."""
