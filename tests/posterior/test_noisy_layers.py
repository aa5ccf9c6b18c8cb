"""The hand-written gradients equal those that autograd finds for the same formulas."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pacbayes.posterior import Prior
from pacbayes.posterior.fit import gradients
from pacbayes.posterior.noise import NoisePool, NoisyForward
from pacbayes.posterior.objectives import bounded_cross_entropy, kl_objective
from pacbayes.posterior.slab import Slab
from pacbayes.posterior.trainable import Trainable
from tests.networks import EVERY, LAYERED, build
from tests.posterior.laws import prior_around, random_mask, weights_of

USED = nn.Linear | nn.Conv2d | nn.GroupNorm | nn.BatchNorm2d
DENSITIES = [1.0, 0.5, 0.08]


def state_of(kind: str, density: float) -> tuple[nn.Module, Prior, Trainable]:
    model = build(EVERY[kind][0])
    weights = weights_of(model)
    mask = random_mask(weights, density=density) if density < 1 else None
    prior = prior_around(weights, mask=mask)
    return model, prior, Trainable.start(prior, prior.mean, scale=1.0)


def batch(kind: str) -> tuple[Tensor, Tensor]:
    """Four quarters alike: the gradient by the variances is taken from the first."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, *EVERY[kind][1], generator=generator)
    y = torch.randint(0, 3, (2,), generator=generator)
    return torch.cat([x] * 4), torch.cat([y] * 4)


def repeated(noise: Tensor, forward: NoisyForward, state: Trainable) -> Tensor:
    """Return noise that is the same in all quarters of a batch of eight."""
    noise, at = noise.clone(), 0
    for layer in forward.layers:
        support = state.slabs[layer.weight].support
        if not layer.local:
            bias = 0 if layer.bias is None else state.slabs[layer.bias].support.count
            at += support.count + bias
            continue
        rows, size = support.shape[0], 8 * support.shape[0]
        part = noise[at : at + size]
        if support.matrix is not None:
            part.view(rows, 4, 2)[:, 1:] = part.view(rows, 4, 2)[:, :1]
        else:
            part.view(4, 2, rows)[1:] = part.view(4, 2, rows)[:1]
        at += size
    return noise


def oracle(
    model: nn.Module, forward: NoisyForward, state: Trainable, x: Tensor, *, noise: Tensor
) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
    """The same pass with plain operations on dense leaves, in the order in which noise is taken."""
    leaves, used = {}, 0
    for name, slab in state.slabs.items():
        mean = slab.support.spread(slab.mean.clone()).requires_grad_()
        leaves[name] = mean, slab.support.spread(slab.log_scale.clone()).requires_grad_()

    def take(count: int) -> Tensor:
        nonlocal used
        used += count
        return noise[used - count : used]

    def kept(name: str) -> Tensor:
        return state.slabs[name].support.spread(torch.ones_like(state.slabs[name].mean))

    def draw(name: str) -> Tensor:
        mean, log_scale = leaves[name]
        support = state.slabs[name].support
        return mean + log_scale.exp() * support.spread(take(support.count))

    def layer_of(h: Tensor, place: int) -> Tensor:
        layer = forward.layers[place]
        if not layer.local:
            weight = draw(layer.weight)
            bias = None if layer.bias is None else draw(layer.bias)
            if layer.op == "linear":
                return F.linear(h, weight, bias)
            if layer.op == "norm":
                return layer.options[0](h, weight, bias)
            stride, padding, dilation, groups = layer.options
            return F.conv2d(h, weight, bias, stride, padding, dilation, groups)
        mean, log_scale = leaves[layer.weight]
        variance = kept(layer.weight) * (2 * log_scale).exp()
        bias, bias_log = leaves[layer.bias]
        numbers = take(len(h) * mean.shape[0])
        thin = state.slabs[layer.weight].support.matrix is not None
        numbers = numbers.view(-1, len(h)).t() if thin else numbers.view(len(h), -1)
        spread = F.linear(h.square(), variance, (2 * bias_log).exp())
        return F.linear(h, mean, bias) + spread.sqrt() * numbers

    if not forward.layers:
        logits = torch.func.functional_call(model, {name: draw(name) for name in leaves}, (x,))
        return logits, leaves
    h, place = x, 0
    modules = [model.embed, model.head] if hasattr(model, "embed") else list(model)
    for module in modules:
        if isinstance(module, USED):
            h, place = layer_of(h, place), place + 1
            if hasattr(model, "embed") and place == 1:
                h = torch.relu(h).mean(dim=1)
        else:
            h = module(h)
    return h, leaves


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("density", DENSITIES)
def test_gradients_equal_those_of_autograd(kind: str, density: float) -> None:
    model, prior, state = state_of(kind, density)
    x, y = batch(kind)
    forward = NoisyForward.of(model, prior.mean, buffers={}, x=x)
    assert bool(forward.layers) == (kind in LAYERED)
    objective = kl_objective(n=1000, constant=8.0)
    pool = NoisePool.of(torch.Generator().manual_seed(4), at_once=1000)
    drawn = pool.slice(forward.normals(state.slabs, len(x)))
    noise = repeated(drawn, forward, state)

    class Same(NoisePool):
        def slice(self, count: int) -> Tensor:
            assert count == len(noise)
            return noise

    value, kl = gradients(state, forward, (x, y), objective, Same(noise, pool.generator))
    logits, leaves = oracle(model, forward, state, x, noise=noise)
    slow_kl = torch.zeros(())
    for name, (mean, log_scale) in leaves.items():
        sigma = prior.scale[name]
        kept = state.slabs[name].support.spread(torch.ones_like(state.slabs[name].mean))
        ratio = ((mean - prior.mean[name]) ** 2 + (2 * log_scale).exp()) / (2 * sigma**2)
        slow_kl = slow_kl + (kept * (ratio - 0.5 - log_scale + torch.tensor(sigma).log())).sum()
    loss = objective(bounded_cross_entropy(logits, y), slow_kl)
    loss.backward()
    # Float32 sums of at most a few hundred terms of order one.
    assert value == pytest.approx(float(loss.detach()), rel=1e-5)
    assert kl == pytest.approx(float(slow_kl.detach()), rel=1e-5, abs=1e-4)
    for name, (mean, log_scale) in leaves.items():
        slab = state.slabs[name]
        assert torch.allclose(slab.by_mean, slab.support.gather(mean.grad), atol=1e-6, rtol=1e-4)
        expected = slab.support.gather(log_scale.grad)
        assert torch.allclose(slab.by_scale, expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("density", [1.0, 0.08])
def test_the_variance_gradient_has_no_bias(density: float) -> None:
    """The mean over all orders of two different halves is the gradient of the whole batch."""
    model, prior, state = state_of("mlp", density)
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 6, generator=generator), torch.tensor([0, 2])
    forward = NoisyForward.of(model, prior.mean, buffers={}, x=x)
    root = torch.randn(forward.normals(state.slabs, 2), generator=generator)
    found = []
    for order in ([0, 1], [1, 0]):
        parts = zip(root.split([10, 6]), forward.layers, strict=True)
        noise = torch.cat([reordered(p, order, state.slabs[layer.weight]) for p, layer in parts])
        state.refresh()
        bounded_cross_entropy(forward(state.slabs, x[order], noise=noise), y[order]).backward()
        found.append({name: slab.by_scale.clone() for name, slab in state.slabs.items()})
    logits, leaves = oracle(model, forward, state, x, noise=root)
    bounded_cross_entropy(logits, y).backward()
    for name, (_, log_scale) in leaves.items():
        both = (found[0][name] + found[1][name]) / 2
        by_log = both * state.slabs[name].variance
        whole = state.slabs[name].support.gather(log_scale.grad)
        assert torch.allclose(by_log, whole, atol=1e-7, rtol=1e-4)


def reordered(noise: Tensor, order: list[int], weight: Slab) -> Tensor:
    """Return the noise of a layer for two examples in another order; thin layers have columns."""
    thin = weight.support.matrix is not None
    both = noise.view(-1, 2)[:, order] if thin else noise.view(2, -1)[order]
    return both.reshape(-1)


def test_a_pool_hands_out_aligned_slices_of_its_numbers() -> None:
    pool = NoisePool.of(torch.Generator().manual_seed(1), at_once=10)
    drawn = [pool.slice(50) for _ in range(20)]
    starts = {(part.data_ptr() - pool.numbers.data_ptr()) // 4 for part in drawn}
    assert len(starts) > 15
    assert all(start % 16 == 0 and start + 50 <= len(pool.numbers) for start in starts)


@pytest.mark.parametrize("density", DENSITIES)
def test_a_pass_of_one_example_writes_nothing_but_gradients(density: float) -> None:
    model, prior, state = state_of("mlp", density)
    x, y = batch("mlp")
    forward = NoisyForward.of(model, prior.mean, buffers={}, x=x)
    pool = NoisePool.of(torch.Generator().manual_seed(4), at_once=1000)
    objective = kl_objective(n=1000, constant=8.0)
    before = state.mean.clone(), state.log_scale.clone()
    gradients(state, forward, (x[:1], y[:1]), objective, pool)
    assert torch.equal(state.mean, before[0])
    assert torch.equal(state.log_scale, before[1])
    # Powers of two: an exponent below 8 in size is rounded by at most 2^-22, so they by 1.7e-7.
    assert torch.allclose(state.variance, (2 * before[1]).exp(), rtol=5e-7, atol=0)
