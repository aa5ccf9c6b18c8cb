"""KL divergence between posterior and prior, itemised and rounded up."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pacbayes.bounds import add_upper, count_prior_upper, sum_upper
from pacbayes.errors import InputError
from pacbayes.posterior.prior import Prior
from pacbayes.posterior.spike_and_slab import SpikeAndSlab


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorDivergence:
    """Nats spent on one tensor: upper values, as decimal strings.

    Attributes:
        name: parameter name.
        entries: number of entries.
        kept: number of entries that can be non-zero.
        mask: nats for the positions of the kept entries.
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
    kept entries, ``(m - m0)^2 / (2 s0^2) + (r^2 - 1) / 2 - ln r`` with ``r = s / s0``. Terms are
    float64 and the sum is inflated by a rigorous bound on its rounding error, so the order of
    summation does not matter.

    Raises:
        InputError: a parameter is missing on one side, the buffers differ, or the posterior's
            support is not the prior's (infinite divergence).
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
    if not torch.equal(kept.cpu(), support):
        raise InputError(f"the posterior of {name} has another support than the prior")
    entries, count = kept.numel(), int(kept.sum())
    charged = prior.mask_price == "count" and name in prior.mask
    sigma = prior.scale[name]
    shift = mean[kept].double() - prior.mean[name].to(mean.device)[kept].double()
    return TensorDivergence(
        name=name,
        entries=entries,
        kept=count,
        mask=count_prior_upper(entries, count) if charged else "0",
        mean=_mean_upper(shift, sigma),
        scale=_scale_upper(posterior.scale[name][kept].double(), sigma),
    )


def _mean_upper(shift: Tensor, sigma: float) -> str:
    terms = 0.5 * (shift / sigma).square()
    return sum_upper(total=float(terms.sum()), absolute=0.0, count=terms.numel())


def _scale_upper(scale: Tensor, sigma: float) -> str:
    """Sum of ``(r^2 - 1) / 2 - ln r``, each term in the form that loses no digits.

    Near r = 1 the factored form ``x = (s - s0)(s + s0) / s0^2`` has an absolute error below
    16 u |x| (u = 2^-53): 5u from x itself times ``|x / (1 + x)| <= 3`` and 2u from log1p, halved.
    Below r = 1/2 nothing cancels and the relative inflation of the sum covers the error.
    """
    ratio = scale / sigma
    x = (scale - sigma) * (scale + sigma) / (sigma * sigma)
    near = ratio >= 0.5
    terms = torch.where(
        near,
        0.5 * (x - torch.log1p(torch.where(near, x, 0.0))),
        0.5 * (ratio.square() - 1.0) - torch.log(ratio),
    )
    loss = 4.0 * float(torch.where(near, x.abs(), 0.0).sum())
    return sum_upper(total=float(terms.sum()), absolute=loss, count=terms.numel())
