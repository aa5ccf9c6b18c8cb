"""Fitting lowers its objective, keeps the support, resumes bit for bit, and lands on the grid."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from pacbayes.errors import UsageError
from pacbayes.posterior import FitPlan, Fitted, Prior, ScaleGrid, divergence, fit
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket
from tests.networks import GENERAL, LAYERED, build, mlp
from tests.posterior.laws import prior_around, random_mask, weights_of


@dataclass(frozen=True)
class Blobs:
    inputs: torch.Tensor
    labels: torch.Tensor


def blobs(shape: tuple[int, ...], *, n: int = 300) -> Blobs:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (n,), generator=generator)
    centres = 2 * torch.randn(3, *shape, generator=generator)
    return Blobs(centres[labels] + torch.randn(n, *shape, generator=generator), labels)


def plan(**changes: object) -> FitPlan:
    options = {"n": 300, "constant": 8.0, "epochs": 6, "batch_size": 50, "lr": 1e-2}
    return FitPlan(**{**options, **changes})


def fitted(
    prior: Prior, *, kind: str = "mlp", journal: Path | None = None, **changes: object
) -> Fitted:
    factory, shape = {**LAYERED, **GENERAL}[kind]
    return fit(
        prior,
        prior.mean,
        build(factory),
        blobs(shape),
        plan=plan(**changes),
        seeds=Seeds(3),
        journal=journal,
        quiet=True,
    )


def init_prior(kind: str = "mlp", *, density: float = 1.0, grid: ScaleGrid | None = None) -> Prior:
    weights = weights_of(build({**LAYERED, **GENERAL}[kind][0]))
    mask = random_mask(weights, density=density) if density < 1 else Mask.full(weights)
    nothing = IndexSet.none(300)
    ticket = Ticket(
        init=weights,
        mask=mask,
        trained=mask.apply(weights),
        provenance=Provenance(init=nothing, mask=nothing, trained=nothing, buffers=nothing),
    )
    return Prior.at_init(ticket, total=300, grid=grid)


@pytest.mark.parametrize("kind", [*LAYERED, *GENERAL])
def test_fitting_moves_towards_the_data(kind: str) -> None:
    prior = init_prior(kind)
    found = fitted(prior, kind=kind, epochs=20, n=100_000)
    factory, shape = {**LAYERED, **GENERAL}[kind]
    sample, model = blobs(shape), build(factory)

    def errors(weights: dict[str, torch.Tensor]) -> int:
        logits = torch.func.functional_call(model, weights, (sample.inputs,))
        return int((logits.argmax(1) != sample.labels).sum())

    assert errors(found.posterior.mean) < 0.5 * errors(prior.mean)


@pytest.mark.parametrize("objective", ["kl", "quad"])
def test_support_is_kept(objective: str) -> None:
    prior = init_prior(density=0.4)
    found = fitted(prior, objective=objective)
    for name, mean in found.posterior.mean.items():
        assert torch.equal(found.posterior.kept(name), prior.mask.of(name, mean))
    divergence(found.posterior, found.prior)


def test_scales_land_on_the_grid_and_cost_little_more_than_the_best() -> None:
    """Half a grid step is ln 2 / 64; the loss is at most 2 k (ln 2 / 64)^2 / 2 nats per tensor."""
    found = fitted(init_prior())
    for name, scale in found.prior.scale.items():
        assert scale == found.prior.grid.value(found.prior.grid_index[name])
        kept = found.posterior.kept(name)
        shift = (found.posterior.mean[name] - found.prior.mean[name])[kept].double()
        second = float(
            (shift.square() + found.posterior.scale[name][kept].double().square()).mean()
        )
        best = (
            0.5
            * float(kept.sum())
            * (
                math.log(second)
                - float(found.posterior.scale[name][kept].double().log().mul(2).mean())
            )
        )
        item = next(t for t in divergence(found.posterior, found.prior).tensors if t.name == name)
        spent = float(item.mean) + float(item.scale)
        allowed = int(kept.sum()) * (math.log(2) / 64) ** 2 * 1.1
        assert best - 1e-3 <= spent <= best + allowed + 1e-3


def test_a_killed_fit_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = fitted(init_prior())
    journal = tmp_path / "fit.safetensors"

    class Killed(Exception):
        pass

    class Interrupting(Seeds):
        def torch(self, stream: str, *keys: int) -> torch.Generator:
            if keys == (4,):
                raise Killed
            return super().torch(stream, *keys)

    factory, shape = LAYERED["mlp"]
    prior = init_prior()
    with pytest.raises(Killed):
        fit(
            prior,
            prior.mean,
            build(factory),
            blobs(shape),
            plan=plan(),
            seeds=Interrupting(3),
            journal=journal,
            quiet=True,
        )
    resumed = fitted(init_prior(), journal=journal)
    assert resumed.posterior.digest == whole.posterior.digest
    assert resumed.prior.digest == whole.prior.digest


def test_the_same_seed_gives_the_same_bits() -> None:
    assert fitted(init_prior()).posterior.digest == fitted(init_prior()).posterior.digest


def test_no_epochs_return_the_start() -> None:
    weights = weights_of(build(mlp))
    prior = prior_around(weights, scale=0.1)
    found = fitted(prior, epochs=0)
    assert all(torch.equal(found.posterior.mean[name], w) for name, w in weights.items())


@pytest.mark.parametrize("changes", [{"objective": "best"}, {"epochs": -1}, {"batch_size": 0}])
def test_bad_plans_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        plan(**changes)


def test_the_order_of_names_does_not_matter() -> None:
    """Files list tensors in any order; sums over them must not follow it."""
    prior = init_prior()
    turned = dict(reversed(prior.mean.items()))
    factory, shape = LAYERED["mlp"]
    found = [
        fit(prior, start, build(factory), blobs(shape), plan=plan(), seeds=Seeds(3), quiet=True)
        for start in (prior.mean, turned)
    ]
    assert found[0].posterior.digest == found[1].posterior.digest
    items = [divergence(f.posterior, f.prior).tensors for f in found]
    assert items[0] == items[1]
