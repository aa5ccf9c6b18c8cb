"""The network with fixed first layers: exact transforms, invariances, no data, few parameters."""

import math

import pytest
import torch
from torch.func import functional_call

from pacbayes.errors import UsageError
from pacbayes.models.oriented import Cosines, Edges, Straighten, network
from pacbayes.posterior import layers

ROUNDING = 1e-4


def test_only_the_last_layer_has_parameters_and_there_are_no_buffers() -> None:
    model = network(orientations=2, step=4)
    assert dict(model.named_buffers()) == {}
    assert {name: tuple(p.shape) for name, p in model.named_parameters()} == {"fc.weight": (9, 98)}


def test_cosine_waves_keep_length_and_decorrelate_a_ramp() -> None:
    turn = Cosines()
    x = torch.randn(5, 3, 4, 4)
    standard = torch.nn.functional.layer_norm(x, x.shape[1:])
    assert torch.allclose(turn(x).norm(dim=1), standard.flatten(1).norm(dim=1), atol=ROUNDING)
    # A map that is constant over columns has no wave along them.
    ramp = torch.arange(4.0)[:, None].expand(4, 4).repeat(1, 3, 1, 1)
    waves = turn(ramp).reshape(3, 4, 4)
    assert float(waves[:, :, 1:].abs().max()) < ROUNDING


def test_straightening_removes_slant_and_keeps_upright_images() -> None:
    upright = torch.zeros(1, 1, 28, 28)
    upright[:, :, 6:22, 12:16] = 1.0
    slanted = torch.zeros_like(upright)
    for row in range(6, 22):
        shift = round((row - 13.5) * 0.5)
        slanted[:, :, row, 12 + shift : 16 + shift] = 1.0
    straight = Straighten()
    assert torch.allclose(straight(upright), upright, atol=0.1)
    before = float((slanted - upright).abs().sum())
    after = float((straight(slanted) - upright).abs().sum())
    assert after < 0.25 * before


def test_an_empty_image_gives_finite_logits() -> None:
    assert bool(torch.isfinite(network(step=4)(torch.zeros(2, 1, 28, 28))).all())


def test_edges_do_not_see_a_constant_and_hardly_see_contrast() -> None:
    edges = Edges(1, 4, blur=1.5, step=2)
    flat = edges(torch.ones(1, 1, 28, 28))[:, :, 4:10, 4:10]
    assert float(flat.abs().max()) < ROUNDING
    step = torch.zeros(1, 1, 28, 28)
    step[..., 14:] = 1.0
    strong, weak = edges(step), edges(0.5 * step)
    inside = (slice(None), slice(None), slice(4, 10), slice(6, 8))
    assert torch.allclose(strong[inside], weak[inside], rtol=0.25)


def test_what_all_logits_share_costs_no_weight() -> None:
    model = network(step=4)
    logits = model(torch.rand(6, 1, 28, 28)).detach()
    assert float(logits.sum(dim=1).abs().max()) < ROUNDING * float(logits.abs().max() + 1)


def test_initial_weights_fall_with_frequency() -> None:
    weight = network(step=2, orientations=4, decay=2.0).fc.weight.detach().reshape(9, 4, 14, 14)
    low = float(weight[:, :, :3, :3].square().mean().sqrt())
    high = float(weight[:, :, 10:, 10:].square().mean().sqrt())
    assert low > 10 * high


def test_the_parameters_are_recognised_as_one_linear_layer() -> None:
    model = network(step=4).eval()
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    found = layers(model, parameters, dict(model.named_buffers()), torch.rand(4, 1, 28, 28))
    assert [(layer.op, layer.weight) for layer in found] == [("linear", "fc.weight")]


def test_colour_and_other_sides() -> None:
    model = network(channels=3, side=32, classes=5, orientations=2, step=4, straighten=False)
    x = torch.rand(2, 3, 32, 32)
    out = functional_call(model, dict(model.named_parameters()), (x,))
    assert out.shape == (2, 5)
    assert model.fc.weight.shape == (4, 3 * 2 * math.ceil(32 / 4) ** 2)


def test_a_step_beyond_the_image_is_refused() -> None:
    with pytest.raises(UsageError, match="step"):
        network(side=8, step=9)


def test_averaged_colours_come_beside_the_edges() -> None:
    model = network(channels=3, side=32, orientations=2, step=4, straighten=False, colours=True)
    x = torch.rand(2, 3, 32, 32)
    assert model.fc.weight.shape == (9, (3 * 2 + 3) * 64)
    assert model(x).shape == (2, 10)
    # Another colour with the same edges is another example.
    tinted = x * torch.tensor([1.0, 0.5, 0.2])[:, None, None]
    assert not torch.allclose(model.features(x)[:, -192:], model.features(tinted)[:, -192:])
    with pytest.raises(UsageError, match="three"):
        network(colours=True)
