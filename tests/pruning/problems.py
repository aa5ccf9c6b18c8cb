"""A small real problem for the tests of this room: digits, a narrow network, few steps."""

from functools import cache
from typing import Any

from torch import nn

from pacbayes.data import Data, Split, load_data, split_by_fraction
from pacbayes.models import build_model
from pacbayes.pruning import FindPlan, TrainPlan, find_tickets
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Ticket


@cache
def digits() -> Data:
    return load_data("digits")


def network(seed: int = 1) -> nn.Module:
    return build_model("mlp:64-20-10", in_shape=(1, 8, 8), classes=10, seed=seed)


def halves() -> Split:
    return split_by_fraction(len(digits().train), 0.5, Seeds(1))


def train_plan(**changes: Any) -> TrainPlan:
    return TrainPlan(**{"epochs": 2, "lr": 0.1, "batch_size": 50, **changes})


def find_plan(**changes: Any) -> FindPlan:
    return FindPlan(**{"train": train_plan(), "levels": 3, "fraction": 0.4, **changes})


def chain(plan: FindPlan, **changes: Any) -> list[Ticket]:
    options: dict[str, Any] = {"seeds": Seeds(3), **changes}
    model = options.pop("model", None) or network()
    split = options.pop("split", None) or halves()
    return list(find_tickets(model, digits(), split, plan=plan, **options))


def error(model: nn.Module, ticket: Ticket) -> float:
    """Risk on the test examples."""
    from pacbayes.risk import count_errors

    data = digits()
    assert data.test is not None
    counts = count_errors(model, ticket.trained, ticket.buffers, data.test)
    return counts.errors / counts.trials
