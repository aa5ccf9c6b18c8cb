"""Foreign files: the only room that opens what it did not write."""

from pacbayes.checkpoints.read import read_ticket

__all__ = ["read_ticket"]
