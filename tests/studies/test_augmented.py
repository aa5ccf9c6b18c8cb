"""Training on the prior part alone: what it sees, what it keeps, and that it resumes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pacbayes.data import Data, Split, load_data
from pacbayes.models import build_model, colours
from pacbayes.models.convnet import network
from pacbayes.pipeline.find import split_for
from pacbayes.runtime.seeds import Seeds
from pacbayes.studies import augmented
from pacbayes.studies.augmented import AugmentedPlan, distorted, shifted, sparse_ticket
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


COLOURED = AugmentedPlan(
    density=0.25, epochs=3, tuning=0, batch_size=16, averaging=0.9, distortion="shifted"
)


def coloured(folder: Path) -> tuple[Data, Split, nn.Module]:
    """Return 120 pictures of noise, four of five for the prior, and a network with BatchNorm."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (150, 3, 16, 16), dtype=np.uint8)
    labels = random.integers(0, 3, 150)
    arrays = {"x_train": pixels[:120], "y_train": labels[:120]}
    arrays |= {"x_test": pixels[120:], "y_test": labels[120:]}
    np.savez(folder / "noise.npz", allow_pickle=False, **arrays)
    data = load_data(f"npz:{folder / 'noise.npz'}")
    model = build_model(
        "pacbayes.models.colours:network",
        in_shape=data.shape,
        classes=data.classes,
        args={"widths": "8-8", "side": "16", "classes": "3"},
        seed=1,
    )
    return data, split_for(data, 0.8, Seeds(1)), model


def test_statistics_are_those_of_the_prior_part_and_count_as_seen(tmp_path: Path) -> None:
    data, split, model = coloured(tmp_path)
    journal = tmp_path / "journal.safetensors"
    found = sparse_ticket(
        model, data, split, plan=COLOURED, seeds=Seeds(1), journal=journal, quiet=True
    )
    assert found.provenance.buffers == found.provenance.trained == split.prior
    assert found.mask.density <= 0.25
    assert torch.equal(found.trained["bank.weight"], colours.filter_bank())
    # The first layer is fixed, so its statistics can be had from the images alone.
    seen = F.conv2d(data.train.part(split.prior).inputs, colours.filter_bank())
    assert torch.allclose(found.buffers["norm.running_mean"], seen.mean((0, 2, 3)), atol=1e-5)
    spread = seen.transpose(0, 1).flatten(1).var(1)
    assert torch.allclose(found.buffers["norm.running_var"], spread, rtol=1e-3)


def test_statistics_do_not_depend_on_the_order_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, split, model = coloured(tmp_path)
    part = data.train.part(split.prior)
    rising = part.inputs.mean((1, 2, 3)).argsort()
    ordered = replace(part, inputs=part.inputs[rising])
    monkeypatch.setattr(augmented, "LOOKED_AT", len(rising) // 2)
    run = augmented._Run.begin(model, COLOURED)
    found = run.statistics(run.average, ordered, Seeds(1).torch("statistics"))

    def brightness(images: torch.Tensor) -> torch.Tensor:
        return F.conv2d(images, colours.filter_bank()[:1]).mean()

    whole, first = brightness(ordered.inputs), brightness(ordered.inputs[: len(rising) // 2])
    # Half of the images at random are nearer to all of them than the darker half is.
    assert abs(found["norm.running_mean"][0] - whole) < 0.5 * abs(first - whole)


def test_a_run_killed_between_epochs_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, split, model = coloured(tmp_path)

    def run(name: str) -> Ticket:
        path = tmp_path / name
        return sparse_ticket(
            model, data, split, plan=COLOURED, seeds=Seeds(1), journal=path, quiet=True
        )

    whole = run("whole")
    write = augmented._Run.write

    def write_and_die(self: augmented._Run, journal: Path, epoch: int) -> None:
        write(self, journal, epoch)
        raise KeyboardInterrupt

    for _ in range(2):
        monkeypatch.setattr(augmented._Run, "write", write_and_die)
        with pytest.raises(KeyboardInterrupt):
            run("killed")
    monkeypatch.undo()
    assert run("killed").digest == whole.digest


def test_products_in_bfloat16_train_nearly_the_same_network(tmp_path: Path) -> None:
    data, split, model = coloured(tmp_path)
    plan = replace(COLOURED, epochs=1, lr=1e-3, density=1.0)
    found = [
        sparse_ticket(
            model,
            data,
            split,
            plan=replace(plan, bfloat16=half),
            seeds=Seeds(1),
            journal=tmp_path / f"{half}.safetensors",
            quiet=True,
        ).trained["fc.weight"]
        for half in (False, True)
    ]
    moved = float((found[0] - model.get_parameter("fc.weight").detach()).norm())
    apart = float((found[0] - found[1]).norm())
    # bfloat16 has 8 bits, so what a step adds is right to about a hundredth.
    assert 0 < apart < 0.1 * moved


def test_shifted_images_are_windows_of_the_padded_image_or_of_its_mirror_image() -> None:
    images = (
        torch.arange(2 * 3 * 6 * 6, dtype=torch.float32).reshape(2, 3, 6, 6).repeat(40, 1, 1, 1)
    )
    found = shifted(images, torch.Generator().manual_seed(1))
    padded = F.pad(images, (2, 2, 2, 2), mode="reflect")
    windows = [padded[:, :, r : r + 6, c : c + 6] for r in range(5) for c in range(5)]
    every = torch.stack([*windows, *(window.flip(3) for window in windows)])
    hit = (every == found).flatten(2).all(2)
    assert bool(hit.any(0).all())
    # Both ways round, and more than ten of the fifty places, come up in eighty images.
    assert bool(hit[:25].any())
    assert bool(hit[25:].any())
    assert int(hit.any(1).sum()) > 10
    assert torch.equal(found, shifted(images, torch.Generator().manual_seed(1)))
