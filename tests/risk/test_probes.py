"""Hidden state is found: each probe has a network that it must refuse."""

import pytest
import torch
from torch import nn

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


@pytest.mark.parametrize("track", [True, False])
def test_batch_normalisation_is_refused_with_the_remedy(track: bool) -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6, track_running_stats=track))
    found = problems(model, weights_of(model), dict(model.named_buffers()), sample(30))
    assert "V5" in {problem.condition for problem in found}
    assert "GroupNorm" in found[0].message


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
