"""Hidden state is found: each probe has a network that it must refuse."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from pacbayes.risk import problems
from tests.networks import EVERY, BatchCentred, Counting, Noisy, build, mlp
from tests.posterior.laws import weights_of
from tests.risk.test_evaluate import sample


def conditions(model: nn.Module, shape: tuple[int, ...] = (6,)) -> set[str]:
    found = problems(model, weights_of(model), dict(model.named_buffers()), sample(30, shape))
    return {problem.condition for problem in found}


@pytest.mark.parametrize("kind", EVERY)
def test_plain_networks_pass(kind: str) -> None:
    factory, shape = EVERY[kind]
    assert conditions(build(factory), shape) == set()


def test_dropout_is_fine_because_eval_mode_is_forced() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 3)).train()
    assert conditions(model) == set()


def test_statistics_of_the_batch_are_refused_with_the_remedy() -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6, track_running_stats=False))
    found = problems(model, weights_of(model), dict(model.named_buffers()), sample(30))
    assert "V5" in {problem.condition for problem in found}
    assert "GroupNorm" in found[0].message


def test_running_statistics_are_no_hidden_state() -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)).train()
    assert conditions(model) == set()
    assert int(model[1].num_batches_tracked) == 0


def test_rows_that_depend_on_their_batch_are_refused() -> None:
    assert conditions(BatchCentred()) == {"V5"}


def test_buffers_that_change_are_refused() -> None:
    assert "V5" in conditions(Counting())


def test_inputs_changed_in_place_are_refused() -> None:
    assert conditions(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(6, 3))) == {"V10"}


def test_randomness_in_eval_mode_is_refused() -> None:
    assert conditions(Noisy()) == {"V29"}


def test_outputs_that_are_no_logits_are_refused() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x).squeeze(1)

    assert conditions(Flat()) == {"V24"}


def test_labels_beyond_the_outputs_are_refused() -> None:
    assert conditions(nn.Linear(6, 2)) == {"V22"}


def test_the_probes_leave_the_network_alone() -> None:
    model = build(mlp).train()
    before = weights_of(model)
    conditions(model)
    assert model.training
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


class Plain(nn.Module):
    """Two linear layers; the classes below hide something from their parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.inside(x))

    def inside(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.first(x))


class Centred(Plain):
    def inside(self, x: torch.Tensor) -> torch.Tensor:
        hidden = super().inside(x)
        return hidden - hidden.mean(0)


class Dropping(Plain):
    def inside(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(super().inside(x), 0.5, training=True)


class Positioned(Plain):
    """Adds the same noise in every call, another to each place in the batch."""

    def inside(self, x: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        hidden = super().inside(x)
        return hidden + torch.randn(hidden.shape, generator=generator)


class InAList(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = [nn.Linear(6, 6)]

    def inside(self, x: torch.Tensor) -> torch.Tensor:
        return super().inside(self.backbone[0](x))


class OfTheClass(Plain):
    backbone = torch.ones(6)

    def inside(self, x: torch.Tensor) -> torch.Tensor:
        return super().inside(x * self.backbone)


class Remembering(Plain):
    """Keeps the weights of its first call."""

    copy: torch.Tensor | None = None

    def inside(self, x: torch.Tensor) -> torch.Tensor:
        if self.copy is None:
            self.copy = self.first.weight * 1.0
        return torch.relu(nn.functional.linear(x, self.copy, self.first.bias))


class PastTheCall(Plain):
    """Uses the parameters that it was built with, whatever the call replaces them by."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = list(self.parameters())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias, last, end = self.kept
        return nn.functional.linear(torch.relu(nn.functional.linear(x, weight, bias)), last, end)


@pytest.mark.parametrize(
    ("model", "condition"), [(Centred(), "V5"), (Dropping(), "V29"), (Positioned(), "V5")]
)
def test_weights_of_zero_hide_nothing(model: nn.Module, condition: str) -> None:
    """At a prior of zeros all logits are equal, whatever the network does."""
    zeros = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    found = problems(model, zeros, {}, sample(30))
    assert {problem.condition for problem in found} == {condition}


@pytest.mark.parametrize("model", [InAList(), OfTheClass(), Remembering(), PastTheCall()])
def test_weights_beside_the_parameters_are_refused(model: nn.Module) -> None:
    assert conditions(model) == {"V24"}
    with torch.no_grad():
        model(torch.zeros(2, 6))
    assert conditions(model) == {"V24"}


@pytest.mark.parametrize("kind", ["pruned", "weight_norm", "parametrized", "lstm"])
def test_weights_computed_from_parameters_pass(kind: str) -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.LSTM(6, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.rnn(x[:, None])[0][:, -1])

    layer = nn.Linear(6, 3)
    if kind == "pruned":
        prune.random_unstructured(layer, "weight", amount=0.5)
    elif kind == "weight_norm":
        layer = torch.nn.utils.weight_norm(layer)
    elif kind == "parametrized":
        layer = torch.nn.utils.parametrizations.weight_norm(layer)
    model: nn.Module = Last() if kind == "lstm" else nn.Sequential(layer)
    with torch.no_grad():
        model(torch.zeros(2, 6))
    assert conditions(model) == set()
