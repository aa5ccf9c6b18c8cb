"""The designs draw from the posterior: against weights drawn one by one, and in law."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from pacbayes.posterior import SpikeAndSlab
from pacbayes.risk.designs import General, Layered, design_for
from pacbayes.risk.noise import CACHED, BlockNoise
from tests.networks import EVERY, GENERAL, LAYERED, build, convnet
from tests.posterior.laws import posterior_around, random_mask, weights_of


def noise_for(posterior: SpikeAndSlab, *, draw: int = 0, block: int = 0) -> BlockNoise:
    return BlockNoise(root=7, draw=draw, block=block, names=tuple(sorted(posterior.mean)))


def posterior_for(kind: str, *, density: float = 1.0) -> tuple[torch.nn.Module, SpikeAndSlab]:
    model = build(EVERY[kind][0])
    weights = weights_of(model)
    mask = random_mask(weights, density=density) if density < 1 else None
    return model, posterior_around(weights, mask=mask)


def examples(kind: str, rows: int) -> torch.Tensor:
    return torch.randn(rows, *EVERY[kind][1], generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("kind", LAYERED)
def test_layered_networks_are_recognised(kind: str) -> None:
    model, posterior = posterior_for(kind)
    assert isinstance(design_for(model, posterior, examples(kind, 4)), Layered)


@pytest.mark.parametrize("kind", GENERAL)
def test_other_networks_get_really_drawn_weights(kind: str) -> None:
    model, posterior = posterior_for(kind)
    assert isinstance(design_for(model, posterior, examples(kind, 4)), General)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("density", [1.0, 0.4])
def test_drawn_weights_give_the_same_logits_as_one_by_one(kind: str, density: float) -> None:
    """General on any network, against a loop that draws the same streams by hand."""
    model, posterior = posterior_for(kind, density=density)
    x = examples(kind, 6)
    with torch.no_grad():
        ours = General.of(model, posterior).forward(x)(noise_for(posterior))
    hand, streams = noise_for(posterior), {}
    for name in posterior.mean:
        streams[name] = hand.normal(name, 6, int(posterior.kept(name).sum()))
    for i in range(6):
        weights = {}
        for name, mean in posterior.mean.items():
            kept = posterior.kept(name)
            drawn = torch.zeros_like(mean)
            drawn[kept] = mean[kept] + posterior.scale[name][kept] * streams[name][i]
            weights[name] = drawn
        expected = functional_call(model, weights, (x[i : i + 1],))[0]
        assert torch.allclose(ours[i], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("density", [1.0, 0.4])
def test_convolutions_use_one_kernel_per_example(density: float) -> None:
    """Without noise in the linear layer the layered design equals drawn kernels exactly."""
    model = build(convnet)
    weights = weights_of(model)
    posterior = posterior_around(weights, mask=random_mask(weights, density=density))
    noisy = {"0.weight", "0.bias", "2.weight"}
    tiny = {k: s * (1.0 if k in noisy else 1e-12) for k, s in posterior.scale.items()}
    posterior = SpikeAndSlab(mean=posterior.mean, scale=tiny, inclusion=posterior.inclusion)
    x = torch.randn(5, 2, 6, 6, generator=torch.Generator().manual_seed(3))
    layered = design_for(model, posterior, x)
    assert isinstance(layered, Layered)
    with torch.no_grad():
        ours = layered.forward(x)(noise_for(posterior))
        oracle = General.of(model, posterior).forward(x)(noise_for(posterior))
    assert torch.allclose(ours, oracle, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", LAYERED)
@pytest.mark.parametrize("density", [1.0, 0.4])
def test_layered_and_general_designs_have_the_same_law(kind: str, density: float) -> None:
    """Means and covariances of the logits of one example over 20,000 independent weights.

    Both are averages of independent draws, so they differ by at most 6 standard errors, estimated
    from the same draws (false alarm below 1e-7 for all comparisons together).
    """
    model, posterior = posterior_for(kind, density=density)
    x = examples(kind, 1).expand(20_000, *EVERY[kind][1]).contiguous()
    with torch.no_grad():
        ours = design_for(model, posterior, x[:4]).forward(x)(noise_for(posterior)).double()
        theirs = General.of(model, posterior).forward(x)(noise_for(posterior, draw=1)).double()
    for statistic in (lambda z: z, lambda z: (z[:, :, None] * z[:, None, :]).flatten(1)):
        a, b = statistic(ours), statistic(theirs)
        error = torch.sqrt((a.var(dim=0) + b.var(dim=0)) / len(a))
        assert bool(((a.mean(dim=0) - b.mean(dim=0)).abs() < 6 * error).all())


@pytest.mark.parametrize("kind", EVERY)
def test_examples_of_a_batch_are_independent(kind: str) -> None:
    """The same example twice in one batch: correlation zero within 6 standard errors."""
    model, posterior = posterior_for(kind)
    x = examples(kind, 1).expand(20_000, *EVERY[kind][1]).contiguous()
    with torch.no_grad():
        logits = design_for(model, posterior, x[:4]).forward(x)(noise_for(posterior)).double()
    first, second = logits[0::2, 0], logits[1::2, 0]
    correlation = np.corrcoef(first.numpy(), second.numpy())[0, 1]
    assert abs(correlation) < 6 / math.sqrt(len(first))


@pytest.mark.parametrize("kind", EVERY)
def test_chunks_do_not_change_the_noise(kind: str) -> None:
    model, posterior = posterior_for(kind)
    x = examples(kind, 9)
    design = design_for(model, posterior, x[:4])
    with torch.no_grad():
        whole = design.forward(x)(noise_for(posterior))
        noise = noise_for(posterior)
        pieces = torch.cat([design.forward(part)(noise) for part in x.split([2, 3, 4])])
    assert torch.allclose(whole, pieces, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", EVERY)
def test_remembered_moments_do_not_change_later_draws(kind: str) -> None:
    model, posterior = posterior_for(kind)
    x = examples(kind, 6)
    design = design_for(model, posterior, x[:4])
    with torch.no_grad():
        forward = design.forward(x)
        forward(noise_for(posterior))
        again = forward(noise_for(posterior, draw=1))
        fresh = design.forward(x)(noise_for(posterior, draw=1))
    assert torch.equal(again, fresh)


def test_an_axis_as_long_as_the_probed_examples_is_not_taken_for_them() -> None:
    """Four rows per example, put first: with four examples both axes have length four."""

    class RowsFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Linear(3, 4), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.relu(self.embed(x.transpose(0, 1))).mean(dim=0))

    model = build(RowsFirst)
    posterior = posterior_around(weights_of(model))
    assert isinstance(design_for(model, posterior, torch.randn(4, 4, 3)), General)


def test_streams_differ_between_draws_blocks_and_tensors() -> None:
    names = ("a", "b")
    keys = [(0, 0, "a"), (1, 0, "a"), (0, 1, "a"), (0, 0, "b")]
    firsts = {
        float(BlockNoise(root=5, draw=d, block=b, names=names).normal(n, 1, 1)) for d, b, n in keys
    }
    assert len(firsts) == len(keys)


def test_noise_is_standard_normal() -> None:
    """Kolmogorov-Smirnov on a million numbers at false alarm 1e-6."""
    from scipy import stats

    drawn = BlockNoise(root=11, draw=0, block=0, names=("a",)).normal("a", 1000, 1000)
    assert stats.kstest(drawn.double().numpy().ravel(), "norm").pvalue > 1e-6


def test_noise_is_box_and_mullers_in_double_precision() -> None:
    """Each pair from one word of the stream, by the textbook's formula, within float32."""
    rows, columns = 3, 7
    drawn = BlockNoise(root=11, draw=2, block=1, names=("a", "b")).normal("b", rows, columns)
    stream = np.random.SFC64(np.random.SeedSequence([11, 2, 1, 1]))
    for row in drawn.double().numpy():
        words = [int(word) for word in stream.random_raw((columns + 1) // 2)]
        radii = [math.sqrt(-2 * math.log(((w >> 24) + 0.5) / 2**40)) for w in words]
        angles = [2 * math.pi * (w % 2**24) / 2**24 for w in words]
        expected = [
            r * f(a) for f in (math.cos, math.sin) for r, a in zip(radii, angles, strict=True)
        ]
        assert np.allclose(row, expected[:columns], rtol=1e-6, atol=4e-6)


@pytest.mark.parametrize("columns", [1, 84, 1001, CACHED])
def test_noise_has_the_same_bits_however_rows_are_cut(columns: int) -> None:
    rows = 90
    whole = BlockNoise(root=3, draw=0, block=0, names=("a",)).normal("a", rows, columns)
    noise = BlockNoise(root=3, draw=0, block=0, names=("a",))
    pieces = torch.cat([noise.normal("a", cut, columns) for cut in (1, 40, 49)])
    assert torch.equal(whole, pieces)
