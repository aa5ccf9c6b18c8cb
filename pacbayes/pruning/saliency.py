"""Scores before training that look at data: SNIP and GraSP."""

import copy
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.data import Examples
from pacbayes.pruning.train import State
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet

# More examples change the scores little and cost memory; those of a smaller part are all used.
SAMPLE = 2048
TEMPERATURE = 200.0  # of GraSP's logits, as in its authors' code


def saliency(
    kind: Literal["snip", "grasp"],
    model: nn.Module,
    init: State,
    examples: Examples,
    part: IndexSet,
    *,
    seeds: Seeds,
) -> dict[str, Tensor]:
    """Return the importance of every weight at initialisation, by parameter name.

    With g the gradient of the mean cross-entropy and H its Hessian at the initial weights w,
    ``snip`` is ``|w g|`` (Lee et al. 2019) and ``grasp`` is ``w (H g)`` at temperature 200, large
    where removing the weight would lower the gradient's norm (Wang et al. 2020).

    Args:
        kind: which score.
        model: the network; it is copied, put in eval mode and not modified.
        init: initial weights and buffers.
        examples: all training examples.
        part: indices that may be looked at; at most ``SAMPLE`` random ones are.
        seeds: which ones.
    """
    order = seeds.numpy("saliency").permutation(part.indices)[:SAMPLE]
    rows = torch.from_numpy(order)
    network = copy.deepcopy(model).eval()
    weights = {k: t.detach().clone().requires_grad_() for k, t in init.weights.items()}
    values = list(weights.values())
    temperature = TEMPERATURE if kind == "grasp" else 1.0

    logits = functional_call(network, {**weights, **init.buffers}, (examples.inputs[rows],))
    loss = F.cross_entropy(logits / temperature, examples.labels[rows])
    twice = kind == "grasp"
    slopes = _filled(
        torch.autograd.grad(loss, values, create_graph=twice, allow_unused=True), values
    )
    if twice:
        flow = sum(((g.detach() * g).sum() for g in slopes), torch.zeros(()))
        slopes = _filled(torch.autograd.grad(flow, values, allow_unused=True), values)
    scores = {
        name: (tensor * slope).detach().double()
        for (name, tensor), slope in zip(weights.items(), slopes, strict=True)
    }
    return scores if twice else {name: score.abs() for name, score in scores.items()}


def _filled(slopes: tuple[Tensor | None, ...], values: list[Tensor]) -> list[Tensor]:
    return [
        torch.zeros_like(value) if slope is None else slope
        for slope, value in zip(slopes, values, strict=True)
    ]
