"""The published lottery-ticket value (Sakamoto and Sato 2022), as coded: no bound, for comparison.

Its prior variance is chosen weight by weight from the trained weights and its inclusion
probability is the mask's own density, neither of them paid for. So the number is a lower envelope
over priors and certifies nothing.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pacbayes.errors import InputError, UsageError
from pacbayes.posterior.spike_and_slab import SpikeAndSlab
from pacbayes.tickets import Mask, Tensors

LegacyMode = Literal["spike-and-slab", "gaussian", "gaussian-zero"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyValue:
    """The published quantity and its parts; an estimate, never a certificate.

    Attributes:
        mode: which of the three published divergences.
        mask: nats that it counts for the mask; 0 in the Gaussian modes.
        weights: nats that it counts for the values of kept weights, biases and gains.
    """

    mode: LegacyMode
    mask: float
    weights: float

    @property
    def kl(self) -> float:
        """The published divergence in nats, with the prior variances at their oracle values."""
        return self.mask + self.weights

    def value(self, *, risk: float, n: int, delta: float) -> float:
        """Return the published number, not clipped at one.

        With ``B = (kl + ln(2 sqrt(n) / delta)) / n`` the smaller of ``risk + B + sqrt(B (B + 2
        risk))`` and ``risk + sqrt(B / 2)``.

        Args:
            risk: share of wrong (example, draw) pairs, without regard to how few were drawn.
            n: number of examples.
            delta: what the formula calls its failure probability.

        Raises:
            UsageError: an argument is out of range.

        Example:
            >>> found = LegacyValue(mode="gaussian", mask=0.0, weights=100.0)
            >>> round(found.value(risk=0.05, n=60000, delta=0.01), 6)
            0.065561
        """
        if not (0 <= risk <= 1 and n >= 1 and 0 < delta < 1):
            raise UsageError("risk must lie in [0, 1], delta in (0, 1), n must be at least 1")
        budget = (self.kl + math.log(2 * math.sqrt(n) / delta)) / n
        quadratic = risk + budget + math.sqrt(budget * (budget + 2 * risk))
        return min(quadratic, risk + math.sqrt(budget / 2))


def legacy_value(
    posterior: SpikeAndSlab, init: Tensors, mask: Mask, *, mode: LegacyMode = "spike-and-slab"
) -> LegacyValue:
    """Return the published divergence of a posterior, exactly as its authors' code computes it.

    Over kept entries, biases and gains ``ln(1 + (m - m0)^2 / s^2) / 2``, which is the Gaussian
    divergence at the best prior variance of each single entry, ``s^2 + (m - m0)^2``. In the mode
    ``spike-and-slab`` also ``-ln(1 - v)`` for each kept and ``-ln v`` for each removed entry, v
    being the removed share of all prunable entries. In ``gaussian-zero`` the centre m0 is zero.

    Args:
        posterior: inclusions must be zero or one.
        init: initial weights by parameter name.
        mask: the ticket's mask.
        mode: which of the published divergences.

    Raises:
        InputError: the posterior's mask is random or another one, or initial weights are missing.

    References:
        Sakamoto and Sato (2022), files ``bound/perturbed_model.py`` and ``bound/main_bound.py``.
    """
    if missing := sorted(set(posterior.mean) - set(init)):
        raise InputError(f"the initial weights of {missing} are missing")
    weights = 0.0
    for name, mean in posterior.mean.items():
        kept = posterior.kept(name)
        if posterior.is_random(name) or not torch.equal(kept.cpu(), mask.of(name, mean)):
            raise InputError(f"the published value of {name} needs the ticket's mask itself")
        centre = torch.zeros_like(mean) if mode == "gaussian-zero" else init[name]
        weights += _oracle(mean[kept], centre[kept], posterior.scale[name][kept])
    price = _entropy(mask) if mode == "spike-and-slab" else 0.0
    return LegacyValue(mode=mode, mask=price, weights=weights)


def _oracle(mean: Tensor, centre: Tensor, scale: Tensor) -> float:
    ratio = (mean.double() - centre.double()) / scale.double()
    return float(0.5 * torch.log1p(ratio.square()).sum())


def _entropy(mask: Mask) -> float:
    """Return ``k ln(N / k) + (N - k) ln(N / (N - k))``; a mask of one kind only costs nothing."""
    total, kept = mask.prunable, mask.kept
    counts = [count for count in (kept, total - kept) if count]
    return sum(count * math.log(total / count) for count in counts)
