"""KL divergence between posterior and prior, itemised and rounded up, a part at a time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pacbayes.bounds import add_upper, count_prior_upper, sum_upper
from pacbayes.errors import InputError
from pacbayes.posterior.prior import Prior
from pacbayes.posterior.spike_and_slab import STEPS, Part, SpikeAndSlab
from pacbayes.posterior.stored import StoredPosterior
from pacbayes.tickets import steady_sum

ENTRIES = 2**22
"""Entries of one tensor that are handled at once, in whole rows of it."""


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


def divergence(posterior: SpikeAndSlab | StoredPosterior, prior: Prior) -> Divergence:
    """Return an upper value of KL(posterior || prior), never below the true one.

    Spike and slab are mutually singular, so the divergence is exactly the mask's nats plus, over
    kept entries, ``q ((m - m0)^2 / (2 s0^2) + (r^2 - 1) / 2 - ln r)`` with ``r = s / s0`` and the
    inclusion q. The mask's nats are its code, or with gates the sum over all entries of ``q ln(q /
    p) + (1 - q) ln((1 - q) / (1 - p))`` for the prior inclusion p. Terms are float64 and the sum
    is inflated by a rigorous bound on its rounding error, so the order of summation does not
    matter.

    Besides what is given, memory is taken for a few million entries. The same value comes from a
    law in memory and from its file, and from any number of threads.

    Args:
        posterior: the law, or its file.
        prior: what it is measured against.

    Raises:
        InputError: a parameter is missing on one side, the buffers differ, or the posterior's
            support is not the prior's, or its gates are random where the prior's are not
            (infinite divergence).
    """
    shapes = posterior.shapes
    if set(shapes) != set(prior.mean):
        odd = sorted(set(shapes) ^ set(prior.mean))
        raise InputError(f"parameters {odd} are in only one of posterior and prior")
    _require_same_buffers(posterior.buffers, prior.buffers)
    return Divergence(
        tensors=tuple(_tensor_divergence(name, posterior, prior) for name in sorted(shapes))
    )


def _require_same_buffers(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    if set(ours) != set(theirs):
        raise InputError("posterior and prior differ in the names of their buffers")
    changed = [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])]
    if changed:
        raise InputError(f"buffers {changed} differ between posterior and prior: infinite kl")


@dataclass(slots=True)
class _Sums:
    """What was added up over the parts of one tensor.

    Attributes:
        kept: entries that can be non-zero.
        mean: nats for the means.
        scale: nats for the scales.
        lost: magnitudes that cancelled inside the terms of the scales.
        gates: nats for the gates.
        sizes: magnitudes that cancelled inside those.
    """

    kept: int = 0
    mean: float = 0.0
    scale: float = 0.0
    lost: float = 0.0
    gates: float = 0.0
    sizes: float = 0.0


def _tensor_divergence(
    name: str, posterior: SpikeAndSlab | StoredPosterior, prior: Prior
) -> TensorDivergence:
    shape = posterior.shapes[name]
    if shape != prior.mean[name].shape:
        raise InputError(f"posterior and prior differ in the shape of {name}")
    gated = prior.mask_price == "gates" and name in prior.mask
    found, entries = _Sums(), shape.numel()
    for rows in _parts(shape):
        _add(found, name, posterior.part(name, rows), prior, rows=rows, gated=gated)
    code = "0"
    if gated:
        code = sum_upper(total=found.gates, absolute=2 * found.sizes, count=entries)
    elif prior.mask_price == "count" and name in prior.mask:
        code = count_prior_upper(entries, found.kept)
    return TensorDivergence(
        name=name,
        entries=entries,
        kept=found.kept,
        mask=code,
        mean=sum_upper(total=found.mean, absolute=0.0, count=found.kept),
        scale=sum_upper(total=found.scale, absolute=4.0 * found.lost, count=found.kept),
    )


def _parts(shape: torch.Size) -> Iterator[slice]:
    """Yield slices of the first axis that make a tensor of a shape; one for a single number."""
    count = shape[0] if shape else 1
    step = max(1, ENTRIES // max(1, shape.numel() // max(1, count)))
    yield from (slice(start, min(start + step, count)) for start in range(0, count, step))


def _add(found: _Sums, name: str, part: Part, prior: Prior, *, rows: slice, gated: bool) -> None:
    """Add the nats of some rows of one tensor."""
    mean, scale, inclusion = part
    kept = inclusion > 0
    if not gated and bool((inclusion[kept] != 1).any()):
        raise InputError(f"the gates of {name} are random, but the prior has none: infinite kl")
    whole = prior.mask.get(name)
    support = torch.ones_like(kept, device="cpu") if whole is None else _rows(whole, rows)
    if not gated and not torch.equal(kept.cpu(), support):
        raise InputError(f"the posterior of {name} has another support than the prior")
    centre = _rows(prior.mean[name], rows).to(mean.device)
    weight, sigma = inclusion[kept].double(), prior.scale[name]
    found.kept += len(weight)
    found.mean += _mean_nats(mean[kept].double() - centre[kept].double(), sigma, weight)
    nats, lost = _scale_nats(scale[kept].double(), sigma, weight)
    found.scale, found.lost = found.scale + nats, found.lost + lost
    if gated:
        nats, sizes = _gates_nats(inclusion.double(), prior.inclusion[name])
        found.gates, found.sizes = found.gates + nats, found.sizes + sizes


def _rows(tensor: Tensor, rows: slice) -> Tensor:
    return tensor[rows] if tensor.ndim else tensor


def gates_upper(inclusion: Tensor, prior: float) -> str:
    """Return an upper value of ``sum q ln(q / p) + (1 - q) ln((1 - q) / (1 - p))`` in nats.

    Args:
        inclusion: posterior inclusions, float64, multiples of 2^-24 in [0, 1].
        prior: prior inclusion of all of them, in (0, 1].

    Raises:
        InputError: the prior always includes and the posterior does not (infinite divergence).
    """
    total, sizes = _gates_nats(inclusion, prior)
    return sum_upper(total=total, absolute=2 * sizes, count=inclusion.numel())


def _gates_nats(inclusion: Tensor, prior: float) -> tuple[float, float]:
    """Return the sum of the terms of gates, and of the magnitudes that cancel in them.

    Each term is ``q (ln q - ln p) + (1 - q) (log1p(-q) - log1p(-p))``; where q or 1 - q is zero,
    so is the factor before the logarithm, whose argument is clamped. Logarithms err by at most 2u
    of themselves (u = 2^-53) and 1 - q is exact for a multiple of 2^-24, so a term errs by at most
    5u times ``q (|ln q| + |ln p|) + (1 - q) (|log1p(-q)| + |log1p(-p)|)``; twice that is handed
    on, which allows 8u.
    """
    if prior == 1.0:
        if bool((inclusion != 1).any()):
            raise InputError("a prior inclusion of one with entries left out: infinite kl")
        return 0.0, 0.0
    rest = 1 - inclusion
    log = torch.log(inclusion.clamp(min=1 / STEPS))
    tail = torch.log1p(-inclusion.clamp(max=1 - 1 / STEPS))
    terms = inclusion * (log - math.log(prior)) + rest * (tail - math.log1p(-prior))
    sizes = inclusion * (log.abs() - math.log(prior)) + rest * (tail.abs() - math.log1p(-prior))
    return steady_sum(terms), steady_sum(sizes)


def _mean_nats(shift: Tensor, sigma: float, weight: Tensor) -> float:
    return steady_sum(shift.div_(sigma).square_().mul_(0.5).mul_(weight))


def _scale_nats(scale: Tensor, sigma: float, weight: Tensor) -> tuple[float, float]:
    """Return the sum of ``q ((r^2 - 1) / 2 - ln r)``, and of the magnitudes that cancel in it.

    Each term takes the form that loses no digits. Near r = 1 the factored form ``x = (s - s0)(s +
    s0) / s0^2`` has an absolute error below 16 u |x| (u = 2^-53): 5u from x itself times ``|x / (1
    + x)| <= 3`` and 2u from log1p, halved. Below r = 1/2 nothing cancels and the relative
    inflation of the sum covers the error, as it does that of the factor q.
    """
    ratio = scale / sigma
    x = (scale - sigma) * (scale + sigma) / (sigma * sigma)
    near = ratio >= 0.5
    terms = torch.where(
        near,
        0.5 * (x - torch.log1p(torch.where(near, x, 0.0))),
        0.5 * (ratio.square() - 1.0) - torch.log(ratio),
    )
    lost = steady_sum(torch.where(near, x.abs(), 0.0) * weight)
    return steady_sum(terms * weight), lost
