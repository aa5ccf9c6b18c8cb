"""Gates are really drawn: against arrays drawn one by one, in frequency and in law."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call

from pacbayes.data import Examples
from pacbayes.posterior import SpikeAndSlab
from pacbayes.posterior.spike_and_slab import STEPS
from pacbayes.risk import evaluate
from pacbayes.risk.designs import General, Layered, design_for
from pacbayes.risk.gated import Gated
from pacbayes.risk.noise import BlockNoise
from tests.networks import EVERY, GENERAL, LAYERED, build
from tests.posterior.laws import posterior_around, weights_of

SIX = 6
"""Standard errors: false alarm below 1e-8 per comparison."""


def noise_for(posterior: SpikeAndSlab, *, draw: int = 0) -> BlockNoise:
    return BlockNoise(root=7, draw=draw, block=0, names=tuple(sorted(posterior.mean)))


def gated(kind: str, *, tiny: bool = False) -> tuple[torch.nn.Module, SpikeAndSlab]:
    """A third of the weights never, a third always, a third sometimes; biases always."""
    model = build(EVERY[kind][0])
    weights = weights_of(model)
    plain = posterior_around(weights)
    generator = torch.Generator().manual_seed(5)
    inclusion = {}
    for name, w in weights.items():
        some = (torch.rand(w.shape, generator=generator) * STEPS).round() / STEPS
        third = torch.randint(3, w.shape, generator=generator)
        inclusion[name] = torch.where(third == 2, some, third.float())
        if w.ndim < 2:
            inclusion[name] = torch.ones_like(w)
    kept = {name: (q > 0).float() for name, q in inclusion.items()}
    law = SpikeAndSlab(
        mean={k: m * kept[k] for k, m in plain.mean.items()},
        scale={k: (s * 0 + 1e-12 if tiny else s) * kept[k] for k, s in plain.scale.items()},
        inclusion=inclusion,
    )
    return model, law


def examples(kind: str, rows: int) -> torch.Tensor:
    return torch.randn(rows, *EVERY[kind][1], generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("kind", LAYERED)
def test_random_gates_choose_the_gated_design(kind: str) -> None:
    model, posterior = gated(kind)
    assert isinstance(design_for(model, posterior, examples(kind, 4)), Gated)
    fixed = replace(posterior, inclusion={k: q.ceil() for k, q in posterior.inclusion.items()})
    assert isinstance(design_for(model, fixed, examples(kind, 4)), Layered)


@pytest.mark.parametrize("kind", GENERAL)
def test_other_networks_get_really_drawn_weights(kind: str) -> None:
    model, posterior = gated(kind)
    assert isinstance(design_for(model, posterior, examples(kind, 4)), General)


@pytest.mark.parametrize("kind", EVERY)
def test_drawn_gates_give_the_same_logits_as_one_by_one(kind: str) -> None:
    """General on any network, against a loop that draws the same streams by hand."""
    model, posterior = gated(kind)
    x = examples(kind, 6)
    with torch.no_grad():
        ours = General.of(model, posterior).forward(x)(noise_for(posterior))
    hand = noise_for(posterior)
    weights = [dict.fromkeys(posterior.mean, torch.zeros(())) for _ in range(6)]
    for name, mean in posterior.mean.items():
        kept = posterior.kept(name)
        normal = hand.normal(name, 6, int(kept.sum()))
        uniform = hand.uniform(name, 6, int(kept.sum()))
        for i in range(6):
            drawn = torch.zeros_like(mean)
            opened = uniform[i] < posterior.inclusion[name][kept]
            drawn[kept] = (mean[kept] + posterior.scale[name][kept] * normal[i]) * opened
            weights[i][name] = drawn
    for i in range(6):
        expected = functional_call(model, weights[i], (x[i : i + 1],))[0]
        assert torch.allclose(ours[i], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", LAYERED)
def test_without_slab_noise_the_design_equals_drawn_arrays(kind: str) -> None:
    """Both consume the same gates, so only the rounding of sums may differ."""
    model, posterior = gated(kind, tiny=True)
    x = examples(kind, 40)
    with torch.no_grad():
        ours = design_for(model, posterior, x[:4]).forward(x)(noise_for(posterior))
        oracle = General.of(model, posterior).forward(x)(noise_for(posterior))
    assert torch.allclose(ours, oracle, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", LAYERED)
def test_gated_and_general_designs_have_the_same_law(kind: str) -> None:
    """Means, second and third moments of one example's logits over 20,000 independent weights."""
    model, posterior = gated(kind)
    x = examples(kind, 1).expand(20_000, *EVERY[kind][1]).contiguous()
    with torch.no_grad():
        ours = design_for(model, posterior, x[:4]).forward(x)(noise_for(posterior)).double()
        theirs = General.of(model, posterior).forward(x)(noise_for(posterior, draw=1)).double()
    statistics = (
        lambda z: z,
        lambda z: (z[:, :, None] * z[:, None, :]).flatten(1),
        lambda z: z**3,
    )
    for statistic in statistics:
        a, b = statistic(ours), statistic(theirs)
        error = torch.sqrt((a.var(dim=0) + b.var(dim=0)) / len(a))
        assert bool(((a.mean(dim=0) - b.mean(dim=0)).abs() < SIX * error).all())


def test_gates_are_open_as_often_as_their_inclusion_says() -> None:
    """One weight of 1 and an input of 1: the logit is the gate. Exact at q = 0 and q = 1."""
    model = torch.nn.Linear(4, 1, bias=False)
    wanted = torch.tensor([[0.0, 1.0, 2.0**-10, 0.75]])
    posterior = SpikeAndSlab(
        mean={"weight": (wanted > 0).float()},
        scale={"weight": (wanted > 0) * 1e-12},
        inclusion={"weight": wanted},
    )
    for i, q in enumerate(wanted[0].tolist()):
        x = torch.zeros(100_000, 4)
        x[:, i] = 1
        with torch.no_grad():
            share = float(
                design_for(model, posterior, x[:4]).forward(x)(noise_for(posterior)).mean()
            )
        assert abs(share - q) <= SIX * math.sqrt(q * (1 - q) / len(x)) + 1e-6


@pytest.mark.parametrize("kind", EVERY)
def test_examples_of_a_batch_have_independent_gates(kind: str) -> None:
    model, posterior = gated(kind, tiny=True)
    x = examples(kind, 1).expand(20_000, *EVERY[kind][1]).contiguous()
    with torch.no_grad():
        logits = design_for(model, posterior, x[:4]).forward(x)(noise_for(posterior)).double()
    correlation = torch.corrcoef(torch.stack([logits[0::2, 0], logits[1::2, 0]]))[0, 1]
    assert abs(float(correlation)) < SIX / math.sqrt(len(x) / 2)


@pytest.mark.parametrize("kind", EVERY)
def test_chunks_do_not_change_gates_or_noise(kind: str) -> None:
    model, posterior = gated(kind)
    x = examples(kind, 9)
    design = design_for(model, posterior, x[:4])
    with torch.no_grad():
        whole = design.forward(x)(noise_for(posterior))
        noise = noise_for(posterior)
        pieces = torch.cat([design.forward(part)(noise) for part in x.split([2, 3, 4])])
    assert torch.allclose(whole, pieces, atol=1e-5, rtol=1e-5)


def test_entries_that_are_never_included_cost_nothing() -> None:
    model, posterior = gated("mlp")
    x = examples("mlp", 4)
    before = design_for(model, posterior, x)
    assert isinstance(before, Gated)
    for name, weight in before.local.items():
        assert weight.inclusion.numel() == int((posterior.inclusion[name] > 0).sum())


def test_a_bias_with_random_gates_is_really_drawn() -> None:
    model, posterior = gated("mlp", tiny=True)
    half = {k: q * 0.5 if q.ndim == 1 else q for k, q in posterior.inclusion.items()}
    posterior = replace(posterior, inclusion=half)
    x = examples("mlp", 30)
    design = design_for(model, posterior, x[:4])
    assert isinstance(design, Gated)
    assert not design.local
    with torch.no_grad():
        ours = design.forward(x)(noise_for(posterior))
        oracle = General.of(model, posterior).forward(x)(noise_for(posterior))
    assert torch.allclose(ours, oracle, atol=1e-5, rtol=1e-5)


def test_gates_move_no_normal_number() -> None:
    names = ("a", "b")
    plain = BlockNoise(root=5, draw=0, block=0, names=names)
    other = BlockNoise(root=5, draw=0, block=0, names=names)
    other.uniform("a", 3, 7)
    assert torch.equal(plain.normal("a", 2, 5), other.normal("a", 2, 5))
    assert not torch.equal(plain.uniform("a", 2, 5), plain.uniform("b", 2, 5))


def test_the_risk_of_a_gate_is_counted() -> None:
    """A network that is right if and only if its gate is open: risk 1 - q within six errors."""
    model = torch.nn.Linear(1, 2, bias=False)
    posterior = SpikeAndSlab(
        mean={"weight": torch.tensor([[1.0], [0.0]])},
        scale={"weight": torch.tensor([[1e-6], [0.0]])},
        inclusion={"weight": torch.tensor([[0.75], [0.0]])},
    )
    sample = Examples(
        inputs=torch.ones(5000, 1),
        labels=torch.zeros(5000, dtype=torch.int64),
        items=np.zeros((5000, 32), dtype=np.uint8),
    )
    counts = evaluate(posterior, model, sample, draws=4, root=3, quiet=True)
    assert counts.trials == 20_000
    spread = math.sqrt(0.25 * 0.75 * counts.trials)
    assert abs(counts.errors - 0.25 * counts.trials) < SIX * spread
