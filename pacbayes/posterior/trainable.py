"""The state that fitting moves: means, logarithms of scales, and the optimiser's memory."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from safetensors import safe_open
from torch import Tensor

from pacbayes.posterior.prior import Prior
from pacbayes.posterior.slab import Slab
from pacbayes.posterior.spike_and_slab import SpikeAndSlab
from pacbayes.posterior.support import Support
from pacbayes.runtime.files import write_tensors
from pacbayes.tickets import Tensors

SMALLEST_SCALE = 1e-12
ALIGNED = 16
"""Parameters start at multiples of this in the vectors, where memory suits matrix products."""


@dataclass(slots=True, kw_only=True)
class Trainable:
    """Means and log-scales on the support of a prior, each in one vector over all parameters.

    A step goes: :meth:`refresh`, a backward pass that writes the slabs' gradients, :meth:`finish`,
    the optimiser. Nothing of the size of the weights is allocated.

    Attributes:
        prior: supplies support, centre and scales (or the grid that scales will lie on).
        slabs: views into the vectors, by parameter, sorted by name.
        centre: the prior's means.  # (K,), as all vectors
        mean: means, with their gradient.
        log_scale: logarithms of the standard deviations, with their gradient.
        variance: variances.
        shift: means minus the prior's.
        memory: optimiser state read back from a journal.
    """

    prior: Prior
    slabs: dict[str, Slab]
    centre: Tensor
    mean: Tensor
    log_scale: Tensor
    variance: Tensor
    shift: Tensor
    memory: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def start(cls, prior: Prior, means: Tensors, *, scale: float) -> Self:
        """Return the state at given means, with scales a multiple of the prior's.

        Names are sorted, so that sums over tensors do not depend on how a file lists them.
        """
        device = next(iter(means.values())).device
        supports = {k: Support.of(prior.mask.of(k, means[k]).to(device)) for k in sorted(means)}
        starts, size = {}, 0
        for name, support in supports.items():
            starts[name], size = size, size + -(-support.count // ALIGNED) * ALIGNED
        vectors = [torch.zeros(size, device=device) for _ in range(7)]
        centre, mean, log_scale, variance, shift, by_mean, by_scale = vectors
        slabs = {}
        for name, support in supports.items():
            part = slice(starts[name], starts[name] + support.count)
            centre[part] = support.gather(prior.mean[name].to(device))
            mean[part] = support.gather(means[name].detach())
            log_scale[part] = math.log(scale * prior.scale[name])
            slabs[name] = Slab(
                support=support,
                prior_scale=prior.scale[name] if prior.grid is None else None,
                mean=mean[part],
                log_scale=log_scale[part],
                variance=variance[part],
                shift=shift[part],
                by_mean=by_mean[part],
                by_scale=by_scale[part],
            )
        mean.grad, log_scale.grad = by_mean, by_scale
        return cls(
            prior=prior,
            slabs=slabs,
            centre=centre,
            mean=mean,
            log_scale=log_scale,
            variance=variance,
            shift=shift,
        )

    @torch.no_grad()
    def refresh(self) -> float:
        """Bring variances and shifts up to date and return the divergence in nats.

        The mask's nats are not in it: they do not depend on the state.
        """
        torch.mul(self.log_scale, 2 / math.log(2), out=self.variance).exp2_()  # faster than exp
        torch.sub(self.mean, self.centre, out=self.shift)
        return sum(slab.divergence() for slab in self.slabs.values())

    @torch.no_grad()
    def finish(self, *, slope: float) -> None:
        """Complete the gradients by those of the divergence.

        The chain rule for a log-scale is ``d s^2 / d ln s = 2 s^2``.

        Args:
            slope: derivative of the objective by the divergence.
        """
        for slab in self.slabs.values():
            slab.add_divergence(slope=slope)
        by_scale = self.gradients[1]
        by_scale.mul_(self.variance).sub_(slope)

    @property
    def gradients(self) -> tuple[Tensor, Tensor]:
        """Derivatives by the means and by the log-scales, over all parameters."""
        if self.mean.grad is None or self.log_scale.grad is None:
            raise ValueError("the state keeps its gradients; an optimiser must not drop them")
        return self.mean.grad, self.log_scale.grad

    def optimizer(self, *, lr: float, scale_lr: float) -> torch.optim.Adam:
        """Return Adam over means and log-scales."""
        fused = self.mean.device.type in {"cpu", "cuda"}
        groups = [{"params": [self.mean], "lr": lr}, {"params": [self.log_scale], "lr": scale_lr}]
        return torch.optim.Adam(groups, betas=(0.9, 0.99), fused=fused)

    @torch.no_grad()
    def posterior(self) -> SpikeAndSlab:
        """Return the law that the state stands for."""
        mean, scale, inclusion = {}, {}, {}
        for name, slab in self.slabs.items():
            spread = slab.support.spread
            mean[name] = spread(slab.mean.clone())
            scale[name] = spread(slab.log_scale.exp().clamp_(min=SMALLEST_SCALE))
            inclusion[name] = spread(torch.ones_like(slab.mean))
        buffers = dict(self.prior.buffers)
        return SpikeAndSlab(mean=mean, scale=scale, inclusion=inclusion, buffers=buffers)

    def prior_on_grid(self) -> Prior:
        """Return the prior with each scale on its grid value nearest to the best one."""
        if self.prior.grid is None:
            return self.prior
        self.refresh()
        best = {k: s.prior_variance**0.5 for k, s in self.slabs.items() if s.support.count}
        return self.prior.on_grid({**self.prior.scale, **best})

    def save(self, journal: Path, optimizer: torch.optim.Adam, *, epoch: int) -> None:
        """Write the state after an epoch, atomically."""
        tensors: dict[str, Tensor] = {}
        for key, tensor in (("mean", self.mean), ("log_scale", self.log_scale)):
            tensors[key] = tensor
            for field_name, value in optimizer.state[tensor].items():
                tensors[f"{field_name}/{key}"] = value
        write_tensors(journal, tensors, {"epoch": str(epoch)})

    def resume(self, journal: Path) -> int:
        """Load a saved state and return how many epochs were done; 0 where there is none."""
        if not journal.exists():
            return 0
        with safe_open(journal, framework="pt") as stored:
            epoch = int(stored.metadata()["epoch"])
            self.memory = {key: stored.get_tensor(key) for key in stored.keys()}
        self.mean.copy_(self.memory.pop("mean"))
        self.log_scale.copy_(self.memory.pop("log_scale"))
        return epoch

    def restore_optimizer(self, optimizer: torch.optim.Adam) -> None:
        """Give the optimiser back what it remembered when the journal was written."""
        if not self.memory:
            return
        for key, tensor in (("mean", self.mean), ("log_scale", self.log_scale)):
            optimizer.state[tensor] = {
                field_name: self.memory[f"{field_name}/{key}"].to(tensor.device)
                for field_name in ("step", "exp_avg", "exp_avg_sq")
            }
        self.memory = {}
