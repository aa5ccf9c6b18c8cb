"""Everything that the link between geometry and bounds asks about one ticket."""

from dataclasses import dataclass
from typing import Any

from safetensors.torch import load_file

from pacbayes.landscape import (
    distance,
    expected_sharpness,
    posterior_volume,
    ray_volume,
    top_eigenvalue,
)
from pacbayes.posterior import SpikeAndSlab
from pacbayes.posterior.legacy import legacy_value
from pacbayes.studies.bench import Bench, items_of
from pacbayes.tickets import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much work goes into one portrait.

    Attributes:
        epochs: of fitting the posterior.
        draws: weight draws per example of the certificate.
        scale: standard deviation of the noise of the expected sharpness.
        noises: draws of that noise.
        rays: of the volume.
        rise: of the cross-entropy that ends a ray.
    """

    epochs: int = 5
    draws: int = 1
    scale: float = 0.03
    noises: int = 10
    rays: int = 4
    rise: float = 0.1


def portrait(
    bench: Bench, arm: str, ticket: Ticket, *, seed: int, effort: Effort
) -> dict[str, Any]:
    """Return risk, certificate by item, legacy value, sharpness, curvature, distance, volume.

    Sharpness, curvature and rays are taken on examples that training saw; nothing of this enters
    the certificate.

    Args:
        bench: of the study.
        arm: name of the chain that the ticket belongs to.
        ticket: with its level.
        seed: of the chain.
        effort: how much work.
    """
    certificate, folder = bench.certified(
        arm, ticket.level, seed=seed, epochs=effort.epochs, draws=effort.draws
    )
    items = items_of(certificate)
    law = SpikeAndSlab.from_tensors(load_file(folder / "posterior.safetensors"))
    return {
        "arm": arm,
        "seed": seed,
        "level": ticket.level,
        "density": ticket.mask.density,
        "kept": ticket.mask.kept,
        "test_risk": bench.risk(ticket),
        **items,
        **_legacy(law, ticket, items, delta=float(certificate.delta_total)),
        **_geometry(bench, ticket, seed=seed, effort=effort),
        "posterior_volume": posterior_volume(law).per_dimension.value,
    }


def _legacy(
    law: SpikeAndSlab, ticket: Ticket, items: dict[str, float], *, delta: float
) -> dict[str, float]:
    """Return the published value for the same posterior, with and without its mask's price."""
    risk, n, init = items["risk"], int(items["n"]), ticket.init or {}
    whole = legacy_value(law, init, ticket.mask)
    bare = legacy_value(law, init, ticket.mask, mode="gaussian")
    return {
        "legacy": whole.value(risk=risk, n=n, delta=delta),
        "legacy_gaussian": bare.value(risk=risk, n=n, delta=delta),
        "legacy_mask": whole.mask,
        "legacy_weights": whole.weights,
    }


def _geometry(bench: Bench, ticket: Ticket, *, seed: int, effort: Effort) -> dict[str, Any]:
    network, seen, moved = bench.network(seed), bench.seen(seed), distance(ticket)
    sharp = expected_sharpness(
        network, ticket, seen, scale=effort.scale, draws=effort.noises, seed=seed
    )
    top = top_eigenvalue(network, ticket, seen, tolerance=1e-2, seed=seed)
    volume = ray_volume(
        network, ticket, seen, rise=effort.rise, rays=effort.rays, seed=seed, relative=True
    )
    return {
        "sharpness": sharp.value,
        "sharpness_low": sharp.low,
        "sharpness_high": sharp.high,
        "top_eigenvalue": top.value,
        "distance": moved.raw,
        "distance_normalised": moved.normalised,
        "rank_correlation": moved.rank_correlation,
        "ray_volume": volume.per_dimension.value,
    }
