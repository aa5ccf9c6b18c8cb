"""Masks found before training without any data: random, by initial magnitude, SynFlow."""

import copy

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pacbayes.errors import UsageError
from pacbayes.pruning.prune import Scope, prune_to
from pacbayes.pruning.train import State
from pacbayes.tickets import Mask

ROUNDS = 100


def synflow(
    model: nn.Module,
    init: State,
    mask: Mask,
    *,
    in_shape: tuple[int, ...],
    density: float,
    scope: Scope = "global",
    protected: tuple[str, ...] = (),
) -> Mask:
    """Return the mask of iterative synaptic flow pruning (Tanaka et al. 2020).

    In ``ROUNDS`` rounds the density falls geometrically from that of the mask to the asked one;
    each round prunes by ``|w| * d(sum of outputs)/d|w|`` of the network with the magnitudes of its
    parameters and an input of ones. No example is looked at.

    Args:
        model: the network; it is copied and not modified.
        init: initial weights and buffers.
        mask: where to start from.
        in_shape: shape of one input.
        density: fraction of the unprotected entries to keep.
        scope: see :func:`prune`.
        protected: names of tensors that stay as they are.
    """
    free = [name for name in mask if name not in protected]
    entries = sum(mask[name].numel() for name in free)
    now = sum(int(mask[name].sum()) for name in free) / entries if entries else 0.0
    if not 0 < density < now:
        return mask
    network = copy.deepcopy(model).eval().double()
    for turn in range(1, ROUNDS + 1):
        scores = _flow(network, init, mask, in_shape)
        target = density if turn == ROUNDS else now * (density / now) ** (turn / ROUNDS)
        mask = prune_to(mask, scores, density=target, scope=scope, protected=protected)
    return mask


def _flow(
    network: nn.Module, init: State, mask: Mask, in_shape: tuple[int, ...]
) -> dict[str, Tensor]:
    # Products of many magnitudes leave the range of float32 in deep networks.
    sizes = {
        name: tensor.double().abs().requires_grad_()
        for name, tensor in mask.apply(init.weights).items()
    }
    buffers = {k: t.double() if t.is_floating_point() else t for k, t in init.buffers.items()}
    ones = torch.ones(1, *in_shape, dtype=torch.float64)
    total = functional_call(network, {**sizes, **buffers}, (ones,)).sum()
    names = list(mask)
    found: tuple[Tensor | None, ...] = torch.autograd.grad(
        total, [sizes[name] for name in names], allow_unused=True
    )
    scores = {
        name: torch.zeros_like(sizes[name]) if slope is None else (sizes[name] * slope).detach()
        for name, slope in zip(names, found, strict=True)
    }
    if not all(bool(torch.isfinite(score).all()) for score in scores.values()):
        raise UsageError("the synaptic flow of this network is not finite; take another method")
    return scores
