"""One drawn network against the exact ratio of the masses of its float32 cells."""

from decimal import Decimal

import numpy as np
import pytest
import torch
from flint import arb, ctx

from pacbayes.errors import InputError
from pacbayes.posterior import Prior, SpikeAndSlab
from pacbayes.posterior.one_network import draw_network, log_ratio
from tests.posterior.laws import posterior_around, prior_around, random_mask

WEIGHTS = {"a.weight": torch.randn(6, 5, generator=torch.Generator().manual_seed(3)),
           "a.bias": torch.zeros(6)}  # fmt: skip
MASK = random_mask(WEIGHTS, density=0.5)


def mass(low: arb, high: arb, mean: float, scale: float) -> arb:
    """Probability of an interval under a Gaussian, without cancellation in the tails."""
    root = arb(2).sqrt() * arb(scale)
    a, b = (low - arb(mean)) / root, (high - arb(mean)) / root
    if a > 0:
        return (a.erfc() - b.erfc()) / 2
    return (b.erf() - a.erf()) / 2


def exact_ratio(
    name: str, drawn: dict[str, torch.Tensor], posterior: SpikeAndSlab, prior: Prior
) -> arb:
    total = arb(0)
    for place in torch.nonzero(posterior.kept(name)).tolist():
        at = tuple(place)
        w = np.float32(drawn[name][at].item())
        below, above = np.nextafter(w, np.float32(-9)), np.nextafter(w, np.float32(9))
        low, high = (arb(float(w)) + arb(float(below))) / 2, (arb(float(w)) + arb(float(above))) / 2
        ours = mass(low, high, posterior.mean[name][at].item(), posterior.scale[name][at].item())
        theirs = mass(low, high, prior.mean[name][at].item(), prior.scale[name])
        total += (ours / theirs).log()
    return total


@pytest.mark.parametrize("scale", [0.001, 0.2, 2.0])
def test_the_ratio_of_the_masses_is_below_and_near(scale: float) -> None:
    ctx.prec = 300
    posterior = posterior_around(WEIGHTS, mask=MASK, scale=scale)
    prior = prior_around({k: w + 0.01 for k, w in WEIGHTS.items()}, mask=MASK, scale=0.3)
    drawn = draw_network(posterior, root=7)
    for item in log_ratio(drawn, posterior, prior):
        upper = Decimal(item.mean) + Decimal(item.scale)
        exact = exact_ratio(item.name, drawn, posterior, prior)
        assert exact < arb(str(upper))
        # Half a float32 spacing (at most 2^-24 |w|, |w| < 4) times a slope below 6 / scale.
        assert arb(str(upper)) - exact < item.kept * 4 * 2.0**-24 * 6 * 2 / min(scale, 0.3) + 1e-9


def test_a_draw_follows_the_root_and_keeps_the_mask() -> None:
    posterior = posterior_around(WEIGHTS, mask=MASK)
    first, again, other = (draw_network(posterior, root=root) for root in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["a.weight"], other["a.weight"])
    assert not first["a.weight"][~MASK["a.weight"]].any()


def test_draws_have_the_posteriors_mean_and_scale() -> None:
    """4,000 draws; standardised sums are within 5 standard deviations."""
    posterior = posterior_around({"w": torch.tensor([[0.5]])}, scale=0.2)
    values = [draw_network(posterior, root=root)["w"].item() for root in range(4000)]
    scale = posterior.scale["w"].item()
    z = (np.array(values) - 0.5) / scale
    assert abs(z.mean()) < 5 / np.sqrt(4000)
    assert abs((z**2).mean() - 1) < 5 * np.sqrt(2 / 4000)


def test_the_sign_counts() -> None:
    """Under its own law a typical draw has a ratio of about the divergence, sometimes below 0."""
    posterior = posterior_around(WEIGHTS, mask=MASK, scale=0.3)
    prior = prior_around(WEIGHTS, mask=MASK, scale=0.3)
    totals = []
    for root in range(60):
        items = log_ratio(draw_network(posterior, root=root), posterior, prior)
        totals.append(sum(float(i.mean) + float(i.scale) for i in items))
    assert min(totals) < 0 < max(totals)


def test_foreign_weights_are_refused() -> None:
    posterior, prior = posterior_around(WEIGHTS, mask=MASK), prior_around(WEIGHTS, mask=MASK)
    with pytest.raises(InputError, match="removed weight"):
        log_ratio({k: torch.ones_like(w) for k, w in WEIGHTS.items()}, posterior, prior)
