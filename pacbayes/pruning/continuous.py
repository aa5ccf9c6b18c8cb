"""Continuous sparsification: soft masks that harden while the weights train."""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.data import Examples
from pacbayes.pruning.batches import Batches
from pacbayes.pruning.prune import Scope, prune_to
from pacbayes.pruning.train import State, TrainPlan, optimizer_for
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Annealing:
    """How soft masks harden.

    Attributes:
        sharpness: of the sigmoid at the end; it rises geometrically from 1.
        gate_lr: learning rate of Adam for the gates' parameters.
        damping: weight of the squared distance, which keeps the price from overshooting.
        price_lr: how fast the price of a gate follows the density's distance from its target.
    """

    sharpness: float = 200.0
    gate_lr: float = 0.05
    damping: float = 10.0
    price_lr: float = 0.05


def continuous(
    model: nn.Module,
    init: State,
    full: Mask,
    examples: Examples,
    part: IndexSet,
    *,
    density: float,
    plan: TrainPlan,
    seeds: Seeds,
    scope: Scope = "global",
    protected: tuple[str, ...] = (),
    annealing: Annealing | None = None,
) -> Mask:
    """Return the mask of continuous sparsification (Savarese, Silva and Maire 2020).

    Weights are multiplied by ``sigmoid(b s)`` while b rises geometrically, and both learn from the
    cross-entropy plus a price on the mean gate. In the paper the price is a constant and the
    density whatever comes of it; here the price rises where the mean gate is above the target and
    falls where it is below, so that methods can be compared at equal density. At the end the
    entries with the largest s are kept, as many as the density asks for.

    Args:
        model: the network; it is copied and not modified.
        init: weights and buffers to start from.
        full: names the prunable tensors.
        examples: all training examples.
        part: indices of the examples to train on.
        density: fraction of the unprotected entries to keep.
        plan: epochs, rates and optimiser of the weights.
        seeds: order of the batches.
        scope: ``global`` has one price for all tensors, ``tensor`` one for each.
        protected: names of tensors that are kept whole.
        annealing: how the gates harden.
    """
    gates = learn_gates(
        model,
        init,
        [name for name in full if name not in protected],
        examples,
        Batches(part=part, size=plan.batch_size, epochs=plan.epochs, seeds=seeds),
        density=density,
        plan=plan,
        scope=scope,
        annealing=annealing or Annealing(),
    )
    scores = {name: torch.zeros(full[name].shape) for name in full} | gates
    return prune_to(full, scores, density=density, scope=scope, protected=protected)


def learn_gates(
    model: nn.Module,
    init: State,
    names: list[str],
    examples: Examples,
    batches: Batches,
    *,
    density: float,
    plan: TrainPlan,
    scope: Scope,
    annealing: Annealing,
) -> dict[str, Tensor]:
    """Return the gates' parameters s after training; a gate is open where s is positive.

    Args:
        model: the network; it is copied and not modified.
        init: weights and buffers to start from.
        names: parameters that have gates.
        examples: all training examples.
        batches: which of them, when.
        density: target of the mean gate.
        plan: rates and optimiser of the weights.
        scope: ``global`` has one price for all tensors, ``tensor`` one for each.
        annealing: how the gates harden.
    """
    network = copy.deepcopy(model).train()
    weights = {name: t.detach().clone().requires_grad_() for name, t in init.weights.items()}
    buffers = {name: tensor.detach().clone() for name, tensor in init.buffers.items()}
    gates = {name: torch.zeros_like(weights[name]).requires_grad_() for name in names}
    if not gates:
        return {}
    optimizer = optimizer_for(list(weights.values()), plan)
    gate_optimizer = torch.optim.Adam(list(gates.values()), lr=annealing.gate_lr)
    prices = torch.zeros(1 if scope == "global" else len(names))
    with torch.random.fork_rng(devices=[]):
        for step, rows in batches.between(0, batches.steps):
            rate = plan.rates.at(step, steps=batches.steps, per_epoch=batches.per_epoch)
            optimizer.param_groups[0]["lr"] = rate
            sharpness = annealing.sharpness ** (step / max(1, batches.steps - 1))
            soft = {name: torch.sigmoid(sharpness * gate) for name, gate in gates.items()}
            inside = {**weights, **{name: weights[name] * gate for name, gate in soft.items()}}
            logits = functional_call(network, {**inside, **buffers}, (examples.inputs[rows],))
            excess = _densities(soft, scope) - density
            loss = (
                F.cross_entropy(logits, examples.labels[rows])
                + (prices * excess + annealing.damping / 2 * excess.square()).sum()
            )
            optimizer.zero_grad()
            gate_optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            gate_optimizer.step()
            prices = prices + annealing.price_lr * excess.detach()
    return {name: gate.detach() for name, gate in gates.items()}


def _densities(soft: dict[str, Tensor], scope: Scope) -> Tensor:
    """Return the mean gate of all tensors together, or of each."""
    if scope == "tensor":
        return torch.stack([gate.mean() for gate in soft.values()])
    total = sum(gate.numel() for gate in soft.values())
    return torch.stack([gate.sum() for gate in soft.values()]).sum().reshape(1) / max(1, total)
