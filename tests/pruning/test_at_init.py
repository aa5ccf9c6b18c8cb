"""Masks before training against closed forms and finite differences."""

from typing import Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pacbayes.data import Examples
from pacbayes.data.items import item_hashes
from pacbayes.pruning import State
from pacbayes.pruning.at_init import ROUNDS, synflow
from pacbayes.pruning.prune import prune_to
from pacbayes.pruning.saliency import TEMPERATURE, saliency
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask
from tests.networks import build, convnet
from tests.pruning.problems import network


def linear() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5, bias=False), nn.Linear(5, 3, bias=False))


def flow_by_hand(first: Tensor, second: Tensor) -> dict[str, Tensor]:
    """Sum over paths through each weight, for two linear layers of magnitudes and ones in."""
    a, b = first.double().abs(), second.double().abs()
    return {
        "0.weight": a * b.sum(dim=0)[:, None],
        "1.weight": b * a.sum(dim=1)[None, :],
    }


def test_synaptic_flow_is_a_sum_over_paths() -> None:
    """Every round's mask against one from the closed form, to the end."""
    model = build(linear)
    state = State.of(model)
    mask = expected = Mask.full(state.weights)
    density = 0.3
    for turn in range(1, ROUNDS + 1):
        inside = expected.apply(state.weights)
        scores = flow_by_hand(inside["0.weight"], inside["1.weight"])
        expected = prune_to(expected, scores, density=density ** (turn / ROUNDS))
    assert synflow(model, state, mask, in_shape=(4,), density=density) == expected


def test_synaptic_flow_sums_to_the_same_in_every_layer() -> None:
    """Conservation: without biases each layer's flow is the network's output."""
    state = State.of(build(linear))
    flow = flow_by_hand(state.weights["0.weight"], state.weights["1.weight"])
    totals = [float(score.sum()) for score in flow.values()]
    assert totals[0] == pytest.approx(totals[1], rel=1e-12)


@pytest.mark.parametrize("density", [0.5, 0.1, 0.02])
def test_synflow_avoids_collapse(density: float) -> None:
    """Down to 30 weights of 1480 every layer keeps some, where magnitudes at init may not."""
    model = network()
    state = State.of(model)
    mask = synflow(model, state, Mask.full(state.weights), in_shape=(1, 8, 8), density=density)
    assert mask.kept == round(density * mask.prunable)
    assert all(bool(tensor.any()) for tensor in mask.values())


def test_synflow_takes_convolutions_and_protected_tensors() -> None:
    model = build(convnet)
    state = State.of(model)
    full = Mask.full(state.weights)
    mask = synflow(model, state, full, in_shape=(2, 6, 6), density=0.4, protected=("4.weight",))
    assert bool(mask["4.weight"].all())
    free = [name for name in mask if name != "4.weight"]
    entries = sum(mask[name].numel() for name in free)
    assert sum(int(mask[name].sum()) for name in free) == round(0.4 * entries)


def test_synflow_leaves_the_network_alone() -> None:
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = State.of(model)
    synflow(model, state, Mask.full(state.weights), in_shape=(1, 8, 8), density=0.5)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


# --- SNIP and GraSP against finite differences in float64


def smooth() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def sample() -> Examples:
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(20, 3, generator=generator)
    labels = (inputs[:, 0] > 0).long()
    return Examples(inputs=inputs, labels=labels, items=item_hashes(inputs.numpy(), labels.numpy()))


class Loss:
    """Mean cross-entropy of the network in float64 as a function of all its parameters."""

    def __init__(self, temperature: float) -> None:
        self.model = build(smooth).double()
        self.temperature = temperature

    def at(self, weights: dict[str, Tensor]) -> float:
        examples = sample()
        with torch.no_grad():
            logits = torch.func.functional_call(self.model, weights, (examples.inputs.double(),))
            return float(F.cross_entropy(logits / self.temperature, examples.labels))

    def slope(self, weights: dict[str, Tensor], name: str, place: int, step: float = 1e-4) -> float:
        """Central difference; its error is of order step squared, 1e-8."""
        values = []
        for sign in (1, -1):
            moved = {key: tensor.clone() for key, tensor in weights.items()}
            moved[name].view(-1)[place] += sign * step
            values.append(self.at(moved))
        return (values[0] - values[1]) / (2 * step)

    def gradient(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: torch.tensor(
                [self.slope(weights, name, i) for i in range(tensor.numel())], dtype=torch.float64
            ).reshape(tensor.shape)
            for name, tensor in weights.items()
        }


def found(kind: Literal["snip", "grasp"]) -> dict[str, Tensor]:
    model = build(smooth)
    return saliency(kind, model, State.of(model), sample(), IndexSet.all(20), seeds=Seeds(1))


def test_snip_is_the_magnitude_of_weight_times_slope() -> None:
    loss = Loss(temperature=1.0)
    weights = {name: tensor.double() for name, tensor in State.of(build(smooth)).weights.items()}
    slopes = loss.gradient(weights)
    for name, score in found("snip").items():
        # float32 gradients of order 0.1 against differences good to 1e-8
        torch.testing.assert_close(score, (weights[name] * slopes[name]).abs(), rtol=0, atol=1e-6)


def test_grasp_is_the_change_of_the_squared_gradient_as_the_weight_shrinks() -> None:
    """w (H g) is half of w times the slope of |g|^2: large where removal lowers the gradient."""
    loss = Loss(temperature=TEMPERATURE)
    weights = {name: tensor.double() for name, tensor in State.of(build(smooth)).weights.items()}
    slopes = loss.gradient(weights)
    length = np.sqrt(sum(float(slope.square().sum()) for slope in slopes.values()))
    step = 1e-2

    def along(sign: int) -> dict[str, Tensor]:
        moved = {n: tensor + sign * step * slopes[n] / length for n, tensor in weights.items()}
        return loss.gradient(moved)

    ahead, behind = along(1), along(-1)
    for name, score in found("grasp").items():
        product = (ahead[name] - behind[name]) / (2 * step) * length
        expected = weights[name] * product
        scale = float(expected.abs().max())
        # Differences of differences: the step's square, 1e-4 of the scale, is what is left.
        torch.testing.assert_close(score, expected, rtol=0, atol=1e-3 * scale)


def test_saliency_looks_at_the_part_alone() -> None:
    model, examples = build(smooth), sample()
    part = IndexSet.of(range(10), total=20)
    labels = examples.labels.clone()
    labels[10:] = 1 - labels[10:]
    other = Examples(inputs=examples.inputs, labels=labels, items=examples.items)
    for kind in ("snip", "grasp"):
        first = saliency(kind, model, State.of(model), examples, part, seeds=Seeds(1))
        second = saliency(kind, model, State.of(model), other, part, seeds=Seeds(1))
        assert all(torch.equal(first[name], second[name]) for name in first)
        whole = saliency(kind, model, State.of(model), other, IndexSet.all(20), seeds=Seeds(1))
        assert any(not torch.equal(first[name], whole[name]) for name in first)
