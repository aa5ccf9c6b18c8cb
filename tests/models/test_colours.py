"""The network with a fixed bank: orthogonal filters, what is learned, sizes that do not fit."""

import pytest
import torch

from pacbayes.errors import UsageError
from pacbayes.models.colours import filter_bank, network
from pacbayes.models.statistics import tracking_layers

ROUNDING = 1e-6


def test_the_bank_is_orthonormal_with_both_signs() -> None:
    bank = filter_bank()
    rows = bank[:12].flatten(1)
    assert tuple(bank.shape) == (24, 3, 2, 2)
    # Twelve filters on 3 colours of 2 by 2 pixels: a basis, so no information is lost.
    assert torch.allclose(rows @ rows.T, torch.eye(12), atol=ROUNDING)
    assert torch.equal(bank[12:], -bank[:12])
    # By hand: the first filter is the mean brightness, 1 / sqrt(3) times one half.
    assert torch.allclose(bank[0], torch.full((3, 2, 2), 0.5 / 3**0.5), atol=ROUNDING)


def test_a_grey_image_has_no_differences_of_colour() -> None:
    model = network(widths="8", side=8)
    grey = torch.rand(2, 1, 8, 8).expand(2, 3, 8, 8)
    maps = model.bank(grey)
    colour = [place for place in range(24) if place % 12 >= 4]
    assert float(maps[:, colour].abs().max()) < ROUNDING
    assert float(maps[:, 0].abs().min()) > 0


def test_everything_but_the_bank_is_learned_and_every_layer_is_counted() -> None:
    model = network(widths="8-16", side=16, classes=4)
    fixed = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert fixed == ["bank.weight"]
    # 24*12; 24->8, 8->8, 8->16, 16->16 by 3 by 3; gains and shifts; 16*4 + 4.
    convolutions = 288 + 9 * (24 * 8 + 8 * 8 + 8 * 16 + 16 * 16)
    normed = 2 * (24 + 8 + 8 + 16 + 16)
    assert sum(p.numel() for p in model.parameters()) == convolutions + normed + 68
    assert len(tracking_layers(model)) == 5
    assert tuple(model(torch.rand(2, 3, 16, 16)).shape) == (2, 4)


@pytest.mark.parametrize("widths", ["", "8-", "x", "0-8", "8-8-8-8-8-8"])
def test_widths_that_do_not_fit_are_refused(widths: str) -> None:
    with pytest.raises(UsageError, match="expected widths"):
        network(widths=widths)
