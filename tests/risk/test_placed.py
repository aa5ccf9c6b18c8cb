"""Draws counted in another type, or on another device: the same noise, the same law."""

import pytest
import torch
from torch import Tensor, nn

from pacbayes.errors import InputError
from pacbayes.posterior import SpikeAndSlab
from pacbayes.risk import evaluate
from pacbayes.risk.noise import BlockNoise
from pacbayes.risk.placed import PlacedNoise
from pacbayes.runtime.devices import Place
from tests.posterior.laws import posterior_around, random_mask, weights_of
from tests.risk.test_evaluate import sample

DOUBLE = Place.of("cpu", "float64")
PLACES = [DOUBLE]
if torch.cuda.is_available():
    PLACES += [Place.of("cuda", "float32"), Place.of("cuda", "float64")]


def test_noise_is_the_same_number_for_number() -> None:
    plain = BlockNoise(root=1, draw=2, block=3, names=("a", "b"))
    placed = PlacedNoise(root=1, draw=2, block=3, names=("a", "b"), place=DOUBLE)
    for name in ("b", "a", "b"):
        assert torch.equal(placed.normal(name, 5, 7), plain.normal(name, 5, 7).double())
        assert torch.equal(placed.uniform(name, 5, 7), plain.uniform(name, 5, 7).double())


@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p.device.type}-{p.dtype}")
@pytest.mark.parametrize("density", [1.0, 0.05])
def test_counts_differ_by_rounding_alone(place: Place, density: float) -> None:
    """Rounding moves logits of size one by 1e-6, and none of these draws is so near a tie."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))
    weights = weights_of(model)
    posterior = posterior_around(weights, mask=random_mask(weights, density=density))
    here = evaluate(posterior, model, sample(300), draws=5, root=1, quiet=True)
    there = evaluate(posterior, model, sample(300), draws=5, root=1, place=place, quiet=True)
    assert there == here


class Types(nn.Module):
    """Notes the types that it computes with."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)
        self.register_buffer("shift", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        out = self.layer(x) + self.shift
        SEEN.update({x.dtype, out.dtype, self.shift.dtype})
        return out


SEEN: set[torch.dtype] = set()


def test_everything_is_computed_in_the_type() -> None:
    model = Types()
    law = posterior_around(weights_of(model))
    posterior = SpikeAndSlab(
        mean=law.mean,
        scale=law.scale,
        inclusion=law.inclusion,
        buffers={"shift": torch.ones(3)},
    )
    SEEN.clear()
    evaluate(posterior, model, sample(10), draws=1, root=1, place=DOUBLE, quiet=True)
    assert SEEN == {torch.float64}
    assert model.layer.weight.dtype == torch.float32
    assert posterior.to(DOUBLE).to(Place.of("cpu", "float32")).digest == posterior.digest


def test_gates_are_drawn_in_the_type_too() -> None:
    model = nn.Linear(6, 3)
    law = posterior_around(weights_of(model))
    gated = SpikeAndSlab(
        mean=law.mean,
        scale=law.scale,
        inclusion={"weight": torch.full((3, 6), 0.5), "bias": torch.ones(3)},
    )
    counts = [
        evaluate(gated, model, sample(300), draws=3, root=1, quiet=True, **options)
        for options in ({}, {"place": DOUBLE})
    ]
    assert counts[0] == counts[1]


def test_a_law_of_two_types_is_refused() -> None:
    law = posterior_around(weights_of(nn.Linear(6, 3)))
    with pytest.raises(InputError, match="float32"):
        SpikeAndSlab(
            mean=law.mean,
            scale={name: tensor.double() for name, tensor in law.scale.items()},
            inclusion=law.inclusion,
        )
