"""Whole certificates on problems whose true risks are known: how many do not hold?"""

import statistics
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

from pacbayes.data.known import Blobs
from pacbayes.pipeline import CertifyRequest, FindRequest, certify, find
from pacbayes.posterior import SpikeAndSlab
from pacbayes.pruning import FindPlan, TrainPlan
from tests.evidence.shards import Experiment, Result

REPETITIONS, SHARDS, WEIGHTS = 200, 50, 400
MODEL, DELTA = "mlp:5-2", "0.05"


def repeated(shard: int) -> Result:
    """Return risks and bounds of some repetitions, each with its own data, ticket and posterior."""
    per_shard = REPETITIONS // SHARDS
    pairs = [_one(shard * per_shard + offset) for offset in range(per_shard)]
    return {
        "repetitions": len(pairs),
        "failures": sum(risk > bound for risk, bound in pairs),
        "vacuous": sum(bound >= 1 for _, bound in pairs),
        "slack": statistics.mean(bound - risk for risk, bound in pairs),
    }


def _one(seed: int) -> tuple[float, float]:
    """Return the true Gibbs risk and the certified one; priors by turns from a split, at init."""
    data = f"synthetic:n=300,dim=5,separation=2,seed={seed},test=10"
    split = 0.5 if seed % 2 else 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = FindPlan(train=TrainPlan(epochs=4, lr=0.1, batch_size=50), levels=1)
        find(
            FindRequest(
                model=MODEL, data=data, out=folder / "run", plan=plan, split=split, seed=seed,
                quiet=True,
            )
        )  # fmt: skip
        [found] = certify(
            CertifyRequest(
                path=folder / "run" / "level_01", model=MODEL, data=data, out=folder / "out",
                prior=None if split else "init", all_data=not split, delta=DELTA, draws=3,
                epochs=4, seed=seed, quiet=True,
            )
        )  # fmt: skip
        [stored] = (folder / "out").rglob("posterior.safetensors")
        law = SpikeAndSlab.from_tensors(load_file(stored))
        return _gibbs_risk(law, Blobs.parse(data), seed), float(found.certificate.risk_upper)


def _gibbs_risk(law: SpikeAndSlab, problem: Blobs, seed: int) -> float:
    """Return the mean of exact risks of linear rules drawn from the posterior."""
    generator = torch.Generator().manual_seed(seed)
    [weight] = [name for name in law.mean if name.endswith("weight")]
    [bias] = [name for name in law.mean if name.endswith("bias")]
    risks = []
    for _ in range(WEIGHTS):
        drawn = {
            name: mean + law.scale[name] * torch.randn(mean.shape, generator=generator)
            for name, mean in law.mean.items()
        }
        risks.append(problem.linear_risk(drawn[weight], drawn[bias]))
    return statistics.mean(risks)


EXPERIMENT = Experiment(
    name="synthetic",
    shards=SHARDS,
    work=repeated,
    depends=("pacbayes/bounds/*.py", "pacbayes/certificate/checker.py", "pacbayes/risk/*.py",
             "pacbayes/posterior/divergence.py", "tests/evidence/synthetic.py"),
)  # fmt: skip
