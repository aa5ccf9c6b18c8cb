"""Training inside a mask: repeatable, faithful to the mask, and the steps that it says it takes."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pacbayes.data import Examples
from pacbayes.data.items import item_hashes
from pacbayes.errors import UsageError
from pacbayes.pruning import State, TrainPlan, train
from pacbayes.pruning.prune import prune_to
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, digest
from tests.networks import build
from tests.pruning.problems import digits, halves, network, train_plan

OPTIMIZERS = ["sgd", "adam", "sam"]


def half_mask(model: nn.Module) -> Mask:
    weights = State.of(model).weights
    sizes = {name: tensor.abs().double() for name, tensor in weights.items()}
    return prune_to(Mask.full(weights), sizes, density=0.5)


def trained(plan: TrainPlan, *, seed: int = 1, mask: Mask | None = None, **steps: Any) -> State:
    model = network()
    mask = mask or Mask.full(State.of(model).weights)
    return train(
        model,
        State.of(model),
        mask,
        digits().train,
        halves().prior,
        plan=plan,
        seeds=Seeds(seed),
        **steps,
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_same_seed_gives_the_same_bits(optimizer: str) -> None:
    plan = train_plan(optimizer=optimizer, lr=0.01)
    first = digest(trained(plan).weights)
    torch.rand(7)  # whatever the global state is
    assert digest(trained(plan).weights) == first
    assert digest(trained(plan, seed=2).weights) != first


def test_the_global_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    trained(train_plan())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_removed_weights_stay_zero_and_kept_ones_learn(optimizer: str, decay: float) -> None:
    model = network()
    mask = half_mask(model)
    plan = train_plan(optimizer=optimizer, weight_decay=decay, lr=0.01)
    state = trained(plan, mask=mask)
    start = mask.apply(State.of(model).weights)
    for name, kept in mask.items():
        assert not bool(state.weights[name][~kept].any())
        assert bool((state.weights[name] != start[name])[kept].any())


def test_removed_weights_have_no_influence() -> None:
    """A network without the removed weights from the start learns the same, bit for bit."""
    model = network()
    mask = half_mask(model)
    reference = trained(train_plan(optimizer="sam"), mask=mask)
    start = State.of(model)
    changed = {
        name: torch.where(mask.of(name, tensor), tensor, torch.full_like(tensor, 9.0))
        for name, tensor in start.weights.items()
    }
    other = train(
        model,
        State(weights=changed, buffers=start.buffers),
        mask,
        digits().train,
        halves().prior,
        plan=train_plan(optimizer="sam"),
        seeds=Seeds(1),
    )
    assert digest(other.weights) == digest(reference.weights)


def test_examples_outside_the_part_have_no_influence() -> None:
    data, part, model = digits().train, halves().prior, network()
    inputs = data.inputs.clone()
    inputs[torch.from_numpy(part.complement().indices.copy())] = 100.0
    spoiled = Examples(inputs=inputs, labels=data.labels, items=data.items)
    mask = Mask.full(State.of(model).weights)
    found = train(model, State.of(model), mask, spoiled, part, plan=train_plan(), seeds=Seeds(1))
    assert digest(found.weights) == digest(trained(train_plan()).weights)


def test_the_first_steps_of_a_training_are_a_training() -> None:
    """Stopping early and training on without momentum is the same as training through."""
    plan = train_plan(momentum=0.0)
    whole = trained(plan)
    early = trained(plan, last=7)
    model = network()
    late = train(
        model,
        early,
        Mask.full(early.weights),
        digits().train,
        halves().prior,
        plan=plan,
        seeds=Seeds(1),
        first=7,
    )
    assert digest(late.weights) == digest(whole.weights)
    assert digest(early.weights) != digest(whole.weights)


def test_no_steps_change_nothing_but_the_mask() -> None:
    model = network()
    mask = half_mask(model)
    state = trained(train_plan(epochs=0), mask=mask)
    assert digest(state.weights) == digest(mask.apply(State.of(model).weights))


@pytest.mark.parametrize(("first", "last"), [(-1, 2), (3, 2), (0, 10**6)])
def test_steps_outside_the_plan_are_refused(first: int, last: int) -> None:
    with pytest.raises(UsageError, match="outside"):
        trained(train_plan(), first=first, last=last)


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": -1},
        {"batch_size": 0},
        {"optimizer": "lbfgs"},
        {"momentum": 1.0},
        {"weight_decay": -1.0},
        {"rho": 0.0},
        {"lr": -1.0},
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        train_plan(**changes)


# --- SAM, one step against a slow oracle


def one_batch(model: nn.Module, shape: tuple[int, ...]) -> Examples:
    generator = torch.Generator().manual_seed(4)
    inputs = torch.randn(12, *shape, generator=generator)
    labels = torch.arange(12) % 3
    return Examples(inputs=inputs, labels=labels, items=item_hashes(inputs.numpy(), labels.numpy()))


def test_a_step_of_sam_goes_down_from_the_worst_point_inside_the_mask() -> None:
    """Against autograd on a copy of the network, step by step: w - lr g(w + rho g / |g|)."""
    model = build(lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)))
    examples, mask = one_batch(model, (6,)), half_mask(model)
    start = {name: tensor.double() for name, tensor in mask.apply(State.of(model).weights).items()}
    oracle = build(lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))).double()

    def gradient(at: dict[str, Tensor]) -> dict[str, Tensor]:
        oracle.load_state_dict(at)
        oracle.zero_grad()
        F.cross_entropy(oracle(examples.inputs.double()), examples.labels).backward()
        slopes = {
            name: p.grad.clone() for name, p in oracle.named_parameters() if p.grad is not None
        }
        return {name: slope * mask.of(name, slope) for name, slope in slopes.items()}

    rho, rate = 0.5, 0.1
    slope = gradient(start)
    norm = torch.sqrt(sum((g.square().sum() for g in slope.values()), torch.zeros(())))
    there = gradient({name: start[name] + rho * g / norm for name, g in slope.items()})
    plan = TrainPlan(
        epochs=1, lr=rate, schedule="constant", optimizer="sam", rho=rho, batch_size=12, momentum=0
    )
    part = IndexSet.all(12)
    found = train(model, State.of(model), mask, examples, part, plan=plan, seeds=Seeds(1))
    for name, tensor in found.weights.items():
        # One step in float32 of values below 1: rounding below 1e-6.
        torch.testing.assert_close(
            tensor.double(), start[name] - rate * there[name], rtol=0, atol=1e-6
        )


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))


def test_sam_moves_running_statistics_once_per_step() -> None:
    """With a learning rate of nearly zero, SAM leaves the statistics that SGD leaves."""
    model = build(normed)
    examples = one_batch(model, (6,))
    states = [
        train(
            model,
            State.of(model),
            Mask.full(State.of(model).weights),
            examples,
            IndexSet.all(12),
            plan=train_plan(optimizer=optimizer, lr=1e-30, batch_size=6, rho=1.0),
            seeds=Seeds(1),
        )
        for optimizer in ("sgd", "sam")
    ]
    assert digest(states[0].buffers) == digest(states[1].buffers)
    assert int(states[1].buffers["1.num_batches_tracked"]) == 4


def test_running_statistics_are_returned_and_the_model_keeps_its_own() -> None:
    model = build(normed)
    before = digest(State.of(model).buffers)
    state = train(
        model,
        State.of(model),
        Mask.full(State.of(model).weights),
        one_batch(model, (6,)),
        IndexSet.all(12),
        plan=train_plan(batch_size=6),
        seeds=Seeds(1),
    )
    assert set(state.buffers) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    assert digest(State.of(model).buffers) == before != digest(state.buffers)
    assert not model.training


def test_training_learns() -> None:
    data, part = digits().train, halves().prior
    model = network()
    state = trained(train_plan(epochs=10))
    rows = torch.from_numpy(part.indices.copy())
    with torch.no_grad():
        logits = torch.func.functional_call(model, state.weights, (data.inputs[rows],))
    assert float((logits.argmax(1) != data.labels[rows]).float().mean()) < 0.05
