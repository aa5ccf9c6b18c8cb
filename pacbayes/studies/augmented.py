"""A sparse network trained on the prior part alone: augmentation, gradual pruning, averaging.

What a certificate with a trained prior needs is a network that errs little on examples it has not
seen, and a mask that has not seen them either. Nothing here looks at the certificate part.
"""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from pacbayes.data import Data, Examples, Split
from pacbayes.models.statistics import tracking_layers
from pacbayes.runtime.files import write_tensors
from pacbayes.runtime.progress import progress
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket

LOOKED_AT: Final = 10_000
"""Images that running statistics are taken from in the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentedPlan:
    """How the network is trained.

    Attributes:
        density: fraction of the weights (not biases) that is kept in the end; all that are not
            learned stay.
        epochs: passes while the mask shrinks; it is fixed from 60 % of them on.
        tuning: further passes with the mask fixed, from the averaged weights.
        lr: peak learning rate of SGD with Nesterov momentum; halved for the tuning.
        batch_size: examples per step.
        smoothing: of the labels.
        weight_decay: L2 penalty.
        averaging: share of the old average that a step in the second half leaves.
        distortion: of the images; a key of ``DISTORTIONS``.
        bfloat16: convolve and multiply in bfloat16, which is fast where the processor has it.
    """

    density: float = 0.0499
    epochs: int = 20
    tuning: int = 6
    lr: float = 0.08
    batch_size: int = 128
    smoothing: float = 0.02
    weight_decay: float = 5e-4
    averaging: float = 0.998
    distortion: Literal["bent", "shifted"] = "bent"
    bfloat16: bool = False

    def density_at(self, done: float) -> float:
        """Return the density when a share of the epochs is done: cubic (Zhu and Gupta 2017)."""
        share = min(max((done - 0.15) / 0.45, 0.0), 1.0)
        return self.density + (1 - self.density) * math.pow(1 - share, 3)


def distorted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images turned, sheared, scaled, shifted and bent at random (Simard et al. 2003)."""
    count, _, rows, columns = images.shape

    def uniform(size: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * size

    angle, wide, high = uniform(0.21), 1 + uniform(0.12), 1 + uniform(0.12)
    shear, across, down = uniform(0.2), uniform(2 / 14), uniform(2 / 14)
    cos, sin = angle.cos(), angle.sin()
    first = torch.stack([cos * wide, shear - sin * high, across], 1)
    second = torch.stack([sin * wide, cos * high, down], 1)
    size = [count, 1, rows, columns]
    grid = F.affine_grid(torch.stack([first, second], 1), size, align_corners=True)
    bend = torch.randn(count, 2, 6, 6, generator=generator) * 0.035
    bend = F.interpolate(bend, size=(rows, columns), mode="bicubic", align_corners=True)
    return F.grid_sample(images, grid + bend.permute(0, 2, 3, 1), align_corners=True)


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images shifted by up to two pixels each way, half of them turned left to right."""
    count, _, rows, columns = images.shape
    padded = F.pad(images, (2, 2, 2, 2), mode="reflect")
    offsets = torch.randint(5, (2, count, 1), generator=generator)
    turned = torch.rand(count, 1, generator=generator) < 0.5
    down = torch.arange(rows) + offsets[0]
    across = torch.arange(columns) + offsets[1]
    across = torch.where(turned, across.flip(1), across)
    which = torch.arange(count)[:, None, None]
    return padded.permute(0, 2, 3, 1)[which, down[:, :, None], across[:, None, :]].permute(
        0, 3, 1, 2
    )


DISTORTIONS: Final[dict[str, Callable[[Tensor, torch.Generator], Tensor]]] = {
    "bent": distorted,
    "shifted": shifted,
}


def sparse_ticket(
    model: nn.Module,
    data: Data,
    split: Split,
    *,
    plan: AugmentedPlan,
    seeds: Seeds,
    journal: Path,
    quiet: bool = False,
) -> Ticket:
    """Return the ticket of a network pruned while it is trained on the prior part.

    Args:
        model: with initial weights; it is not modified.
        data: training examples.
        split: its prior part is all that is looked at.
        plan: epochs, density, rates.
        seeds: order of batches and distortions, by epoch.
        journal: file for the state of the last epoch; a killed run goes on from there.
        quiet: no progress on stderr.
    """
    run = _Run.begin(model, plan)
    first = run.read(journal)
    part = data.train.part(split.prior)
    epochs = plan.epochs + plan.tuning
    with progress("train", epochs, quiet=quiet) as bar:
        bar.advance(first)
        for epoch in range(first, epochs):
            loss = run.epoch(part, epoch, seeds.torch("augmented", epoch))
            run.write(journal, epoch + 1)
            bar.advance(1, note=f"loss {loss:.4f} density {run.density:.4f}")
    total = len(data.train.labels)
    nothing = IndexSet.none(total)
    mask = Mask({name: kept.bool() for name, kept in run.kept.items()})
    trained = mask.apply(run.average)
    buffers = run.statistics(trained, part, seeds.torch("statistics"))
    return Ticket(
        init={name: p.detach().clone() for name, p in model.named_parameters()},
        mask=mask,
        trained=trained,
        buffers=buffers,
        provenance=Provenance(
            data=data.digest,
            init=nothing,
            mask=split.prior,
            trained=split.prior,
            buffers=split.prior if buffers else nothing,
        ),
        level=1,
        notes={
            "method": f"gradual magnitude pruning, {plan.distortion} images",
            "normalize": "none",
        },
    )


@dataclass(slots=True, kw_only=True)
class _Run:
    """The state of one training run."""

    plan: AugmentedPlan
    network: nn.Module
    optimizer: torch.optim.SGD
    average: dict[str, Tensor]
    kept: dict[str, Tensor]

    @classmethod
    def begin(cls, model: nn.Module, plan: AugmentedPlan) -> "_Run":
        network = copy.deepcopy(model).train()
        optimizer = torch.optim.SGD(
            [p for p in network.parameters() if p.requires_grad],
            lr=plan.lr,
            momentum=0.9,
            nesterov=True,
            weight_decay=plan.weight_decay,
        )
        average = {name: p.detach().clone() for name, p in network.named_parameters()}
        kept = {name: torch.ones_like(p) for name, p in average.items() if p.dim() > 1}
        return cls(plan=plan, network=network, optimizer=optimizer, average=average, kept=kept)

    @property
    def weights(self) -> dict[str, Tensor]:
        """Current weights by name, sharing memory with the network."""
        return {name: p.data for name, p in self.network.named_parameters()}

    @property
    def _learned(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, p) for name, p in self.network.named_parameters() if p.requires_grad]

    @property
    def density(self) -> float:
        """Fraction of the weights that is kept."""
        entries = sum(kept.numel() for kept in self.kept.values())
        return sum(float(kept.sum()) for kept in self.kept.values()) / entries

    def epoch(self, part: Examples, epoch: int, generator: torch.Generator) -> float:
        """Train for one epoch and return its mean loss."""
        plan, tuning = self.plan, epoch >= self.plan.epochs
        if epoch == plan.epochs:
            self._restart()
        order = torch.randperm(len(part.labels), generator=generator).split(plan.batch_size)
        total = 0.0
        for place, rows in enumerate(order):
            step = epoch * len(order) + place
            done = step / (plan.epochs * len(order))
            if tuning:
                done = (step - plan.epochs * len(order)) / (plan.tuning * len(order))
            self.optimizer.param_groups[0]["lr"] = self._rate(done, tuning)
            if not tuning and self._is_pruning_step(step, len(order)):
                self._prune(plan.density_at(done))
            images = DISTORTIONS[plan.distortion](part.inputs[rows], generator)
            logits = self._logits(images)
            loss = F.cross_entropy(logits, part.labels[rows], label_smoothing=plan.smoothing)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self._mask_and_average(keep=plan.averaging if tuning or done > 0.5 else 0.9)
            total += float(loss.detach())
        return total / len(order)

    def _logits(self, images: Tensor) -> Tensor:
        if not self.plan.bfloat16:
            logits: Tensor = self.network(images)
            return logits
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.network(images.contiguous(memory_format=torch.channels_last))
        return logits.float()

    def statistics(
        self, weights: Mapping[str, Tensor], part: Examples, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the buffers at some weights: means over images of the part as they are.

        The images are taken at random: files often lie in the order of their classes.
        """
        network = copy.deepcopy(self.network)
        for name, parameter in network.named_parameters():
            parameter.data.copy_(weights[name])
        for layer in tracking_layers(network).values():
            layer.reset_running_stats()
            layer.momentum = None  # each batch counts as much as any other
        if any(True for _ in network.buffers()):
            order = torch.randperm(len(part.labels), generator=generator)[:LOOKED_AT]
            with torch.no_grad():
                for rows in order.split(500):
                    network(part.inputs[rows])
        return {name: tensor.clone() for name, tensor in network.named_buffers()}

    def _rate(self, done: float, tuning: bool) -> float:
        if tuning:
            return 0.5 * self.plan.lr * min(1.0, done / 0.05 + 0.02) * _falling(done)
        return self.plan.lr * min(1.0, done / 0.08 + 0.01) * _falling((done - 0.4) / 0.6)

    def _is_pruning_step(self, step: int, per_epoch: int) -> bool:
        """Return whether weights go: every 20th step in the window, and once at its end."""
        last = math.ceil(0.62 * self.plan.epochs * per_epoch)
        return step == last or (
            0.15 * self.plan.epochs * per_epoch <= step < last and not step % 20
        )

    def _restart(self) -> None:
        for name, tensor in self.weights.items():
            tensor.copy_(self.average[name])
        self.optimizer.state.clear()

    def _prune(self, density: float) -> None:
        entries = sum(kept.numel() for kept in self.kept.values())
        names = [name for name, _ in self._learned if name in self.kept]
        sizes = torch.cat([self.weights[name].abs().flatten() for name in names])
        removed = min(max(math.ceil((1 - density) * entries), 1), sizes.numel())
        limit = sizes.kthvalue(removed).values
        for name in names:
            self.kept[name] = (self.weights[name].abs() > limit).float()

    def _mask_and_average(self, *, keep: float) -> None:
        for name, tensor in self.weights.items():
            if name in self.kept:
                tensor.mul_(self.kept[name])
            self.average[name].lerp_(tensor, 1 - keep)

    def write(self, journal: Path, epoch: int) -> None:
        tensors = {f"weights/{k}": t.clone() for k, t in self.weights.items()}
        tensors |= {f"average/{k}": t for k, t in self.average.items()}
        tensors |= {f"kept/{k}": t for k, t in self.kept.items()}
        tensors |= {f"buffers/{k}": t for k, t in self.network.named_buffers()}
        for name, parameter in self._learned:
            momentum = self.optimizer.state[parameter]["momentum_buffer"]
            tensors[f"momentum/{name}"] = momentum.clone()
        write_tensors(journal, tensors, {"epoch": str(epoch)})

    def read(self, journal: Path) -> int:
        """Load a state if there is one; return the number of epochs that are done."""
        if not journal.exists():
            return 0
        with safe_open(journal, framework="pt") as stored:
            epoch = int(stored.metadata()["epoch"])
            for name, parameter in self.network.named_parameters():
                parameter.data.copy_(stored.get_tensor(f"weights/{name}"))
                self.average[name] = stored.get_tensor(f"average/{name}")
                if name in self.kept:
                    self.kept[name] = stored.get_tensor(f"kept/{name}")
            for name, parameter in self._learned:
                momentum = stored.get_tensor(f"momentum/{name}")
                self.optimizer.state[parameter]["momentum_buffer"] = momentum
            for name, tensor in self.network.named_buffers():
                tensor.copy_(stored.get_tensor(f"buffers/{name}"))
        return epoch


def _falling(done: float) -> float:
    """Return the second half of a cosine: 1 up to 0, 0 at 1."""
    return 0.5 * (1 + math.cos(math.pi * min(max(done, 0.0), 1.0)))
