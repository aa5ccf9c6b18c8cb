"""Training on the prior part alone: what it sees, what it keeps, and that it resumes."""

from pathlib import Path

import torch

from pacbayes.data import load_data
from pacbayes.models.convnet import network
from pacbayes.pipeline.find import split_for
from pacbayes.runtime.seeds import Seeds
from pacbayes.studies.augmented import AugmentedPlan, distorted, sparse_ticket
from pacbayes.tickets import Ticket, digest

PLAN = AugmentedPlan(density=0.2, epochs=2, tuning=1, batch_size=32)


def ticket(journal: Path, plan: AugmentedPlan = PLAN) -> Ticket:
    data = load_data("digits")
    torch.manual_seed(0)
    model = network(widths="8", hidden=8, side=8)
    split = split_for(data, 0.3, Seeds(1))
    return sparse_ticket(model, data, split, plan=plan, seeds=Seeds(1), journal=journal, quiet=True)


def test_the_ticket_has_seen_the_prior_part_and_is_as_sparse_as_asked(tmp_path: Path) -> None:
    data = load_data("digits")
    split = split_for(data, 0.3, Seeds(1))
    found = ticket(tmp_path / "a.safetensors")
    assert found.provenance.trained == found.provenance.mask == split.prior
    assert len(found.provenance.init) == 0
    assert found.mask.density <= 0.2
    assert found.mask.density > 0.15
    assert found.provenance.data == data.digest


def test_a_killed_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole = ticket(tmp_path / "whole.safetensors")
    # The file that a run leaves after its last epoch is read back: nothing is left to do.
    again = ticket(tmp_path / "whole.safetensors")
    assert digest(again.trained) == digest(whole.trained)
    assert again.mask.digest == whole.mask.digest


def test_distortions_keep_shape_and_differ_by_the_generator() -> None:
    images = torch.zeros(3, 1, 28, 28)
    images[:, :, 8:20, 12:16] = 1.0
    one = distorted(images, torch.Generator().manual_seed(1))
    same = distorted(images, torch.Generator().manual_seed(1))
    other = distorted(images, torch.Generator().manual_seed(2))
    assert one.shape == images.shape
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    # Ink moves and bends; it is neither lost nor made beyond the changes of size.
    ratio = one.sum((1, 2, 3)) / images.sum((1, 2, 3))
    assert bool(((ratio > 0.6) & (ratio < 1.6)).all())


def test_density_falls_from_one_to_the_asked() -> None:
    plan = AugmentedPlan(density=0.1)
    values = [plan.density_at(done) for done in (0.0, 0.15, 0.3, 0.6, 1.0)]
    assert values[0] == values[1] == 1.0
    assert values == sorted(values, reverse=True)
    assert abs(values[-1] - 0.1) < 1e-12
