"""One network drawn from a posterior, and the logarithm of its density ratio."""

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import torch
from torch import Tensor

from pacbayes.errors import InputError
from pacbayes.posterior.prior import Prior
from pacbayes.posterior.spike_and_slab import SpikeAndSlab
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import steady_sum

UNIT_ROUNDOFF = 2.0**-53


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRatio:
    """Upper values of one tensor's part of ``ln dQ/dP`` at the drawn weights; they have a sign.

    Attributes:
        name: parameter name.
        entries: number of entries.
        kept: number of entries that can be non-zero.
        mean: nats for where the weights lie: ``(w - m0)^2 / (2 s0^2) - (w - m)^2 / (2 s^2)``.
        scale: nats for the scales: ``ln(s0 / s)``.
    """

    name: str
    entries: int
    kept: int
    mean: str
    scale: str


def draw_network(posterior: SpikeAndSlab, *, root: int) -> dict[str, Tensor]:
    """Return the weights of one network drawn from the posterior, float32, by parameter name.

    Each kept entry is ``mean + scale * noise`` in float64, rounded once to float32; what was
    removed is zero. The noise follows from the root and the order of names alone.

    Args:
        posterior: the law; its inclusion must be 0 or 1.
        root: the evaluation's root, derived from what is certified.

    Raises:
        InputError: the posterior has learned gates.
    """
    drawn = {}
    for place, name in enumerate(sorted(posterior.mean)):
        kept = posterior.kept(name)
        if bool((posterior.inclusion[name][kept] != 1).any()):
            raise InputError(f"one network cannot be drawn from learned gates ({name})")
        generator = Seeds(root).numpy("one network", place)
        noise = torch.from_numpy(generator.standard_normal(int(kept.sum())))
        law = posterior.mean[name][kept].double(), posterior.scale[name][kept].double()
        weights = torch.zeros_like(posterior.mean[name])
        weights[kept] = (law[0] + law[1] * noise).float()
        drawn[name] = weights
    return drawn


def log_ratio(
    weights: dict[str, Tensor], posterior: SpikeAndSlab, prior: Prior
) -> tuple[TensorRatio, ...]:
    """Return upper values of ``ln dQ/dP`` at drawn weights, by tensor.

    What was drawn is a float32 number, so Q and P are the laws of rounded Gaussians: the ratio of
    the masses of one cell is at most the largest ratio of densities in it. In each entry that ratio
    is ``f(w) = ln(s0 / s) + (w - m0)^2 / (2 s0^2) - (w - m)^2 / (2 s^2)``, a parabola, and over the
    cell ``|x - w| <= h`` it is at most ``f(w) + h |f'(w)| + h^2 max(0, f''(w) / 2)``; h is half the
    distance to the next float32, and a little more.

    Raises:
        InputError: a removed weight is not zero: it was not drawn from this posterior.
    """
    found = []
    for name in sorted(posterior.mean):
        kept = posterior.kept(name)
        if bool((weights[name][~kept] != 0).any()):
            raise InputError(f"{name}: a removed weight is not zero")
        sigma = prior.scale[name]
        scale = posterior.scale[name][kept].double()
        places = _places(
            weights[name][kept],
            posterior.mean[name][kept].double(),
            prior.mean[name][kept].double(),
            scale=scale,
            sigma=sigma,
        )
        found.append(
            TensorRatio(
                name=name,
                entries=kept.numel(),
                kept=int(kept.sum()),
                mean=_signed_sum(places),
                scale=_signed_sum([math.log(sigma) - torch.log(scale)]),
            )
        )
    return tuple(found)


def _places(
    weights: Tensor, mean: Tensor, centre: Tensor, *, scale: Tensor, sigma: float
) -> list[Tensor]:
    """Return the terms, entry by entry, whose sum is an upper value over the cells."""
    spacing = torch.from_numpy(np.spacing(np.abs(weights.numpy()))).double()
    half = 0.5 * spacing * (1.0 + 1e-9)
    w = weights.double()
    slope = (w - centre) / sigma**2 - (w - mean) / scale.square()
    bend = (0.5 / sigma**2 - 0.5 / scale.square()).clamp(min=0.0)
    return [
        0.5 * ((w - centre) / sigma).square(),
        -0.5 * ((w - mean) / scale).square(),
        half * slope.abs() * (1.0 + 1e-9) + half.square() * bend,
    ]


def _signed_sum(terms: list[Tensor]) -> str:
    """Return an upper value of the sum of float64 terms of either sign, as a decimal string.

    Each term errs by at most 20 u relative to itself (u = 2^-53) and 4 u absolute where a logarithm
    is near zero; adding k terms in any order errs by at most k u times the sum of magnitudes.
    """
    flat = torch.cat([term.reshape(-1) for term in terms])
    if not len(flat):
        return "0"
    room = (len(flat) + 20) * UNIT_ROUNDOFF * (steady_sum(flat.abs()) + len(flat))
    exact = Decimal(steady_sum(flat)) + Decimal(2.0 * room)
    return format(math.nextafter(float(exact), math.inf), ".17g")
