"""Where priors come from, what they have seen, and what their digests cover."""

from dataclasses import replace

import pytest
import torch

from pacbayes.errors import InputError, UsageError
from pacbayes.posterior import Prior, ScaleGrid
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket
from tests.networks import build, mlp
from tests.posterior.laws import prior_around, random_mask, weights_of

TOTAL = 20


def ticket(*, density: float = 0.5, **seen: IndexSet | None) -> Ticket:
    weights = weights_of(build(mlp))
    mask = random_mask(weights, density=density) if density < 1 else Mask.full(weights)
    nothing = IndexSet.none(TOTAL)
    known = {"init": nothing, "mask": nothing, "trained": nothing, "buffers": nothing, **seen}
    return Ticket(
        init=weights,
        mask=mask,
        trained=mask.apply({name: w + 0.1 for name, w in weights.items()}),
        provenance=Provenance(**known),
    )


HALF = IndexSet.of(range(10), total=TOTAL)
OTHER = IndexSet.of(range(8, 12), total=TOTAL)


def test_prior_at_init_has_seen_what_init_and_a_free_mask_saw() -> None:
    given = ticket(init=HALF, mask=OTHER)
    assert Prior.at_init(given, total=TOTAL).seen == HALF.union(OTHER)
    charged = Prior.at_init(given, total=TOTAL, charge_mask=True)
    assert charged.seen == HALF
    assert charged.mask_price == "count"


def test_prior_from_the_split_has_seen_what_training_and_mask_saw() -> None:
    prior = Prior.from_split(ticket(trained=HALF, mask=OTHER), total=TOTAL)
    assert prior.seen == HALF.union(OTHER)
    assert prior.kind == "split"
    assert prior.grid is None


def test_unknown_provenance_counts_as_everything() -> None:
    prior = Prior.from_split(ticket(trained=None), total=TOTAL)
    assert prior.seen == IndexSet.all(TOTAL)
    assert Prior.at_init(ticket(mask=None), total=TOTAL).seen == IndexSet.all(TOTAL)


def test_a_full_mask_has_seen_nothing() -> None:
    prior = Prior.at_init(ticket(density=1.0, mask=None), total=TOTAL)
    assert len(prior.seen) == 0


def test_prior_means_are_zero_off_the_mask() -> None:
    given = ticket()
    for prior in (Prior.at_init(given, total=TOTAL), Prior.from_split(given, total=TOTAL)):
        for name, mean in prior.mean.items():
            assert not mean[~given.mask.of(name, mean)].any()
    assert all(not m.any() for m in Prior.at_zero(given, total=TOTAL).mean.values())


def test_prior_at_init_needs_initial_weights() -> None:
    with pytest.raises(InputError, match="--init"):
        Prior.at_init(replace(ticket(), init=None), total=TOTAL)


def test_scales_off_the_grid_are_refused() -> None:
    prior = Prior.at_init(ticket(), total=TOTAL)
    with pytest.raises(UsageError, match="grid"):
        replace(prior, scale={name: 0.0501 for name in prior.scale})
    with pytest.raises(UsageError, match="positive"):
        replace(prior_around(weights_of(build(mlp))), scale=dict.fromkeys(prior.scale, 0.0))
    with pytest.raises(UsageError, match="fixed"):
        prior_around(weights_of(build(mlp))).on_grid(prior.scale)


def test_every_ingredient_enters_the_digest() -> None:
    prior = Prior.at_init(ticket(), total=TOTAL)
    moved = {name: mean.clone() for name, mean in prior.mean.items()}
    moved["2.bias"][0] = torch.nextafter(moved["2.bias"][0], torch.tensor(9.0))
    others = [
        replace(prior, mean=moved),
        replace(prior, kind="given"),
        replace(prior, mask_price="count"),
        replace(prior, seen=HALF),
        replace(prior, mask_seen=HALF),
        prior.on_grid({name: 0.1 for name in prior.scale}),
        Prior.at_init(ticket(density=0.3), total=TOTAL),
        Prior.at_init(ticket(), total=TOTAL, grid=ScaleGrid(size=300)),
    ]
    digests = {prior.digest, *(other.digest for other in others)}
    assert len(digests) == len(others) + 1


def test_grid_values_and_their_nearest_indices() -> None:
    grid = ScaleGrid(top=1.0, steps_per_octave=4, size=40)
    assert grid.value(0) == 1.0
    assert grid.value(4) == 0.5
    assert [grid.nearest(grid.value(j)) for j in range(40)] == list(range(40))
    assert grid.nearest(1e9) == 0
    assert grid.nearest(1e-9) == 39
    assert grid.weight * 40 == 1
    with pytest.raises(UsageError):
        grid.value(40)
