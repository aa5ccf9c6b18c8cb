"""Running statistics are of the prior part, gone, or paid for; and never anything else."""

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from pacbayes.bounds import kl_bound
from pacbayes.certificate import verify
from pacbayes.checkpoints import read_ticket
from pacbayes.data import load_data
from pacbayes.errors import InputError, UnsoundError, UsageError
from pacbayes.models import build_model, weights
from pacbayes.pipeline import certify
from pacbayes.pipeline.batchnorm import settled
from pacbayes.pipeline.stages import as_posterior
from pacbayes.posterior import Prior, divergence
from pacbayes.risk import count_errors
from pacbayes.runtime.folders import write_ticket
from pacbayes.tickets import IndexSet, Mask, Ticket
from tests.pipeline.requests import find_levels, small_certify

MODEL = "tests.networks:digits_with_batch_norm"
CHANNELS = 6 + 12
TOTAL = 1500


def network() -> torch.nn.Module:
    return build_model(MODEL, in_shape=(1, 8, 8), classes=10, args={}, seed=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tickets that have seen half of the examples."""
    return find_levels(tmp_path_factory.mktemp("half"), model=MODEL)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tickets that have seen all examples."""
    return find_levels(tmp_path_factory.mktemp("all"), model=MODEL, split=0.0)


def document(path: Path, out: Path, **changes: Any) -> dict[str, Any]:
    certify(small_certify(path, out, model=MODEL, **changes))
    assert verify(out / "certificate.json").accepted
    found: dict[str, Any] = json.loads((out / "certificate.json").read_text())
    return found


def refused(path: Path, out: Path, **changes: Any) -> dict[str | None, str]:
    with pytest.raises(UnsoundError) as caught:
        certify(small_certify(path, out, model=MODEL, **changes))
    assert not (out / "certificate.json").exists()
    return {problem.condition: problem.message for problem in caught.value.problems}


def condition(found: dict[str, Any], key: str) -> tuple[str, str]:
    entry = next(entry for entry in found["conditions"] if entry["id"] == key)
    return entry["status"], entry["note"]


def settle(ticket: Ticket, mode: Any) -> Any:
    return settled(ticket, network(), mode, in_shape=(1, 8, 8), total=TOTAL)


# --- prior-split


def test_statistics_of_the_prior_part_are_free(run: Path, tmp_path: Path) -> None:
    found = document(run / "level_02", tmp_path / "out", dense=True)
    assert condition(found, "V5")[0] == "checked"
    assert found["union"] == []
    assert found["data"]["n"] == found["prior"]["seen"]["count"] == TOTAL // 2
    # gains and shifts are in the divergence like any other parameter
    names = {tensor["name"] for tensor in found["posterior"]["tensors"]}
    assert {"1.weight", "1.bias", "5.weight", "5.bias"} <= names
    assert float(found["claim"]["risk_upper"]) < 0.5
    assert verify(tmp_path / "out" / "dense.certificate.json").accepted


def test_statistics_of_the_prior_part_with_the_prior_at_init(run: Path, tmp_path: Path) -> None:
    """Their examples do not count, although the initial weights saw none."""
    found = document(run / "level_00", tmp_path / "out", prior="init")
    assert found["data"]["n"] == TOTAL // 2
    assert found["prior"]["seen"]["count"] == TOTAL // 2


def test_statistics_that_saw_the_certificate_part_are_refused(run: Path, tmp_path: Path) -> None:
    """All weights are innocent; one index among the statistics' is not."""
    ticket = read_ticket(run / "level_02")
    assert ticket.provenance.trained is not None
    part = ticket.provenance.trained
    one_more = part.union(IndexSet.of(part.complement().indices[:1], total=TOTAL))
    write_ticket(tmp_path / "t", ticket.with_provenance(buffers=one_more))
    split = {"split_file": split_file(tmp_path / "split.json", part)}
    problems = refused(tmp_path / "t", tmp_path / "out", prior="split", **split)
    assert set(problems) == {"V1", "V5"}
    assert "seen 1 of the 750" in problems["V5"]
    # without a split of the user's, the certificate part is what nobody has seen
    assert document(tmp_path / "t", tmp_path / "b")["data"]["n"] == TOTAL // 2 - 1


def split_file(path: Path, part: IndexSet) -> Path:
    lists = {"prior": part.indices.tolist(), "certificate": part.complement().indices.tolist()}
    path.write_text(json.dumps(lists))
    return path


@pytest.mark.parametrize("changes", [{}, {"prior": "init"}, {"prior": "init", "all_data": True}])
def test_statistics_of_everything_are_refused_with_the_remedy(
    everything: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    problems = refused(everything / "level_00", tmp_path / "out", **changes)
    assert "--batchnorm fold or --batchnorm charge" in problems["V5"]


def test_one_statistic_changed_by_one_ulp_is_not_the_same_network(run: Path) -> None:
    """Equality of prior and posterior is bit for bit."""
    prior = Prior.from_split(read_ticket(run / "level_02"), total=TOTAL)
    posterior = as_posterior(prior)
    assert divergence(posterior, prior)
    mean = posterior.buffers["1.running_mean"].clone()
    mean[0] = torch.nextafter(mean[0], torch.tensor(math.inf))
    posterior.buffers["1.running_mean"] = mean
    with pytest.raises(InputError, match=r"1\.running_mean.* infinite kl"):
        divergence(posterior, prior)


def test_a_fresh_prior_has_fresh_statistics(everything: Path, tmp_path: Path) -> None:
    """Those of a checkpoint that saw everything stay outside."""
    options = {"prior": "split", "split": 0.5, "prior_epochs": 2, "epochs": 0}
    for mode in ("prior-split", "fold", "charge"):
        found = document(everything / "level_00", tmp_path / mode, batchnorm=mode, **options)
        assert found["union"] == []
        assert found["data"]["n"] == TOTAL // 2


def test_without_epochs_the_posterior_is_the_prior(run: Path, tmp_path: Path) -> None:
    found = document(run / "level_02", tmp_path / "out", epochs=0)
    # scales are stored in float32: one part in 2^24 of each, squared
    assert float(found["posterior"]["kl_upper"]) < 1e-9


# --- fold


def test_a_folded_ticket_has_no_statistics_and_the_same_errors(everything: Path) -> None:
    ticket = read_ticket(everything / "level_02")
    found = settle(ticket, "fold")
    assert not found.ticket.buffers
    assert not found.choices
    assert found.ticket.mask == ticket.mask
    names = {name for name, _ in found.model.named_parameters()}
    assert set(found.ticket.trained) == set(found.ticket.init) == names
    assert "1.weight" not in names
    assert "0.bias" in names
    train = load_data("digits").train
    before = count_errors(network(), ticket.trained, ticket.buffers, train)
    # a logit moves by some 1e-6 of its size; one example in 1,500 could be that close to a tie
    assert abs(count_errors(found.model, found.ticket.trained, {}, train).errors
               - before.errors) <= 1  # fmt: skip


def test_folded_weights_have_seen_what_their_statistics_have_seen(run: Path) -> None:
    ticket = read_ticket(run / "level_02")
    everybody = IndexSet.all(TOTAL)
    found = settle(ticket.with_provenance(buffers=everybody), "fold").ticket
    assert found.provenance.trained == everybody
    assert found.provenance.init == IndexSet.none(TOTAL)
    unknown = settle(ticket.with_provenance(buffers=None), "fold").ticket
    assert unknown.provenance.seen("trained", total=TOTAL) == everybody


def test_a_folded_prior_split_needs_clean_statistics_too(run: Path, tmp_path: Path) -> None:
    found = document(run / "level_02", tmp_path / "a", batchnorm="fold")
    assert condition(found, "V5") == (
        "checked", "2 layers with running statistics were folded into those before them",
    )  # fmt: skip
    ticket = read_ticket(run / "level_02")
    write_ticket(tmp_path / "t", ticket.with_provenance(buffers=IndexSet.all(TOTAL)))
    assert "V1" in refused(tmp_path / "t", tmp_path / "b", batchnorm="fold", prior="split")


def test_folding_allows_all_data_with_the_prior_at_init(everything: Path, tmp_path: Path) -> None:
    found = document(everything / "level_00", tmp_path / "out", batchnorm="fold", prior="init")
    assert found["data"]["n"] == TOTAL
    assert found["prior"]["seen"]["count"] == 0
    assert not any("running" in entry["purpose"] for entry in found["union"])
    # the claim is about the checkpoint that was handed over
    ticket = read_ticket(everything / "level_00")
    assert found["posterior"]["checkpoint_sha256"] == ticket.digest


def test_the_folded_init_has_seen_nothing(everything: Path) -> None:
    """It comes from initial weights and the statistics of a new network, 0 and 1."""
    ticket = read_ticket(everything / "level_00")
    assert ticket.init is not None
    found = settle(ticket, "fold").ticket
    assert found.init is not None
    # new gains are 1, new shifts 0: weights over sqrt(1 + eps), rounded once to float32
    expected = (ticket.init["0.weight"].double() / math.sqrt(1 + 1e-5)).float()
    assert torch.equal(found.init["0.weight"], expected)
    assert not bool(found.init["0.bias"].any())


# --- charge


def test_charged_statistics_cost_their_code(everything: Path, tmp_path: Path) -> None:
    level = everything / "level_00"
    found = document(level, tmp_path / "out", batchnorm="charge", prior="init")
    assert found["data"]["n"] == TOTAL
    paid = [e["choices"] for e in found["union"] if e["purpose"].startswith("running statistics")]
    # 32 deviations times 32 means for each channel
    assert math.prod(paid) == (32 * 32) ** CHANNELS
    assert condition(found, "V5")[1].startswith("running statistics were coded in 1024 pairs")


def test_the_bound_pays_for_the_code(everything: Path, tmp_path: Path) -> None:
    """Recomputed from the counts with the code's weight by hand; without it, it is lower."""
    found = document(everything / "level_00", tmp_path / "o", batchnorm="charge", prior="init")
    grid = math.prod(
        e["choices"] for e in found["union"] if e["purpose"].startswith("prior scale of ")
    )
    share = Fraction(next(s["share"] for s in found["delta_shares"] if s["purpose"] == "theorem"))
    risk, kl = float(found["mc"]["risk_upper"]), float(found["posterior"]["kl_upper"])

    def bound(code: int) -> float:
        return kl_bound(risk=risk, kl=kl, n=TOTAL, delta=share / (grid * code))

    claimed = float(found["claim"]["risk_upper"])
    # the checker allows 8 units in the last place of a double
    assert claimed == pytest.approx(bound(1024**CHANNELS), rel=1e-14)
    assert bound(1) < claimed


def test_coded_statistics_leave_the_trained_network_as_it_is(everything: Path) -> None:
    """Gains and shifts make up for the rounding of the code, and are in the divergence."""
    ticket = read_ticket(everything / "level_02")
    found = settle(ticket, "charge")
    assert any(not torch.equal(t, ticket.buffers[name]) for name, t in found.ticket.buffers.items())
    deviations = found.ticket.buffers["1.running_var"].double().sqrt().log2() * 2
    # powers of two to the half, up to float32: 2^-24 of a number below 32
    assert torch.allclose(deviations, deviations.round(), atol=1e-5)
    train = load_data("digits").train
    before = count_errors(network(), ticket.trained, ticket.buffers, train)
    after = count_errors(network(), found.ticket.trained, found.ticket.buffers, train)
    assert abs(after.errors - before.errors) <= 1  # as for folding
    assert found.ticket.provenance.buffers == IndexSet.none(TOTAL)


# --- files of other tools


@pytest.fixture(scope="module")
def foreign(everything: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """State dicts of a trained and of a new network, statistics and all."""
    folder = tmp_path_factory.mktemp("foreign")
    ticket = read_ticket(everything / "level_00")
    files = {name: folder / f"{name}.pt" for name in ("model", "init")}
    torch.save({**ticket.trained, **ticket.buffers}, files["model"])
    torch.save(network().state_dict(), files["init"])
    return files


@pytest.mark.parametrize("mode", ["fold", "charge"])
def test_a_file_of_another_tool_is_certified_on_all_data(
    foreign: dict[str, Path], tmp_path: Path, mode: str
) -> None:
    found = document(foreign["model"], tmp_path / "out", init=foreign["init"], batchnorm=mode)
    assert found["data"]["n"] == TOTAL
    assert found["prior"]["kind"] == "init"
    assert condition(found, "V5")[0] == "checked"


def test_statistics_of_a_file_of_another_tool_are_not_free(
    foreign: dict[str, Path], tmp_path: Path
) -> None:
    problems = refused(foreign["model"], tmp_path / "a", init=foreign["init"])
    assert set(problems) == {"V5"}
    told = document(foreign["model"], tmp_path / "b", init=foreign["init"], trained_on="none")
    assert condition(told, "V5")[0] == "declared"


def test_a_file_without_its_statistics_is_refused(
    everything: Path, foreign: dict[str, Path], tmp_path: Path
) -> None:
    torch.save(read_ticket(everything / "level_00").trained, tmp_path / "bare.pt")
    with pytest.raises(InputError, match=r"missing .*1\.running_mean"):
        certify(small_certify(tmp_path / "bare.pt", tmp_path / "out", model=MODEL))


def test_an_impossible_variance_is_refused(foreign: dict[str, Path], tmp_path: Path) -> None:
    state = torch.load(foreign["model"], weights_only=True)
    state["1.running_var"][0] = -1.0
    torch.save(state, tmp_path / "odd.pt")
    for mode in ("fold", "charge"):
        with pytest.raises(InputError, match="nan"):
            certify(
                small_certify(tmp_path / "odd.pt", tmp_path / mode, model=MODEL, batchnorm=mode,
                              init=foreign["init"])
            )  # fmt: skip


# --- what has nothing to settle


@pytest.mark.parametrize("mode", ["prior-split", "fold", "charge"])
def test_fresh_statistics_have_seen_nothing(everything: Path, mode: str) -> None:
    """A buffer with the value that the network's code gives it tells nothing of the data."""
    ticket = read_ticket(everything / "level_00")
    fresh = {name: t.clone() for name, t in network().named_buffers()}
    found = settle(Ticket(
        init=ticket.init, mask=ticket.mask, trained=ticket.trained, buffers=fresh,
        provenance=ticket.provenance,
    ), mode)  # fmt: skip
    assert found.ticket.provenance.buffers == IndexSet.none(TOTAL)


def test_constants_of_the_code_rest_on_the_users_word(tmp_path: Path) -> None:
    """Training leaves them as they are, but where they come from nobody can tell."""
    model = "tests.networks:Offset"
    run = find_levels(tmp_path / "run", model=model, split=0.0)
    certify(small_certify(run / "level_00", tmp_path / "out", model=model, prior="init"))
    found = json.loads((tmp_path / "out" / "certificate.json").read_text())
    assert found["data"]["n"] == TOTAL
    status, note = condition(found, "V5")
    assert (status, note[:18]) == ("declared", "buffers ['offset']")


def test_a_layer_that_cannot_be_folded_is_refused_by_name(tmp_path: Path) -> None:
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.BatchNorm1d(64), torch.nn.Linear(64, 10)
    )
    state = {name: t.clone() for name, t in model.named_buffers()}
    state["1.running_mean"] += 1
    ticket = Ticket(
        init=None,
        mask=Mask.full(weights(model)),
        trained=weights(model),
        buffers=state,
    )
    with pytest.raises(UsageError, match=r"--batchnorm fold: 1 does not follow"):
        settled(ticket, model, "fold", in_shape=(1, 8, 8), total=TOTAL)


# --- every theorem


@pytest.mark.parametrize(
    ("bound", "mode"),
    [("occam", "fold"), ("disintegrated", "charge"), ("test-set", "prior-split")],
)
def test_other_theorems_take_networks_with_statistics(
    run: Path, everything: Path, tmp_path: Path, bound: str, mode: str
) -> None:
    """The same rules hold for one network as for a randomised one."""
    level = (run if bound == "test-set" else everything) / "level_02"
    prior = {"test-set": None, "occam": "zero"}.get(bound, "init")
    found = document(level, tmp_path / "o", bound=bound, batchnorm=mode, prior=prior, epochs=1)
    assert found["data"]["n"] == (TOTAL // 2 if bound == "test-set" else TOTAL)
    paid = [e["choices"] for e in found["union"] if e["purpose"].startswith("running statistics")]
    assert math.prod(paid) == (1024**CHANNELS if mode == "charge" else 1)


def test_a_code_does_not_hold_statistics(everything: Path, tmp_path: Path) -> None:
    request = {"bound": "occam", "batchnorm": "charge", "prior": "zero"}
    with pytest.raises(UsageError, match="--batchnorm fold"):
        certify(small_certify(everything / "level_02", tmp_path / "o", model=MODEL, **request))
