"""KL divergence between posterior and prior, itemised and rounded up."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pacbayes.bounds import add_upper, count_prior_upper, sum_upper
from pacbayes.errors import InputError
from pacbayes.posterior.prior import Prior
from pacbayes.posterior.spike_and_slab import STEPS, SpikeAndSlab


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorDivergence:
    """Nats spent on one tensor: upper values, as decimal strings.

    Attributes:
        name: parameter name.
        entries: number of entries.
        kept: number of entries that can be non-zero.
        mask: nats for the positions of the kept entries, or for the gates.
        mean: nats for moving the means: sum of ``((mean - prior mean) / prior scale)^2 / 2``.
        scale: nats for changing the scales.
    """

    name: str
    entries: int
    kept: int
    mask: str
    mean: str
    scale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Upper value of KL(posterior || prior) in nats, with its parts."""

    tensors: tuple[TensorDivergence, ...]

    @property
    def total(self) -> str:
        """Sum of all items, added exactly and rounded up, as a decimal string."""
        return add_upper(part for t in self.tensors for part in (t.mask, t.mean, t.scale))


def divergence(posterior: SpikeAndSlab, prior: Prior) -> Divergence:
    """Return an upper value of KL(posterior || prior), never below the true one.

    Spike and slab are mutually singular, so the divergence is exactly the mask's nats plus, over
    kept entries, ``q ((m - m0)^2 / (2 s0^2) + (r^2 - 1) / 2 - ln r)`` with ``r = s / s0`` and the
    inclusion q. The mask's nats are its code, or with gates the sum over all entries of ``q ln(q /
    p) + (1 - q) ln((1 - q) / (1 - p))`` for the prior inclusion p. Terms are float64 and the sum
    is inflated by a rigorous bound on its rounding error, so the order of summation does not
    matter.

    Raises:
        InputError: a parameter is missing on one side, the buffers differ, or the posterior's
            support is not the prior's, or its gates are random where the prior's are not
            (infinite divergence).
    """
    if set(posterior.mean) != set(prior.mean):
        odd = sorted(set(posterior.mean) ^ set(prior.mean))
        raise InputError(f"parameters {odd} are in only one of posterior and prior")
    _require_same_buffers(posterior.buffers, prior.buffers)
    return Divergence(
        tensors=tuple(_tensor_divergence(name, posterior, prior) for name in sorted(posterior.mean))
    )


def _require_same_buffers(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    if set(ours) != set(theirs):
        raise InputError("posterior and prior differ in the names of their buffers")
    changed = [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])]
    if changed:
        raise InputError(f"buffers {changed} differ between posterior and prior: infinite kl")


def _tensor_divergence(name: str, posterior: SpikeAndSlab, prior: Prior) -> TensorDivergence:
    mean, support = posterior.mean[name], prior.mask.of(name, posterior.mean[name])
    if mean.shape != prior.mean[name].shape:
        raise InputError(f"posterior and prior differ in the shape of {name}")
    kept = posterior.kept(name)
    gated = prior.mask_price == "gates" and name in prior.mask
    if not gated and posterior.is_random(name):
        raise InputError(f"the gates of {name} are random, but the prior has none: infinite kl")
    if not gated and not torch.equal(kept.cpu(), support):
        raise InputError(f"the posterior of {name} has another support than the prior")
    entries, count = kept.numel(), int(kept.sum())
    sigma = prior.scale[name]
    shift = mean[kept].double() - prior.mean[name].to(mean.device)[kept].double()
    inclusion = posterior.inclusion[name].double()
    code = "0"
    if gated:
        code = gates_upper(inclusion, prior.inclusion[name])
    elif prior.mask_price == "count" and name in prior.mask:
        code = count_prior_upper(entries, count)
    weight = inclusion[kept]
    return TensorDivergence(
        name=name,
        entries=entries,
        kept=count,
        mask=code,
        mean=_mean_upper(shift, sigma, weight),
        scale=_scale_upper(posterior.scale[name][kept].double(), sigma, weight),
    )


def gates_upper(inclusion: Tensor, prior: float) -> str:
    """Return an upper value of ``sum q ln(q / p) + (1 - q) ln((1 - q) / (1 - p))`` in nats.

    Each term is ``q (ln q - ln p) + (1 - q) (log1p(-q) - log1p(-p))``; where q or 1 - q is zero,
    so is the factor before the logarithm, whose argument is clamped. Logarithms err by at most 2u
    of themselves (u = 2^-53) and 1 - q is exact for a multiple of 2^-24, so a term errs by at most
    5u times ``q (|ln q| + |ln p|) + (1 - q) (|log1p(-q)| + |log1p(-p)|)``; twice that is handed
    on, which allows 8u.

    Args:
        inclusion: posterior inclusions, float64, multiples of 2^-24 in [0, 1].
        prior: prior inclusion of all of them, in (0, 1].

    Raises:
        InputError: the prior always includes and the posterior does not (infinite divergence).
    """
    if prior == 1.0:
        if bool((inclusion != 1).any()):
            raise InputError("a prior inclusion of one with entries left out: infinite kl")
        return "0"
    rest = 1 - inclusion
    log = torch.log(inclusion.clamp(min=1 / STEPS))
    tail = torch.log1p(-inclusion.clamp(max=1 - 1 / STEPS))
    terms = inclusion * (log - math.log(prior)) + rest * (tail - math.log1p(-prior))
    sizes = inclusion * (log.abs() - math.log(prior)) + rest * (tail.abs() - math.log1p(-prior))
    return sum_upper(total=float(terms.sum()), absolute=2 * float(sizes.sum()), count=terms.numel())


def _mean_upper(shift: Tensor, sigma: float, weight: Tensor) -> str:
    terms = 0.5 * (shift / sigma).square() * weight
    return sum_upper(total=float(terms.sum()), absolute=0.0, count=terms.numel())


def _scale_upper(scale: Tensor, sigma: float, weight: Tensor) -> str:
    """Sum of ``q ((r^2 - 1) / 2 - ln r)``, each term in the form that loses no digits.

    Near r = 1 the factored form ``x = (s - s0)(s + s0) / s0^2`` has an absolute error below
    16 u |x| (u = 2^-53): 5u from x itself times ``|x / (1 + x)| <= 3`` and 2u from log1p, halved.
    Below r = 1/2 nothing cancels and the relative inflation of the sum covers the error, as it
    does that of the factor q.
    """
    ratio = scale / sigma
    x = (scale - sigma) * (scale + sigma) / (sigma * sigma)
    near = ratio >= 0.5
    terms = torch.where(
        near,
        0.5 * (x - torch.log1p(torch.where(near, x, 0.0))),
        0.5 * (ratio.square() - 1.0) - torch.log(ratio),
    )
    loss = 4.0 * float((torch.where(near, x.abs(), 0.0) * weight).sum())
    total = float((terms * weight).sum())
    return sum_upper(total=total, absolute=loss, count=terms.numel())
