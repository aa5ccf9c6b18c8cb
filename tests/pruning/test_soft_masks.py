"""Supermasks and continuous sparsification."""

import torch

from pacbayes.pruning import FindPlan, State
from pacbayes.pruning.batches import Batches
from pacbayes.pruning.continuous import Annealing, learn_gates
from pacbayes.pruning.prune import Scope
from pacbayes.pruning.supermask import supermask
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Mask
from tests.pruning.problems import (
    chain,
    digits,
    error,
    find_plan,
    halves,
    network,
    train_plan,
)

LONGER = train_plan(epochs=20)


def plan(method: str, **changes: object) -> FindPlan:
    return find_plan(method=method, levels=1, **{"densities": (0.3,), "train": LONGER, **changes})


def test_a_supermask_finds_a_good_network_among_weights_that_never_move() -> None:
    """Chance is 0.9, a random mask of untrained weights as well."""
    model = network()
    _, ticket = chain(plan("supermask"))
    kept = ticket.mask.apply(State.of(model).weights)
    assert all(torch.equal(ticket.trained[name], tensor) for name, tensor in kept.items())
    assert error(model, ticket) < 0.45
    _, blind = chain(plan("random", train=train_plan(epochs=0)))
    assert error(model, blind) > 0.7


def test_a_supermask_keeps_the_same_share_of_every_tensor() -> None:
    _, ticket = chain(plan("supermask"))
    for tensor in ticket.mask.values():
        assert int(tensor.sum()) == round(0.3 * tensor.numel())
    _, pooled = chain(plan("supermask", scope="global"))
    shares = [float(tensor.float().mean()) for tensor in pooled.mask.values()]
    assert shares[0] != shares[1]


def test_a_supermask_of_full_density_is_the_untrained_network() -> None:
    model = network()
    state = State.of(model)
    mask, found = supermask(
        model,
        state,
        Mask.full(state.weights),
        digits().train,
        halves().prior,
        density=1.0,
        plan=train_plan(epochs=1),
        seeds=Seeds(1),
    )
    assert mask == Mask.full(state.weights)
    assert all(torch.equal(found.weights[n], tensor) for n, tensor in state.weights.items())


def test_continuous_sparsification_finds_better_masks_than_chance() -> None:
    model = network()
    _, soft = chain(plan("continuous", densities=(0.1,)))
    _, blind = chain(plan("random", densities=(0.1,)))
    assert error(model, soft) < 0.15 < error(model, blind)


def open_shares(scope: Scope, density: float) -> list[float]:
    """Share of open gates in each tensor, last of all tensors together."""
    model = network()
    state = State.of(model)
    names = [name for name, tensor in state.weights.items() if tensor.ndim == 2]
    training = train_plan(epochs=20)
    gates = learn_gates(
        model,
        state,
        names,
        digits().train,
        Batches(part=halves().prior, size=50, epochs=20, seeds=Seeds(1)),
        density=density,
        plan=training,
        scope=scope,
        annealing=Annealing(),
    )
    flat = [gates[name].reshape(-1) for name in names]
    return [float((gate > 0).float().mean()) for gate in (*flat, torch.cat(flat))]


def test_the_price_leads_the_gates_to_the_density() -> None:
    """Gates start half open; the price alone decides how many end so, within a factor of two."""
    for density in (0.1, 0.3):
        *_, whole = open_shares("global", density)
        *each, _ = open_shares("tensor", density)
        assert all(density / 2 < share < 2 * density for share in (whole, *each))


def test_protected_tensors_stay_whole() -> None:
    for method in ("supermask", "continuous"):
        few = plan(method, protected=("fc2.weight",), train=train_plan(epochs=1))
        _, ticket = chain(few)
        assert bool(ticket.mask["fc2.weight"].all())
        assert int(ticket.mask["fc1.weight"].sum()) == round(0.3 * 1280)
