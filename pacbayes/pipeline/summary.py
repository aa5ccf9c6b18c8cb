"""What ``find.json`` says about one ticket."""

from pathlib import Path
from typing import Any

from torch import nn

from pacbayes.checkpoints import read_ticket
from pacbayes.data import Data
from pacbayes.pruning import collapsed, kept_counts
from pacbayes.risk import count_errors


def summary(folder: Path, model: nn.Module, data: Data) -> dict[str, Any]:
    """Return level, kept entries in all and of each tensor, alarms, and errors on the test data.

    The errors are for information: nothing that is certified depends on them.

    Args:
        folder: holds a ticket.
        model: its network.
        data: what the ticket was found on.
    """
    ticket = read_ticket(folder)
    found: dict[str, Any] = {
        "level": ticket.level,
        "kept": ticket.mask.kept,
        "prunable": ticket.mask.prunable,
        "tensors": {name: list(pair) for name, pair in kept_counts(ticket.mask).items()},
        "collapsed": collapsed(ticket.mask),
        "test": None,
    }
    if data.test is not None:
        counts = count_errors(model, ticket.trained, ticket.buffers, data.test)
        found["test"] = {"errors": counts.errors, "n": counts.trials}
    return found
