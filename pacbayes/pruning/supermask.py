"""Edge-popup: a good mask for weights that never move."""

import copy
import math

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


def supermask(
    model: nn.Module,
    init: State,
    full: Mask,
    examples: Examples,
    part: IndexSet,
    *,
    density: float,
    plan: TrainPlan,
    seeds: Seeds,
    scope: Scope = "tensor",
    protected: tuple[str, ...] = (),
) -> tuple[Mask, State]:
    """Return the mask found by edge-popup, and the untrained network inside it.

    Every weight has a score; the weights with the largest magnitudes of score are kept, at every
    step anew, and gradients pass straight through that choice (Ramanujan et al. 2020). All that
    the network learns is in the mask: weights and biases stay at their initial values.

    Initial weights give small logits that no mask makes large, and a flat loss; so the loss sees
    logits times the constant that gives those of the first batch unit spread. Errors don't change.

    Args:
        model: the network; it is copied and not modified.
        init: initial weights and buffers.
        full: names the prunable tensors.
        examples: all training examples.
        part: indices of the examples to train on.
        density: fraction of the unprotected entries to keep.
        plan: epochs, rates and optimiser for the scores.
        seeds: first scores, order of the batches.
        scope: ``tensor`` keeps the fraction in every tensor, as in the paper.
        protected: names of tensors that are kept whole.
    """
    network = copy.deepcopy(model).train()
    buffers = {name: tensor.detach().clone() for name, tensor in init.buffers.items()}
    scores = _first_scores(init, [name for name in full if name not in protected], seeds)
    optimizer = optimizer_for(list(scores.values()), plan)
    batches = Batches(part=part, size=plan.batch_size, epochs=plan.epochs, seeds=seeds)
    sharpness: float | None = None
    with torch.random.fork_rng(devices=[]):
        for step, rows in batches.between(0, batches.steps):
            rate = plan.rates.at(step, steps=batches.steps, per_epoch=batches.per_epoch)
            optimizer.param_groups[0]["lr"] = rate
            gates = _gates(scores, density, scope)
            inside = {name: init.weights[name] * gate for name, gate in gates.items()}
            state = {**init.weights, **inside, **buffers}
            logits = functional_call(network, state, (examples.inputs[rows],))
            if sharpness is None:
                sharpness = _unit_scale(logits)
            optimizer.zero_grad()
            F.cross_entropy(sharpness * logits, examples.labels[rows]).backward()
            optimizer.step()
    sizes = {name: score.detach().abs() for name, score in scores.items()}
    sizes |= {name: torch.zeros(full[name].shape) for name in full if name not in sizes}
    mask = prune_to(full, sizes, density=density, scope=scope, protected=protected)
    return mask, State(weights=mask.apply(init.weights), buffers=buffers)


def _unit_scale(logits: Tensor) -> float:
    spread = float(logits.detach().std()) if logits.numel() > 1 else 0.0
    return 1 / spread if spread > 0 and math.isfinite(spread) else 1.0


def _first_scores(init: State, names: list[str], seeds: Seeds) -> dict[str, Tensor]:
    scores = {}
    for place, name in enumerate(names):
        shape = init.weights[name].shape
        limit = 1 / math.sqrt(max(1, math.prod(shape[1:])))
        uniform = torch.rand(shape, generator=seeds.torch("scores", place))
        scores[name] = (limit * (2 * uniform - 1)).requires_grad_()
    return scores


def _gates(scores: dict[str, Tensor], density: float, scope: Scope) -> dict[str, Tensor]:
    """Return gates of 0 and 1 whose gradient with respect to the scores' magnitudes is one."""
    sizes = {name: score.abs() for name, score in scores.items()}
    groups = [list(sizes)] if scope == "global" else [[name] for name in sizes]
    gates = {}
    for names in groups:
        flat = torch.cat([sizes[name].detach().reshape(-1) for name in names])
        removed = flat.numel() - round(density * flat.numel())
        floor = flat.kthvalue(removed).values if removed else flat.new_tensor(-1.0)
        for name in names:
            hard = (sizes[name].detach() > floor).to(sizes[name].dtype)
            gates[name] = hard + (sizes[name] - sizes[name].detach())
    return gates
