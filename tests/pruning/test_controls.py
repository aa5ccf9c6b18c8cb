"""Controls: what they draw anew, what they keep, and what they have seen."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.errors import InputError, UsageError
from pacbayes.pruning import State, control, redrawn, shuffled
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, Mask, Ticket, digest
from pacbayes.tickets.overlap import overlap
from tests.pruning.problems import chain, digits, find_plan, halves, network, train_plan


def ticket(**changes: object) -> Ticket:
    return chain(find_plan(levels=2, **changes))[-1]


@given(seed=st.integers(0, 1000))
def test_a_shuffled_mask_keeps_the_counts_of_every_tensor(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = Mask(
        {
            name: torch.rand(shape, generator=generator) < 0.3
            for name, shape in (("a", (5, 8)), ("b", (3, 2, 4)))
        }
    )
    other = shuffled(mask, seeds=Seeds(seed))
    assert {k: (t.shape, int(t.sum())) for k, t in other.items()} == {
        k: (t.shape, int(t.sum())) for k, t in mask.items()
    }
    assert other == shuffled(mask, seeds=Seeds(seed))


def test_a_shuffled_mask_is_uniform() -> None:
    """Each of 8 places keeps a weight in 3 of 8 of 2000 shuffles, within 5 deviations."""
    mask = Mask({"w": torch.arange(8) < 3})
    counts = sum(shuffled(mask, seeds=Seeds(seed))["w"].int() for seed in range(2000))
    deviation = (2000 * 3 / 8 * 5 / 8) ** 0.5
    assert bool(((torch.as_tensor(counts) - 750).abs() < 5 * deviation).all())


def test_partial_reinitialisation_keeps_weights_on_the_set_alone() -> None:
    init, fresh = State.of(network(1)).weights, State.of(network(2)).weights
    keep = ticket().mask
    mixed = redrawn(init, fresh, keep=keep)
    for name, tensor in mixed.items():
        if name in keep:
            assert torch.equal(tensor[keep[name]], init[name][keep[name]])
            assert torch.equal(tensor[~keep[name]], fresh[name][~keep[name]])
        else:
            assert torch.equal(tensor, fresh[name])
    assert digest(redrawn(init, fresh)) == digest(fresh)
    full = redrawn(init, fresh, keep=Mask.full(init))
    assert all(torch.equal(full[name], init[name]) for name in keep)


def test_connections_that_keep_their_weights_survive_more_often_than_chance() -> None:
    """Partial re-initialisation as an experiment: common connections of two scores stay put."""
    long = {"train": train_plan(epochs=5), "levels": 3, "fraction": 0.5}
    common = overlap(
        [chain(find_plan(score=s, **long))[-1].mask for s in ("magnitude", "l1")]
    ).common
    model = network()
    mixed = redrawn(State.of(model).weights, State.of(network(2)).weights, keep=common)
    model.load_state_dict(mixed)
    again = chain(find_plan(**long), model=model)[-1]
    survival = overlap([common, again.mask]).whole
    assert survival.deviations is not None
    assert survival.deviations > 3


def test_a_set_of_another_network_is_refused() -> None:
    init = State.of(network()).weights
    with pytest.raises(InputError, match="does not fit"):
        redrawn(init, init, keep=Mask({"fc1.weight": torch.ones(2, 2, dtype=torch.bool)}))


def test_a_reinitialised_control_has_the_mask_and_other_weights() -> None:
    plan, found = find_plan(levels=2, rewind=5), ticket(rewind=5)
    made = control(
        "reinit", found, network(), digits(), fresh=network(9), plan=plan, seeds=Seeds(1)
    )
    assert made.init is not None
    assert digest(made.init) == digest(State.of(network(9)).weights)
    assert made.mask == found.mask
    assert made.provenance.mask == made.provenance.trained == halves().prior
    # The ticket's own start had seen the prior part; a fresh draw has not.
    assert found.provenance.init == halves().prior
    assert made.provenance.init == IndexSet.none(len(digits().train))
    assert made.notes["control"] == "reinit"
    assert (made.level, made.dense) == (found.level, found.dense)


def test_a_shuffled_control_has_the_weights_and_another_mask() -> None:
    plan, found = find_plan(levels=2), ticket()
    made = control(
        "shuffle", found, network(), digits(), fresh=network(9), plan=plan, seeds=Seeds(1)
    )
    assert made.init is not None
    assert found.init is not None
    assert digest(made.init) == digest(found.init)
    assert made.mask != found.mask
    assert made.notes["kept"] == found.notes["kept"]
    assert made.provenance == found.provenance
    for name, tensor in made.mask.items():
        assert int(tensor.sum()) == int(found.mask[name].sum())


def test_the_control_of_a_mask_without_data_is_without_data() -> None:
    plan = find_plan(levels=2, method="random")
    made = control(
        "shuffle",
        ticket(method="random"),
        network(),
        digits(),
        fresh=network(9),
        plan=plan,
        seeds=Seeds(1),
    )
    assert made.provenance.mask == IndexSet.none(len(digits().train))


def test_controls_repeat() -> None:
    plan, found = find_plan(levels=2), ticket()
    for kind in ("reinit", "shuffle"):
        pair = [
            control(kind, found, network(), digits(), fresh=network(9), plan=plan, seeds=Seeds(1))
            for _ in range(2)
        ]
        assert pair[0].digest == pair[1].digest


def test_a_ticket_without_provenance_has_no_control() -> None:
    found = ticket().with_provenance(trained=None)
    with pytest.raises(UsageError, match="known provenance"):
        control(
            "reinit", found, network(), digits(), fresh=network(9), plan=find_plan(), seeds=Seeds(1)
        )
