"""Sharpness: how much the loss rises near a ticket, on average and at worst."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from pacbayes.data import Examples
from pacbayes.errors import UsageError
from pacbayes.landscape.sampled import Sampled
from pacbayes.landscape.subspace import Array, Subspace
from pacbayes.landscape.surface import LossName, Point, Surface, mask_of, state_of
from pacbayes.pruning import State
from pacbayes.runtime.seeds import Seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversarial:
    """The largest rise of the loss that was found in a ball. An estimate, from below.

    Attributes:
        value: rise of ``loss`` at the worst point found.
        radius: of the ball.
        relative: whether the ball is measured in units of each weight's own magnitude.
        loss: what rises.
        steps: steps of ascent from each start.
        starts: how many starts.
    """

    value: float
    radius: float
    relative: bool
    loss: LossName
    steps: int
    starts: int


def expected_sharpness(
    model: nn.Module,
    ticket: Point,
    sample: Examples,
    *,
    scale: float | Mapping[str, Tensor],
    draws: int = 30,
    seed: int = 1,
    loss: LossName = "error",
    relative: bool = False,
) -> Sampled:
    """Return the mean rise of the loss under Gaussian noise on the kept entries.

    ``E loss(w + scale * g) - loss(w)`` with g standard normal on every kept entry (biases too),
    zero elsewhere. The interval is about the draws alone; the sample is taken as it is.

    Args:
        model: the network.
        ticket: a ticket; or a state or weights, all of whose entries count as kept.
        sample: examples that the loss is averaged over.
        scale: standard deviation of the noise; one number, or one tensor per weight tensor such as
            the scales of a posterior.
        draws: at least 2.
        seed: of the noise.
        loss: ``error``, ``cross-entropy`` or ``squared``.
        relative: multiply the noise of each entry by the entry's magnitude.

    Raises:
        UsageError: an argument is outside its range.

    References:
        Keskar et al. (2017); Sakamoto and Sato (2022), with the 0-1 error.
    """
    state = state_of(ticket, model)
    space = Subspace.of(mask_of(ticket, model), state.weights)
    spread = _spread(space, state, scale, relative=relative)
    surface, seeds = Surface.of(model, sample, loss), Seeds(seed)
    before = surface.value(state)
    rises = []
    for draw in range(draws):
        noise = spread * seeds.numpy("sharpness", draw).standard_normal(space.dimension)
        rises.append(surface.value(_at(space, state, noise)) - before)
    return Sampled.of(rises)


def adversarial_sharpness(
    model: nn.Module,
    ticket: Point,
    sample: Examples,
    *,
    radius: float,
    steps: int = 10,
    starts: int = 3,
    seed: int = 1,
    loss: LossName = "cross-entropy",
    relative: bool = False,
) -> Adversarial:
    """Return the largest rise of the loss found within a distance of the ticket, from below.

    The ascent repeats ``e <- radius * gradient(w + e) / |gradient(w + e)|`` on the kept entries,
    first from e = 0 (whose first step is that of sharpness-aware minimisation), then from random
    points of the sphere. Near a minimum this is the power method, and the value nears
    ``radius^2 / 2`` times the top eigenvalue of the Hessian.

    Args:
        model: the network.
        ticket: a ticket; or a state or weights, all of whose entries count as kept.
        sample: examples that the loss is averaged over.
        radius: of the ball, positive; about 0.05 for weights as they are.
        steps: of each ascent, at least 1.
        starts: ascents, at least 1.
        seed: of the random starts.
        loss: what is reported; the ascent of ``error`` follows the cross-entropy.
        relative: measure distances in units of each entry's magnitude (Kwon et al. 2021, ASAM).

    Raises:
        UsageError: an argument is outside its range.

    References:
        Foret et al. (2021), sharpness-aware minimisation; Kwon et al. (2021).
    """
    if not radius > 0 or steps < 1 or starts < 1:
        raise UsageError("radius must be positive, steps and starts at least 1")
    state = state_of(ticket, model)
    space = Subspace.of(mask_of(ticket, model), state.weights)
    unit = _spread(space, state, 1.0, relative=relative)
    ascended: LossName = "cross-entropy" if loss == "error" else loss
    surface = Surface.of(model, sample, ascended)
    reported = Surface.of(model, sample, loss)
    seeds, worst = Seeds(seed), 0.0
    before = reported.value(state)
    for start in range(starts):
        # The first start is the ticket itself, unless its gradient is zero.
        point = 0.0 * unit if start == 0 else radius * space.direction(seeds.numpy("start", start))
        for _ in range(steps):
            _, found = surface.gradient(_at(space, state, unit * point))
            gradient = unit * space.vector(found)
            length = float(np.linalg.norm(gradient))
            if not (np.isfinite(length) and length > 0):
                break
            point = radius * gradient / length
            worst = max(worst, reported.value(_at(space, state, unit * point)) - before)
    return Adversarial(
        value=worst, radius=radius, relative=relative, loss=loss, steps=steps, starts=starts
    )


def _spread(
    space: Subspace, state: State, scale: float | Mapping[str, Tensor], *, relative: bool
) -> Array:
    """Return the scale of each coordinate."""
    if isinstance(scale, Mapping):
        if set(scale) != set(state.weights):
            odd = sorted(set(scale) ^ set(state.weights))
            raise UsageError(f"scales and weights differ in their names: {odd}")
        spread = space.vector(scale)
    else:
        spread = np.full(space.dimension, float(scale))
    if not (np.isfinite(spread).all() and (spread >= 0).all()):
        raise UsageError("scales must be finite and not negative")
    return spread * np.abs(space.vector(state.weights)) if relative else spread


def _at(space: Subspace, state: State, step: Array) -> State:
    return State(weights=space.moved(state.weights, step), buffers=state.buffers)
