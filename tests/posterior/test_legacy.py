"""The published value against its formula, written out entry by entry at 50 digits."""

import math
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
import torch
from torch import nn

from pacbayes.bounds import count_prior_upper
from pacbayes.errors import InputError, UsageError
from pacbayes.posterior import SpikeAndSlab, divergence
from pacbayes.posterior.legacy import LegacyMode, LegacyValue, legacy_value
from pacbayes.tickets import Mask
from tests.networks import build, mlp
from tests.posterior.laws import posterior_around, prior_around, random_mask, weights_of

MODES: tuple[LegacyMode, ...] = ("spike-and-slab", "gaussian", "gaussian-zero")


def everything() -> nn.Module:
    """Convolution without bias, BatchNorm, convolution and linear layers with biases."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 3, 3),
        nn.Flatten(),
        nn.Linear(48, 10),
        nn.ReLU(),
        nn.Linear(10, 3),
    )


def case(make: object = everything) -> tuple[SpikeAndSlab, dict[str, torch.Tensor], Mask]:
    """A posterior around moved weights, the initial weights, and a mask of about a third."""
    init = weights_of(build(make))
    mask = random_mask(init, density=0.3)
    generator = torch.Generator().manual_seed(2)
    moved = {k: w + 0.1 * torch.randn(w.shape, generator=generator) for k, w in init.items()}
    return posterior_around(moved, mask=mask, scale=0.05), init, mask


def printed(
    posterior: SpikeAndSlab, init: dict[str, torch.Tensor], mask: Mask, mode: LegacyMode
) -> Decimal:
    """The sum as printed in the summary of the code, one entry after the other."""
    with localcontext() as context:
        context.prec = 50
        removed = Decimal(mask.prunable - mask.kept) / mask.prunable
        total = Decimal(0)
        for mean, centre, scale, kept in entries(posterior, init, mask, mode):
            if kept is not False:
                shift = Decimal(mean) - Decimal(centre)
                total += (1 + shift**2 / Decimal(scale) ** 2).ln() / 2
            if mode == "spike-and-slab" and kept is not None:
                total -= (1 - removed).ln() if kept else removed.ln()
        return total


def entries(
    posterior: SpikeAndSlab, init: dict[str, torch.Tensor], mask: Mask, mode: LegacyMode
) -> Iterator[tuple[float, float, float, bool | None]]:
    for name, mean in posterior.mean.items():
        centre = torch.zeros_like(mean) if mode == "gaussian-zero" else init[name]
        flags = mask[name].reshape(-1).tolist() if name in mask else [None] * mean.numel()
        columns = [t.reshape(-1).tolist() for t in (mean, centre, posterior.scale[name])]
        yield from zip(*columns, flags, strict=True)


@pytest.mark.parametrize("mode", MODES)
def test_it_is_the_printed_formula_to_a_millionth(mode: LegacyMode) -> None:
    posterior, init, mask = case()
    assert {"1.weight", "1.bias", "3.bias", "5.bias"} <= set(posterior.mean) - set(mask)
    found = legacy_value(posterior, init, mask, mode=mode)
    assert found.kl == pytest.approx(float(printed(posterior, init, mask, mode)), rel=1e-6)


def test_the_masks_part_is_the_entropy_of_its_density() -> None:
    posterior, init, mask = case()
    share = mask.density
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert legacy_value(posterior, init, mask).mask == pytest.approx(mask.prunable * entropy)
    assert legacy_value(posterior, init, mask, mode="gaussian").mask == 0


@pytest.mark.parametrize("make", [everything, mlp])
@pytest.mark.parametrize("scale", [0.01, 0.05, 0.2])
def test_a_certified_divergence_is_never_below_it(make: object, scale: float) -> None:
    """Same posterior, prior at init with one scale per tensor, one count prior for the mask."""
    posterior, init, mask = case(make)
    prior = prior_around(init, mask=mask, scale=scale)
    parts = divergence(posterior, prior).tensors
    weights = sum(Decimal(part.mean) + Decimal(part.scale) for part in parts)
    certified = weights + Decimal(count_prior_upper(mask.prunable, mask.kept))
    found = legacy_value(posterior, init, mask)
    assert float(weights) >= found.weights
    assert float(certified) >= found.kl


def test_the_number_is_the_smaller_of_two_relaxations_and_is_not_clipped() -> None:
    found = LegacyValue(mode="spike-and-slab", mask=900.0, weights=100.0)
    budget = (1000 + math.log(2 * math.sqrt(1000) / 0.01)) / 1000
    assert found.value(risk=0.0, n=1000, delta=0.01) == pytest.approx(math.sqrt(budget / 2))
    assert found.value(risk=0.9, n=1000, delta=0.01) > 1
    small = LegacyValue(mode="gaussian", mask=0.0, weights=1.0)
    budget = (1 + math.log(2 * math.sqrt(1000) / 0.01)) / 1000
    expected = 0.001 + budget + math.sqrt(budget * (budget + 0.002))
    assert small.value(risk=0.001, n=1000, delta=0.01) == pytest.approx(expected)


def test_what_it_is_not_defined_for_is_refused() -> None:
    posterior, init, mask = case(mlp)
    half = {k: q * 0.5 if k in mask else q for k, q in posterior.inclusion.items()}
    with pytest.raises(InputError, match="mask itself"):
        legacy_value(replace(posterior, inclusion=half), init, mask)
    with pytest.raises(InputError, match="mask itself"):
        legacy_value(posterior, init, random_mask(init, density=0.9))
    with pytest.raises(InputError, match="missing"):
        legacy_value(posterior, {}, mask)
    found = legacy_value(posterior, init, mask)
    for risk, n, delta in ((-0.1, 10, 0.1), (0.1, 0, 0.1), (0.1, 10, 0.0)):
        with pytest.raises(UsageError):
            found.value(risk=risk, n=n, delta=delta)
