"""Fitting random masks: it lowers its objective, keeps to the density, and resumes bit for bit."""

from pathlib import Path

import pytest
import torch

from pacbayes.posterior import INCLUSIONS, FitPlan, Fitted, Prior, divergence, fit_gates
from pacbayes.posterior.gates import START, Gates
from pacbayes.posterior.spike_and_slab import STEPS
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket
from tests.networks import GENERAL, LAYERED, build
from tests.posterior.laws import random_mask, weights_of
from tests.posterior.test_fit import blobs, plan

KINDS = {**LAYERED, **GENERAL}


def ticket(kind: str = "mlp", *, density: float = 0.5) -> Ticket:
    weights = weights_of(build(KINDS[kind][0]))
    mask = random_mask(weights, density=density) if density < 1 else Mask.full(weights)
    nothing = IndexSet.none(300)
    return Ticket(
        init=weights,
        mask=mask,
        trained=mask.apply(weights),
        provenance=Provenance(init=nothing, mask=nothing.complement(), trained=nothing),
    )


def fitted(
    kind: str = "mlp", *, density: float = 0.5, journal: Path | None = None, **changes: object
) -> Fitted:
    factory, shape = KINDS[kind]
    given = ticket(kind, density=density)
    prior = Prior.at_init(given, total=300, gates=INCLUSIONS)
    options: FitPlan = plan(**changes)
    return fit_gates(
        prior,
        prior.mean,
        given.mask,
        build(factory),
        blobs(shape),
        plan=options,
        seeds=Seeds(3),
        journal=journal,
        quiet=True,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_moves_towards_the_data(kind: str) -> None:
    found = fitted(kind, density=1.0, epochs=20, n=100_000)
    factory, shape = KINDS[kind]
    sample, model = blobs(shape), build(factory)

    def errors(weights: dict[str, torch.Tensor]) -> int:
        logits = torch.func.functional_call(model, weights, (sample.inputs,))
        return int((logits.argmax(1) != sample.labels).sum())

    posterior = found.posterior
    centre = {name: posterior.inclusion[name] * mean for name, mean in posterior.mean.items()}
    assert errors(centre) < 0.5 * errors(found.prior.mean)


def test_inclusions_are_24_bits_and_keep_to_the_density() -> None:
    found = fitted(density=0.5, epochs=20, n=100_000)
    inclusion = found.posterior.inclusion
    prunable = [inclusion[name] for name in found.prior.mask]
    values = torch.cat([q.reshape(-1) for q in prunable])
    assert torch.equal((values * STEPS).round(), values * STEPS)
    assert float(values.mean()) < 1.05 * ticket().mask.density
    assert bool(((values > 0) & (values < 1)).any())
    assert bool((inclusion["0.bias"] == 1).all())


def test_prior_scales_and_inclusions_lie_on_their_grids_near_the_best() -> None:
    found = fitted(epochs=3)
    for name, index in found.prior.inclusion_index.items():
        rate = float(found.posterior.inclusion[name].mean())
        assert found.prior.inclusion[name] == INCLUSIONS.value(index)
        assert found.prior.inclusion[name] == pytest.approx(rate, rel=0.011)


def test_the_fitted_objective_reads_the_certified_divergence() -> None:
    """The state's kl is at the best real scale and inclusion; the grid costs less than a nat."""
    given = ticket()
    prior = Prior.at_init(given, total=300, gates=INCLUSIONS)
    state = Gates.start(prior, prior.mean, given.mask, scale=0.7)
    with torch.no_grad():
        for shift, tensor in enumerate(state.mean.values()):
            tensor.add_(0.1 * (shift + 1))
        real = float(state.kl(state.inclusions()))
    certified = float(divergence(state.posterior(), state.prior_on_grid()).total)
    assert real - 1e-3 <= certified <= real + 1.0


def test_the_start_has_the_tickets_density() -> None:
    given = ticket()
    prior = Prior.at_init(given, total=300, gates=INCLUSIONS)
    found = Gates.start(prior, prior.mean, given.mask, scale=1.0).inclusions()
    values = torch.cat([q.reshape(-1) for q in found.values()])
    kept = torch.cat([given.mask[name].reshape(-1) for name in found])
    assert torch.allclose(values[kept], torch.tensor(START), atol=1e-6)
    assert float(values.detach().mean()) == pytest.approx(given.mask.density, rel=1e-5)


def test_moments_are_those_of_drawn_gates() -> None:
    """Over 200,000 draws of entry, mean and variance within six standard errors."""
    given = ticket()
    prior = Prior.at_init(given, total=300, gates=INCLUSIONS)
    state = Gates.start(prior, prior.mean, given.mask, scale=2.0)
    with torch.no_grad():
        mean, variance = state.moments(state.inclusions())
        law = state.posterior()
    name, draws = "0.weight", 200_000
    generator = torch.Generator().manual_seed(1)
    shape = (draws, *mean[name].shape)
    slab = law.mean[name] + law.scale[name] * torch.randn(shape, generator=generator)
    drawn = (slab * (torch.rand(shape, generator=generator) < law.inclusion[name])).double()
    error = drawn.std(dim=0) / draws**0.5
    assert bool(((drawn.mean(dim=0) - mean[name]).abs() < 6 * error).all())
    square = (drawn - drawn.mean(dim=0)).square()
    error = square.std(dim=0) / draws**0.5
    assert bool(((square.mean(dim=0) - variance[name]).abs() < 6 * error + 1e-7).all())


def test_a_killed_fit_resumes_to_the_same_bits(tmp_path: Path) -> None:
    journal = tmp_path / "fit.safetensors"
    whole = fitted(epochs=4)
    kept: list[bytes] = []
    original = Gates.save

    def save_and_stop(self: Gates, *args: object, **options: object) -> None:
        original(self, *args, **options)
        kept.append(journal.read_bytes())
        if len(kept) == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gates, "save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            fitted(epochs=4, journal=journal)
    again = fitted(epochs=4, journal=journal)
    assert again.posterior.digest == whole.posterior.digest
    assert again.prior.digest == whole.prior.digest
