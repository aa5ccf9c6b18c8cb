"""Foreign files: the only room that opens what it did not write."""

from pacbayes.checkpoints.convert import Converted, convert
from pacbayes.checkpoints.inspect_file import inspect
from pacbayes.checkpoints.inspection import Inspection, TensorFacts
from pacbayes.checkpoints.read import read_ticket

__all__ = ["Converted", "Inspection", "TensorFacts", "convert", "inspect", "read_ticket"]
