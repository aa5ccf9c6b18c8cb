"""The divergence of random masks against 50 digits, draws, and the hard mask's code."""

import math
from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.errors import InputError, UsageError
from pacbayes.posterior import Prior, ScaleGrid, SpikeAndSlab, divergence
from pacbayes.posterior.divergence import gates_upper
from pacbayes.posterior.prior import INCLUSIONS
from pacbayes.posterior.spike_and_slab import STEPS
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket
from tests.networks import build, mlp
from tests.posterior.laws import posterior_around, prior_around, random_mask, weights_of

INCLUSION = st.integers(0, STEPS).map(lambda steps: steps / STEPS)


def coin_kl(q: float, p: float) -> Decimal:
    """Textbook form at 50 digits."""
    with localcontext() as context:
        context.prec = 50
        ours, theirs, total = Decimal(q), Decimal(p), Decimal(0)
        if q > 0:
            total += ours * (ours / theirs).ln()
        if q < 1:
            total += (1 - ours) * ((1 - ours) / (1 - theirs)).ln()
        return total


def gated_prior(weights: dict[str, torch.Tensor], *, index: int = 40) -> Prior:
    plain = prior_around(weights)
    names = list(plain.mask)
    inclusion = dict.fromkeys(weights, 1.0) | dict.fromkeys(names, INCLUSIONS.value(index))
    return replace(
        plain,
        mask_price="gates",
        inclusion=inclusion,
        inclusion_grid=INCLUSIONS,
        inclusion_index=dict.fromkeys(names, index),
    )


def gated_posterior(weights: dict[str, torch.Tensor], *, seed: int = 5) -> SpikeAndSlab:
    plain = posterior_around(weights)
    generator = torch.Generator().manual_seed(seed)
    inclusion = {
        name: (torch.rand(w.shape, generator=generator) * STEPS).round() / STEPS
        if w.ndim > 1
        else torch.ones_like(w)
        for name, w in weights.items()
    }
    return replace(plain, inclusion=inclusion)


@given(st.lists(INCLUSION, min_size=1, max_size=30), st.integers(1, INCLUSIONS.size - 1))
def test_gates_cost_at_least_the_true_nats_and_hardly_more(values: list[float], index: int) -> None:
    prior = INCLUSIONS.value(index)
    true = sum((coin_kl(q, prior) for q in values), Decimal(0))
    upper = Decimal(gates_upper(torch.tensor(values, dtype=torch.float64), prior))
    assert true <= upper <= true * (1 + Decimal("1e-11")) + Decimal("1e-12") * len(values)


@pytest.mark.parametrize("index", range(1, INCLUSIONS.size, 37))
def test_gates_equal_to_the_priors_cost_next_to_nothing(index: int) -> None:
    prior = round(INCLUSIONS.value(index) * STEPS) / STEPS
    assert Decimal(gates_upper(torch.full((50,), prior).double(), prior)) < Decimal("1e-11")


def test_a_coin_by_hand() -> None:
    """q = 1/4 against p = 1/2: ln 2 - h(1/4) = 0.130812035941137..."""
    assert float(gates_upper(torch.tensor([0.25]).double(), 0.5)) == pytest.approx(
        0.130812035941137, rel=1e-12
    )


def test_items_carry_the_factor_of_the_inclusion() -> None:
    one = {"w": torch.tensor([[2.0]])}
    prior = gated_prior({"w": torch.tensor([[1.0]])}, index=32)
    prior = replace(prior, scale={"w": 0.5})
    posterior = SpikeAndSlab(
        mean=one, scale={"w": torch.tensor([[0.25]])}, inclusion={"w": torch.tensor([[0.25]])}
    )
    (item,) = divergence(posterior, prior).tensors
    assert prior.inclusion["w"] == 0.5
    assert float(item.mean) == pytest.approx(0.25 * 2.0, rel=1e-12)
    assert float(item.scale) == pytest.approx(0.25 * ((0.25 - 1) / 2 + math.log(2)), rel=1e-12)
    assert float(item.mask) == pytest.approx(0.130812035941137, rel=1e-12)


def test_a_million_draws_agree() -> None:
    """The mean log-ratio of densities under drawn gates, within six standard errors."""
    weights = {"w": torch.tensor([[0.3, -0.2, 0.0]])}
    prior = gated_prior({"w": torch.tensor([[0.1, 0.1, 0.2]])}, index=70)
    posterior = SpikeAndSlab(
        mean=weights,
        scale={"w": torch.tensor([[0.2, 0.5, 0.0]])},
        inclusion={"w": torch.tensor([[0.5, 0.125, 0.0]])},
    )
    generator = torch.Generator().manual_seed(0)
    q, p = posterior.inclusion["w"][0].double(), prior.inclusion["w"]
    opened = torch.rand(1_000_000, 3, generator=generator, dtype=torch.float64) < q
    scale = torch.where(q > 0, posterior.scale["w"][0].double(), 1.0)
    ours = torch.distributions.Normal(posterior.mean["w"][0].double(), scale)
    theirs = torch.distributions.Normal(prior.mean["w"][0].double(), prior.scale["w"])
    drawn = ours.sample((len(opened),))
    slab = ours.log_prob(drawn) - theirs.log_prob(drawn) + torch.log(q / p)
    spike = torch.log((1 - q) / (1 - p))
    ratio = torch.where(opened, slab, spike).sum(dim=1)
    error = float(ratio.std()) / math.sqrt(len(ratio))
    assert abs(float(ratio.mean()) - float(divergence(posterior, prior).total)) < 6 * error


def test_zero_or_one_everywhere_costs_the_code_of_independent_gates() -> None:
    weights = weights_of(build(mlp))
    mask = random_mask(weights, density=0.4)
    found = divergence(posterior_around(weights, mask=mask), gated_prior(weights, index=50))
    plain = divergence(posterior_around(weights, mask=mask), prior_around(weights, mask=mask))
    p = INCLUSIONS.value(50)
    for gated, free in zip(found.tensors, plain.tensors, strict=True):
        code = -gated.kept * math.log(p) - (gated.entries - gated.kept) * math.log1p(-p)
        expected = code if gated.name in mask else 0.0
        assert float(gated.mask) == pytest.approx(expected, rel=1e-12)
        assert (gated.mean, gated.scale) == (free.mean, free.scale)


def test_random_gates_need_a_prior_with_gates() -> None:
    weights = weights_of(build(mlp))
    for price in ("free", "count"):
        with pytest.raises(InputError, match="infinite"):
            divergence(gated_posterior(weights), prior_around(weights, price=price))


def test_a_prior_that_always_includes_cannot_price_what_is_left_out() -> None:
    weights = weights_of(build(mlp))
    with pytest.raises(InputError, match="infinite"):
        divergence(gated_posterior(weights), gated_prior(weights, index=0))
    everything = divergence(posterior_around(weights), gated_prior(weights, index=0))
    assert {item.mask for item in everything.tensors} == {"0"}


def ticket_with(init: dict[str, torch.Tensor], mask: Mask) -> Ticket:
    return Ticket(
        init=init,
        mask=mask,
        trained=mask.apply(init),
        provenance=Provenance(
            data="0" * 64,
            init=IndexSet.none(10),
            mask=IndexSet.none(10).complement(),
            trained=IndexSet.none(10).complement(),
        ),
    )


def test_a_prior_with_gates_knows_nothing_of_the_mask() -> None:
    weights = weights_of(build(mlp))
    some, other = (random_mask(weights, density=d) for d in (0.3, 0.7))
    priors = [
        Prior.at_init(ticket_with(weights, mask), total=10, gates=INCLUSIONS)
        for mask in (some, other)
    ]
    assert priors[0].digest == priors[1].digest
    assert not len(priors[0].seen)
    assert not len(priors[0].mask_seen)
    assert priors[0].mask.kept == priors[0].mask.prunable


def test_masked_initial_weights_are_refused_as_the_centre() -> None:
    weights = weights_of(build(mlp))
    mask = random_mask(weights, density=0.3)
    with pytest.raises(InputError, match="already masked"):
        Prior.at_init(ticket_with(mask.apply(weights), mask), total=10, gates=INCLUSIONS)


def test_inclusions_move_to_the_grid_but_never_to_one() -> None:
    weights = weights_of(build(mlp))
    prior = gated_prior(weights)
    rates = {"0.weight": 0.999, "2.weight": 1.0}
    moved = prior.on_inclusion_grid(rates)
    assert moved.inclusion_index == {"0.weight": 1, "2.weight": 0}
    lowest = prior.on_inclusion_grid(dict.fromkeys(rates, 0.0))
    assert set(lowest.inclusion_index.values()) == {INCLUSIONS.size - 1}
    assert moved.digest != lowest.digest != prior.digest


def test_what_is_no_prior_with_gates_is_refused() -> None:
    weights = weights_of(build(mlp))
    prior = gated_prior(weights)
    wrong = [
        {"inclusion": dict.fromkeys(weights, 0.3)},
        {"inclusion_grid": None},
        {"inclusion_index": {}},
        {"mask": random_mask(weights, density=0.5)},
        {"mask_price": "free"},
        {"inclusion_grid": ScaleGrid(top=8.0, size=448)},
    ]
    for change in wrong:
        with pytest.raises(UsageError):
            replace(prior, **change)


def test_inclusions_finer_than_24_bits_are_no_law() -> None:
    weights = weights_of(build(mlp))
    given_law = gated_posterior(weights)
    for value in (2.0**-25, 0.1, 1.5, -0.5):
        with pytest.raises(InputError, match="inclusion"):
            replace(
                given_law,
                inclusion={k: torch.full_like(w, value) for k, w in weights.items()},
            )
