"""The volume of the region around a ticket where the loss stays low.

Volumes of tickets of different densities live in different dimensions; compare the value per
dimension, and read the rest beside it.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import nn

from pacbayes.data import Examples
from pacbayes.errors import UsageError
from pacbayes.landscape.curvature import Hessian, spectrum_of
from pacbayes.landscape.sampled import Sampled
from pacbayes.landscape.subspace import Array, Subspace
from pacbayes.landscape.surface import LossName, Point, Surface, mask_of, state_of
from pacbayes.posterior import SpikeAndSlab
from pacbayes.pruning import State
from pacbayes.runtime.seeds import Seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """The logarithm of a volume, and the same per dimension. An estimate.

    Attributes:
        method: ``rays``, ``quadratic`` or ``posterior``.
        log_volume: natural logarithm, with the interval of the draws.
        dimension: coordinates of the subspace.
        rise: how far the loss may rise above the ticket's; ``None`` for a posterior.
        log_mean: for rays, the logarithm of the mean of ``r^d``: unbiased before the logarithm,
            but carried by the longest ray, so it errs downwards in many dimensions.
        unbounded: rays that stayed below the threshold as far as they were followed, or
            directions flatter than the floor; they make the value a lower one.
    """

    method: Literal["rays", "quadratic", "posterior"]
    log_volume: Sampled
    dimension: int
    rise: float | None
    log_mean: float | None = None
    unbounded: int = 0

    @property
    def per_dimension(self) -> Sampled:
        """The logarithm over the dimension: the mean log width of the region."""
        return self.log_volume.times(1 / self.dimension)


def log_ball(dimension: int) -> float:
    """Return the logarithm of the volume of the unit ball.

    Example:
        >>> round(math.exp(log_ball(3)), 6)  # 4/3 pi
        4.18879
    """
    return 0.5 * dimension * math.log(math.pi) - math.lgamma(0.5 * dimension + 1)


def ray_volume(
    model: nn.Module,
    ticket: Point,
    sample: Examples,
    *,
    rise: float = 0.1,
    rays: int = 30,
    seed: int = 1,
    loss: LossName = "cross-entropy",
    relative: bool = False,
    reach: float = 1e3,
) -> Volume:
    """Return the volume from random rays: how far each goes before the loss has risen too much.

    With r(u) the distance at which the loss first exceeds the ticket's by ``rise`` in direction u,
    the volume is that of the unit ball times the mean of r^d over directions. ``log_volume`` takes
    the mean of ``d ln r`` instead, which errs downwards (Jensen) but can be estimated.

    Along each ray the distance is doubled until the loss is too high, then bisected; a narrow
    ridge that is jumped over makes the ray too long.

    Args:
        model: the network.
        ticket: the centre; its mask gives the subspace.
        sample: examples that the loss is averaged over.
        rise: how far the loss may rise, positive.
        rays: at least 2.
        seed: of the directions.
        loss: ``error``, ``cross-entropy`` or ``squared``.
        relative: measure each tensor in units of the root mean square of its kept weights, so that
            rescaling a tensor does not change the volume.
        reach: rays are followed up to this distance.

    Raises:
        UsageError: an argument is outside its range.

    References:
        Huang et al. (2019), "Understanding generalization through visualizations".
    """
    if not (rise > 0 and reach > 0) or rays < 2:
        raise UsageError("rise and reach must be positive, rays at least 2")
    state = state_of(ticket, model)
    space = Subspace.of(mask_of(ticket, model), state.weights)
    surface, seeds = Surface.of(model, sample, loss), Seeds(seed)
    level = surface.value(state) + rise
    units = space.sizes(state.weights) if relative else np.ones(space.dimension)
    logs, unbounded = [], 0
    for ray in range(rays):
        direction = units * space.direction(seeds.numpy("ray", ray))
        length = _ray_length(surface, state, space, direction, level=level, reach=reach)
        unbounded += length >= reach
        logs.append(math.log(length))
    size = space.dimension
    shell = np.asarray(logs) * size
    return Volume(
        method="rays",
        log_volume=Sampled.of(logs).times(size, log_ball(size)),
        dimension=size,
        rise=rise,
        log_mean=float(np.logaddexp.reduce(shell)) - math.log(rays) + log_ball(size),
        unbounded=unbounded,
    )


def quadratic_volume(
    model: nn.Module,
    ticket: Point,
    sample: Examples,
    *,
    rise: float = 0.1,
    floor: float = 1e-3,
    steps: int = 50,
    probes: int = 5,
    seed: int = 1,
    loss: LossName = "cross-entropy",
) -> Volume:
    """Return the volume of the ellipsoid ``1/2 e^T H e <= rise`` on the kept entries.

    ``ln V = ln ball(d) + d/2 ln(2 rise) - 1/2 sum_i ln lambda_i``. Eigenvalues below the floor,
    negative ones included, count as the floor, which makes the value a lower one; with a floor f a
    direction counts as at most ``sqrt(2 rise / f)`` wide to each side.

    Args:
        model: the network.
        ticket: where the Hessian is taken; its mask gives the subspace.
        sample: examples that the loss is averaged over.
        rise: how far the loss may rise, positive.
        floor: smallest curvature that counts, positive; the same for tickets to be compared.
        steps: of Lanczos, see :func:`~pacbayes.landscape.curvature.spectral_density`.
        probes: see there.
        seed: see there.
        loss: ``cross-entropy`` or ``squared``.

    Raises:
        UsageError: an argument is outside its range.
    """
    if not (rise > 0 and floor > 0) or steps < 2 or probes < 2:
        raise UsageError("rise and floor must be positive, steps and probes at least 2")
    hessian = Hessian.of(model, ticket, sample, loss=loss)
    spectrum = spectrum_of(hessian, steps=steps, probes=probes, seed=seed)
    size = hessian.dimension
    flatness = spectrum.mean(lambda values: -np.log(np.maximum(values, floor)))
    flat = spectrum.mean(lambda values: np.where(values < floor, 1.0, 0.0))
    return Volume(
        method="quadratic",
        log_volume=flatness.times(0.5 * size, log_ball(size) + 0.5 * size * math.log(2 * rise)),
        dimension=size,
        rise=rise,
        unbounded=round(size * flat.value),
    )


def posterior_volume(posterior: SpikeAndSlab) -> Volume:
    """Return the volume of a posterior's box of scales: the sum of ln scale over kept entries.

    This is the volume that the divergence of a bound sees. Nothing is sampled.

    Args:
        posterior: with positive scales wherever the inclusion is.

    Raises:
        UsageError: the posterior keeps nothing.
    """
    total, size = 0.0, 0
    for name, scale in posterior.scale.items():
        kept = scale[posterior.kept(name)].double()
        total, size = total + float(kept.log().sum()), size + len(kept)
    if not size:
        raise UsageError("the posterior keeps nothing, so it has no volume")
    return Volume(method="posterior", log_volume=Sampled.exactly(total), dimension=size, rise=None)


def _ray_length(
    surface: Surface,
    state: State,
    space: Subspace,
    direction: Array,
    *,
    level: float,
    reach: float,
) -> float:
    """Return where the loss along a direction first exceeds the level, to 0.01 %; at most reach."""

    def too_high(length: float) -> bool:
        weights = space.moved(state.weights, length * direction)
        return surface.value(State(weights=weights, buffers=state.buffers)) > level

    inside, outside = 0.0, min(reach, 1e-3)
    while not too_high(outside):
        if outside >= reach:
            return reach
        inside, outside = outside, min(reach, 2 * outside)
    while outside - inside > 1e-4 * outside:
        middle = 0.5 * (inside + outside)
        inside, outside = (inside, middle) if too_high(middle) else (middle, outside)
        if outside < 1e-12:
            break
    return outside
