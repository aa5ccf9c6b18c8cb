"""How costs of steps and draws grow: with weights, sparsity, examples, draws, processes."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pacbayes.data import Examples
from pacbayes.models import build_model, weights
from pacbayes.posterior import Prior, SpikeAndSlab
from pacbayes.posterior.fit import gradients
from pacbayes.posterior.noise import NoisePool, NoisyForward
from pacbayes.posterior.objectives import kl_objective
from pacbayes.posterior.trainable import Trainable
from pacbayes.risk import evaluate
from pacbayes.tickets import IndexSet
from tests.benchmarks.work import BATCH
from tests.posterior.laws import posterior_around, random_mask

Call = Callable[[], None]
WIDTHS = (150, 300, 600, 1200)
DENSITIES = (1.0, 0.5, 0.1, 0.02, 0.005)
EXAMPLES = (1000, 2000, 4000, 8000)
DRAWS = (1, 2, 4, 8)
PROCESSES = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A perceptron of three equal hidden layers on MNIST's shapes, and how much is asked of it."""

    width: int = 600
    density: float = 1.0
    examples: int = 2000
    draws: int = 2

    @property
    def weights(self) -> int:
        """Kept weights."""
        return int(self.density * (794 * self.width + 2 * self.width**2))


def network(case: Case) -> nn.Module:
    sizes = "-".join(map(str, (784, case.width, case.width, case.width, 10)))
    return build_model(f"mlp:{sizes}", in_shape=(1, 28, 28), classes=10, seed=1)


def law(case: Case, model: nn.Module) -> SpikeAndSlab:
    given = weights(model)
    return posterior_around(given, mask=random_mask(given, density=case.density), scale=0.05)


def sample(count: int) -> Examples:
    generator = torch.Generator().manual_seed(0)
    return Examples(
        inputs=torch.rand(count, 1, 28, 28, generator=generator),
        labels=torch.randint(0, 10, (count,), generator=generator),
        items=np.zeros((count, 32), dtype=np.uint8),
    )


def evaluation(case: Case) -> Call:
    """Return a count of all draws on all examples."""
    model, examples = network(case), sample(case.examples)
    posterior = law(case, model)

    def run() -> None:
        evaluate(posterior, model, examples, draws=case.draws, root=1, quiet=True)

    return run


def step(case: Case) -> Call:
    """Return a fitting step on one batch."""
    model, examples = network(case), sample(BATCH)
    given = weights(model)
    mask, nothing = random_mask(given, density=case.density), IndexSet.none(60_000)
    kept = mask.apply(given)
    prior = Prior(
        kind="given",
        mean=kept,
        mask=mask,
        mask_price="free",
        scale=dict.fromkeys(kept, 0.05),
        grid=None,
        grid_index={},
        seen=nothing,
        mask_seen=nothing,
    )
    state = Trainable.start(prior, kept, scale=1.0)
    forward = NoisyForward.of(model, kept, buffers={}, x=examples.inputs[:4])
    optimizer = state.optimizer(lr=1e-3, scale_lr=1e-2)
    objective = kl_objective(n=30_000, constant=9.0)
    normals = forward.normals(state.slabs, BATCH)
    pool = NoisePool.of(torch.Generator().manual_seed(1), at_once=normals)
    batch = examples.inputs, examples.labels

    def run() -> None:
        gradients(state, forward, batch, objective, pool)
        optimizer.step()

    return run


def processes_seconds(count: int, *, rounds: int) -> list[float]:
    """Return the seconds of several counts by some processes of one thread each, started before."""
    with tempfile.TemporaryDirectory() as folder:
        start = ["-m", __name__, folder, str(rounds)]
        if count > 1:
            launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(count)]
            start = [*launcher, *start]
        subprocess.run([sys.executable, *start], check=True, capture_output=True)
        found: list[float] = json.loads((Path(folder) / "seconds.json").read_text())
    return found


def main() -> None:
    """Count several times together with the other processes and write the seconds."""
    from pacbayes.runtime.processes import is_first, together

    folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    call, seconds = evaluation(Case(examples=4000, draws=4)), []
    with together():
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begin)
    if is_first():
        (folder / "seconds.json").write_text(json.dumps(seconds[1:]))


if __name__ == "__main__":
    main()
