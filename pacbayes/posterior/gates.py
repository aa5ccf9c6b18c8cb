"""The state that fitting moves when the mask is random: means, scales, gates, and their memory."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from safetensors import safe_open
from torch import Tensor

from pacbayes.posterior.prior import Prior
from pacbayes.posterior.spike_and_slab import STEPS, SpikeAndSlab
from pacbayes.runtime.files import write_tensors
from pacbayes.tickets import Mask, Tensors

START = 0.9
"""First inclusion of the entries that a ticket keeps; the removed ones share what is missing."""

SMALLEST_SCALE = 1e-12
TINY = 1e-12
"""Below this a probability is taken as this inside a logarithm, while fitting."""


@dataclass(slots=True, kw_only=True)
class Gates:
    """Means, log-scales and log-odds of inclusion with gradients, for a prior with gates.

    Attributes:
        prior: supplies centres, and the grids that scales and inclusions will lie on.
        mean: trainable means of the slabs.
        log_scale: trainable logarithms of their standard deviations.
        log_odds: trainable ``ln(q / (1 - q))`` of the inclusions of prunable tensors.
        memory: optimiser state read back from a journal.
    """

    prior: Prior
    mean: dict[str, Tensor]
    log_scale: dict[str, Tensor]
    log_odds: dict[str, Tensor]
    memory: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def start(cls, prior: Prior, means: Tensors, mask: Mask, *, scale: float) -> Self:
        """Return the state at given means, with gates near a ticket's mask.

        Args:
            prior: has gates.
            means: by parameter name.
            mask: entries that start with the higher inclusion; the mean is the mask's density.
            scale: posterior scales start at this multiple of the prior's.
        """
        removed = max(mask.prunable - mask.kept, 1)
        high, low = (_odds(q) for q in (START, (1 - START) * mask.kept / removed))
        names = sorted(means)
        return cls(
            prior=prior,
            mean={name: means[name].detach().clone().requires_grad_() for name in names},
            log_scale={
                name: torch.full_like(means[name], math.log(scale * prior.scale[name]))
                .detach()
                .requires_grad_()
                for name in names
            },
            log_odds={
                name: torch.where(mask[name], high, low).float().requires_grad_() for name in mask
            },
        )

    def inclusions(self) -> dict[str, Tensor]:
        """Return the inclusions of prunable tensors; differentiable."""
        return {name: torch.sigmoid(odds) for name, odds in self.log_odds.items()}

    def moments(self, inclusion: Tensors) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return means and variances of the entries, gates included.

        ``q m`` and ``q (s^2 + m^2) - q^2 m^2 = q s^2 + q (1 - q) m^2``.
        """
        mean, variance = dict(self.mean), {}
        for name, log in self.log_scale.items():
            variance[name] = (2 * log).exp()
            if name in inclusion:
                q, centre = inclusion[name], self.mean[name]
                mean[name] = q * centre
                variance[name] = q * (variance[name] + (1 - q) * centre.square())
        return mean, variance

    def kl(self, inclusion: Tensors) -> Tensor:
        """Return the divergence in nats with every prior scale and inclusion at its best value.

        The best inclusion of a tensor of N entries is ``K / N`` with ``K = sum q``, the best scale
        ``s0^2 = sum q ((m - m0)^2 + s^2) / K``; there the divergence is ``K/2 ln s0^2 - sum q ln
        s`` plus ``sum q ln q + (1 - q) ln(1 - q) - K ln(K/N) - (N - K) ln(1 - K/N)``.
        """
        total = torch.zeros(())
        for name, log in self.log_scale.items():
            q = inclusion.get(name)
            kept = q.sum() if q is not None else torch.tensor(float(log.numel()))
            second = self._second_moment(name, q)
            logs = log.sum() if q is None else (q * log).sum()
            total = total + 0.5 * kept * (second / kept).log() - logs
            if q is not None:
                total = total + _gates_kl(q, kept)
        return total

    def _second_moment(self, name: str, inclusion: Tensor | None) -> Tensor:
        """Return the sum of ``q ((m - m0)^2 + s^2)``."""
        shift = self.mean[name] - self.prior.mean[name]
        square = shift.square() + (2 * self.log_scale[name]).exp()
        return square.sum() if inclusion is None else (inclusion * square).sum()

    def optimizer(self, *, lr: float, scale_lr: float, gate_lr: float) -> torch.optim.Adam:
        """Return Adam over means, log-scales and log-odds."""
        groups = [
            {"params": list(self.mean.values()), "lr": lr},
            {"params": list(self.log_scale.values()), "lr": scale_lr},
            {"params": list(self.log_odds.values()), "lr": gate_lr},
        ]
        return torch.optim.Adam(groups, betas=(0.9, 0.99), fused=True)

    @torch.no_grad()
    def posterior(self) -> SpikeAndSlab:
        """Return the law that the state stands for, its inclusions rounded to 24 bits."""
        inclusion = {name: torch.ones_like(mean) for name, mean in self.mean.items()}
        inclusion |= {k: (q * STEPS).round() / STEPS for k, q in self.inclusions().items()}
        kept = {name: (q > 0).float() for name, q in inclusion.items()}
        return SpikeAndSlab(
            mean={name: mean.detach() * kept[name] for name, mean in self.mean.items()},
            scale={
                name: log.exp().clamp(min=SMALLEST_SCALE) * kept[name]
                for name, log in self.log_scale.items()
            },
            inclusion=inclusion,
            buffers=dict(self.prior.buffers),
        )

    @torch.no_grad()
    def prior_on_grid(self) -> Prior:
        """Return the prior with scales and inclusions on the grid values nearest to the best."""
        found = self.inclusions()
        scales = {}
        for name, mean in self.mean.items():
            q = found.get(name)
            kept = float(mean.numel() if q is None else q.sum())
            second = float(self._second_moment(name, q))
            scales[name] = (second / kept) ** 0.5 if kept else self.prior.scale[name]
        rates = {name: float(q.double().mean()) for name, q in found.items()}
        return self.prior.on_grid(scales).on_inclusion_grid(rates)

    def _named(self) -> list[tuple[str, Tensor]]:
        groups = (("mean", self.mean), ("log_scale", self.log_scale), ("log_odds", self.log_odds))
        return [(f"{group}/{name}", t) for group, ts in groups for name, t in ts.items()]

    def save(self, journal: Path, optimizer: torch.optim.Adam, *, epoch: int) -> None:
        """Write the state after an epoch, atomically."""
        tensors: dict[str, Tensor] = {}
        for key, tensor in self._named():
            tensors[key] = tensor.detach()
            for what, value in optimizer.state[tensor].items():
                tensors[f"{what}/{key}"] = value.detach().clone()
        write_tensors(journal, tensors, {"epoch": str(epoch)})

    def resume(self, journal: Path) -> int:
        """Load a saved state and return how many epochs were done; 0 where there is none."""
        if not journal.exists():
            return 0
        with safe_open(journal, framework="pt") as stored:
            epoch = int(stored.metadata()["epoch"])
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}
        for key, tensor in self._named():
            tensor.data.copy_(tensors.pop(key))
        self.memory = tensors
        return epoch

    def restore_optimizer(self, optimizer: torch.optim.Adam) -> None:
        """Give the optimiser back what it remembered when the journal was written."""
        if not self.memory:
            return
        for key, tensor in self._named():
            optimizer.state[tensor] = {
                what: self.memory[f"{what}/{key}"].clone()
                for what in ("step", "exp_avg", "exp_avg_sq")
            }
        self.memory = {}


def _odds(probability: float) -> float:
    clipped = min(max(probability, 1 / STEPS), 1 - 1 / STEPS)
    return math.log(clipped / (1 - clipped))


def _gates_kl(q: Tensor, kept: Tensor) -> Tensor:
    """Return ``sum kl(q || K / N)``, differentiable."""
    rest = q.numel() - kept
    own = (_xlogx(q) + _xlogx(1 - q)).sum()
    return own - kept * (kept / q.numel()).log() - rest * (rest / q.numel()).clamp(min=TINY).log()


def _xlogx(x: Tensor) -> Tensor:
    return x * x.clamp(min=TINY).log()
