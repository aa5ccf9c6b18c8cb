"""The state that fitting moves: means, logarithms of scales, and the optimiser's memory."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from safetensors import safe_open
from torch import Tensor

from pacbayes.posterior.prior import Prior
from pacbayes.posterior.spike_and_slab import SpikeAndSlab
from pacbayes.runtime.files import write_tensors
from pacbayes.tickets import Tensors

SMALLEST_SCALE = 1e-12


@dataclass(slots=True, kw_only=True)
class Trainable:
    """Means and log-scales with gradients, on the support of a prior.

    Attributes:
        prior: supplies support, centre and scales (or the grid that scales will lie on).
        mean: trainable means, zero off the support.
        log_scale: trainable logarithms of the standard deviations.
        kept: 1.0 on the support and 0.0 off it, by parameter name.
        counts: number of kept entries, by parameter name.
        memory: optimiser state read back from a journal.
    """

    prior: Prior
    mean: dict[str, Tensor]
    log_scale: dict[str, Tensor]
    kept: dict[str, Tensor]
    counts: dict[str, int]
    memory: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def start(cls, prior: Prior, means: Tensors, *, scale: float) -> Self:
        """Return the state at given means, with scales a multiple of the prior's.

        Names are sorted, so that sums over tensors do not depend on how a file lists them.
        """
        means = {name: means[name] for name in sorted(means)}
        kept = {name: prior.mask.of(name, m).float() for name, m in means.items()}
        mean = {k: (m.detach() * kept[k]).clone().requires_grad_() for k, m in means.items()}
        log_scale = {
            name: torch.full_like(m, scale * prior.scale[name]).log().detach().requires_grad_()
            for name, m in means.items()
        }
        counts = {name: int(tensor.sum()) for name, tensor in kept.items()}
        return cls(prior=prior, mean=mean, log_scale=log_scale, kept=kept, counts=counts)

    def variances(self) -> dict[str, Tensor]:
        """Return the slabs' variances, zero off the support; differentiable."""
        return {name: self._on_support(name, (2 * s).exp()) for name, s in self.log_scale.items()}

    def _on_support(self, name: str, tensor: Tensor) -> Tensor:
        """Return the tensor, zero off the support; the tensor itself where all is kept."""
        return tensor if self.counts[name] == tensor.numel() else tensor * self.kept[name]

    def kl(self, variances: Tensors) -> Tensor:
        """Return the slabs' divergence in nats (the mask's nats do not depend on the state).

        With a grid each tensor's prior scale is at its best value, ``s0^2 = mean((m - m0)^2 +
        s^2)``, where the divergence is ``k/2 ln s0^2 - sum ln s``.

        Args:
            variances: what :meth:`variances` returns, shared with the forward pass.
        """
        total = torch.zeros(())
        for name, count in self.counts.items():
            if count == 0:
                continue
            second = self._second_moment(name, variances[name])
            logs = self._on_support(name, self.log_scale[name]).sum()
            if self.prior.grid is not None:
                total = total + 0.5 * count * (second / count).log() - logs
            else:
                sigma = self.prior.scale[name]
                total = total + 0.5 * (second / sigma**2 - count) + count * math.log(sigma) - logs
        return total

    def _second_moment(self, name: str, variance: Tensor) -> Tensor:
        """Return the sum over kept entries of ``(m - m0)^2 + s^2``; means are zero off it."""
        shift = (self.mean[name] - self.prior.mean[name]).view(-1)
        return torch.dot(shift, shift) + variance.sum()

    def mask_gradients(self) -> None:
        """Set gradients off the support to zero, so that removed entries stay removed."""
        for name, kept in self.kept.items():
            for tensor in (self.mean[name], self.log_scale[name]):
                if tensor.grad is not None and self.counts[name] < kept.numel():
                    tensor.grad.mul_(kept)

    def optimizer(self, *, lr: float, scale_lr: float) -> torch.optim.Adam:
        """Return Adam over means and log-scales."""
        groups = [
            {"params": list(self.mean.values()), "lr": lr},
            {"params": list(self.log_scale.values()), "lr": scale_lr},
        ]
        return torch.optim.Adam(groups, betas=(0.9, 0.99), fused=True)

    @torch.no_grad()
    def posterior(self) -> SpikeAndSlab:
        """Return the law that the state stands for."""
        mean = {name: (m * self.kept[name]).detach() for name, m in self.mean.items()}
        scale = {
            name: log.exp().clamp(min=SMALLEST_SCALE) * self.kept[name]
            for name, log in self.log_scale.items()
        }
        return SpikeAndSlab(
            mean=mean, scale=scale, inclusion=dict(self.kept), buffers=dict(self.prior.buffers)
        )

    @torch.no_grad()
    def prior_on_grid(self) -> Prior:
        """Return the prior with each scale on its grid value nearest to the best one."""
        if self.prior.grid is None:
            return self.prior
        best, variances = {}, self.variances()
        for name, count in self.counts.items():
            second = float(self._second_moment(name, variances[name]))
            best[name] = (second / count) ** 0.5 if count else self.prior.scale[name]
        return self.prior.on_grid(best)

    def _named(self) -> list[tuple[str, Tensor]]:
        groups = (("mean", self.mean), ("log_scale", self.log_scale))
        return [(f"{group}/{name}", t) for group, ts in groups for name, t in ts.items()]

    def save(self, journal: Path, optimizer: torch.optim.Adam, *, epoch: int) -> None:
        """Write the state after an epoch, atomically."""
        tensors: dict[str, Tensor] = {}
        for key, tensor in self._named():
            tensors[key] = tensor.detach()
            for field_name, value in optimizer.state[tensor].items():
                tensors[f"{field_name}/{key}"] = value.detach().clone()
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
                field_name: self.memory[f"{field_name}/{key}"].clone()
                for field_name in ("step", "exp_avg", "exp_avg_sq")
            }
        self.memory = {}
