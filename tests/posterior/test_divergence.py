"""KL against closed forms, quadrature-free oracles, and the price of a mask."""

import math
from decimal import Decimal

import pytest
import torch

from pacbayes.errors import InputError
from pacbayes.posterior import SpikeAndSlab, divergence
from tests.networks import build, mlp
from tests.posterior.laws import posterior_around, prior_around, random_mask, weights_of


def gaussian_kl(mean: float, scale: float, centre: float, sigma: float) -> Decimal:
    """Textbook form at 50 digits."""
    from decimal import localcontext

    with localcontext() as context:
        context.prec = 50
        m, s, c, g = (Decimal(value) for value in (mean, scale, centre, sigma))
        return (g / s).ln() + (s * s + (m - c) ** 2) / (2 * g * g) - Decimal("0.5")


def slow_kl(posterior: SpikeAndSlab, prior: object) -> Decimal:
    total = Decimal(0)
    for name, mean in posterior.mean.items():
        kept = posterior.kept(name)
        rows = zip(
            mean[kept].tolist(),
            posterior.scale[name][kept].tolist(),
            prior.mean[name][kept].tolist(),
            strict=True,
        )
        total += sum((gaussian_kl(m, s, c, prior.scale[name]) for m, s, c in rows), Decimal(0))
    return total


def test_divergence_of_a_law_with_itself_is_tiny_and_never_negative() -> None:
    weights = weights_of(build(mlp))
    prior = prior_around(weights, scale=0.25)
    same = SpikeAndSlab(
        mean=weights,
        scale={name: torch.full_like(w, 0.25) for name, w in weights.items()},
        inclusion={name: torch.ones_like(w) for name, w in weights.items()},
    )
    total = Decimal(divergence(same, prior).total)
    assert 0 <= total < Decimal("1e-10")


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.149, 0.151, 0.29999, 0.3, 0.7, 30.0])
@pytest.mark.parametrize("density", [1.0, 0.3])
def test_divergence_is_above_the_true_value_and_close(scale: float, density: float) -> None:
    weights = weights_of(build(mlp))
    mask = random_mask(weights, density=density)
    prior = prior_around({k: w + 0.01 for k, w in weights.items()}, mask=mask)
    posterior = posterior_around(weights, mask=mask, scale=scale)
    true = slow_kl(posterior, prior)
    upper = Decimal(divergence(posterior, prior).total)
    assert true <= upper <= true * (1 + Decimal("1e-9")) + Decimal("1e-9")


def test_items_are_the_hand_computed_ones() -> None:
    one = {"w": torch.tensor([[2.0]])}
    prior = prior_around({"w": torch.tensor([[1.0]])}, scale=0.5)
    posterior = SpikeAndSlab(
        mean=one, scale={"w": torch.tensor([[0.25]])}, inclusion={"w": torch.ones(1, 1)}
    )
    (item,) = divergence(posterior, prior).tensors
    assert float(item.mean) == pytest.approx(2.0, rel=1e-12)
    assert float(item.scale) == pytest.approx((0.25 - 1) / 2 + math.log(2), rel=1e-12)
    assert item.mask == "0"


def test_a_charged_mask_costs_its_count_code_and_a_free_one_nothing() -> None:
    weights = weights_of(build(mlp))
    mask = random_mask(weights, density=0.4)
    posterior = posterior_around(weights, mask=mask)
    free = divergence(posterior, prior_around(weights, mask=mask)).tensors
    paid = divergence(posterior, prior_around(weights, mask=mask, price="count")).tensors
    for without, charged in zip(free, paid, strict=True):
        n, k = charged.entries, charged.kept
        expected = math.log(math.comb(n, k)) + math.log(n + 1) if charged.name in mask else 0.0
        assert without.mask == "0"
        assert float(charged.mask) == pytest.approx(expected, rel=1e-12)
        assert (without.mean, without.scale) == (charged.mean, charged.scale)


def test_total_is_the_sum_of_the_items() -> None:
    weights = weights_of(build(mlp))
    found = divergence(posterior_around(weights), prior_around(weights, price="count"))
    parts = sum(Decimal(p) for t in found.tensors for p in (t.mask, t.mean, t.scale))
    assert parts <= Decimal(found.total) <= parts * (1 + Decimal("1e-15"))


def test_a_million_draws_agree() -> None:
    prior = prior_around({"w": torch.tensor([0.3, -0.2])}, scale=0.4)
    posterior = SpikeAndSlab(
        mean={"w": torch.tensor([0.1, 0.0])},
        scale={"w": torch.tensor([0.2, 0.5])},
        inclusion={"w": torch.ones(2)},
    )
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1_000_000, 2, generator=generator, dtype=torch.float64)
    drawn = posterior.mean["w"] + posterior.scale["w"] * noise
    ours = torch.distributions.Normal(posterior.mean["w"].double(), posterior.scale["w"].double())
    theirs = torch.distributions.Normal(prior.mean["w"].double(), torch.tensor(0.4).double())
    ratio = (ours.log_prob(drawn) - theirs.log_prob(drawn)).sum(dim=1)
    error = float(ratio.std()) / math.sqrt(len(ratio))
    assert abs(float(ratio.mean()) - float(divergence(posterior, prior).total)) < 6 * error


def test_a_missing_parameter_is_refused() -> None:
    weights = weights_of(build(mlp))
    posterior = posterior_around(weights)
    fewer = {name: w for name, w in weights.items() if name != "0.bias"}
    with pytest.raises(InputError, match=r"0\.bias"):
        divergence(posterior, prior_around(fewer))


def test_another_support_is_refused() -> None:
    weights = weights_of(build(mlp))
    narrow = random_mask(weights, density=0.5)
    with pytest.raises(InputError, match="support"):
        divergence(posterior_around(weights), prior_around(weights, mask=narrow))


def test_changed_buffers_are_refused() -> None:
    weights = weights_of(build(mlp))
    posterior, prior = posterior_around(weights), prior_around(weights)
    ours = SpikeAndSlab(
        mean=posterior.mean,
        scale=posterior.scale,
        inclusion=posterior.inclusion,
        buffers={"mean": torch.tensor(1.0)},
    )
    with pytest.raises(InputError, match="buffers"):
        divergence(ours, prior)
