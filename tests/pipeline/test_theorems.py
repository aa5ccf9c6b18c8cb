"""Every theorem from a small search to a certificate that the checker accepts."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from pacbayes.bounds import Stage, recursive_bound
from pacbayes.certificate import Certificate, alternatives, render_alternatives, verify
from pacbayes.cli.main import main
from pacbayes.errors import UsageError
from pacbayes.pipeline import certify
from pacbayes.pipeline.counting import network_digest
from pacbayes.pipeline.recursive import parts_of
from pacbayes.posterior.network_code import decode
from pacbayes.risk import count_errors
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet
from tests.pipeline.requests import find_levels, network, small_certify


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return find_levels(tmp_path_factory.mktemp("run"), split=0.5)


@pytest.fixture(scope="module")
def data_free(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return find_levels(tmp_path_factory.mktemp("free"), split=0.0)


def certified(path: Path, out: Path, **options: Any) -> Certificate:
    (found,) = certify(small_certify(path, out, **options))
    assert verify(found.path).accepted
    return found.certificate


def test_one_drawn_network_is_the_one_that_its_certificate_names(run: Path, tmp_path: Path) -> None:
    found = certified(run / "level_02", tmp_path, bound="disintegrated")
    document = found.document
    weights = load_file(tmp_path / "ticket" / "network.safetensors")
    assert document["posterior"]["network_sha256"] == network_digest(weights, {})
    assert document["mc"]["draws"] == 1
    assert document["mc"]["trials"] == found.n
    assert "delta share 1/20" not in found.claim.statement
    assert found.predictor == "single"
    assert document["delta_shares"] == [{"purpose": "theorem", "share": "1/20"}]


def test_a_second_run_draws_the_same_network(run: Path, tmp_path: Path) -> None:
    first = certified(run / "level_02", tmp_path / "a", bound="disintegrated")
    second = certified(run / "level_02", tmp_path / "b", bound="disintegrated")
    assert first.document == second.document


def test_a_fixed_network_pays_no_nats(run: Path, tmp_path: Path) -> None:
    found = certified(run / "level_02", tmp_path, bound="test-set")
    assert found.document["posterior"]["kl_upper"] == "0"
    kl = certified(run / "level_02", tmp_path / "kl")
    assert found.document["mc"]["errors"] == kl.document["reference"]["holdout"]["errors"]
    assert found.risk_upper == kl.document["reference"]["holdout"]["risk_upper"]


def test_a_fixed_network_needs_unseen_examples(data_free: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="prior part"):
        certified(data_free / "level_00", tmp_path, bound="test-set")


def test_a_code_decodes_to_the_certified_network(run: Path, tmp_path: Path) -> None:
    found = certified(run / "level_02", tmp_path, bound="occam")
    tensors = found.document["posterior"]["tensors"]
    data = (tmp_path / "ticket" / "network.code").read_bytes()
    weights = decode(data, {t["name"]: tuple(t["shape"]) for t in tensors})
    assert network_digest(weights, {}) == found.document["posterior"]["network_sha256"]
    assert found.n == found.document["data"]["total"]
    # Nats of the document are those of the bytes and of their number.
    size = len(data)
    least = Decimal(8 * size) * Decimal(2).ln() + Decimal((size + 1) * (size + 2)).ln()
    kl_upper = Decimal(found.document["posterior"]["kl_upper"])
    assert least <= kl_upper <= least * (1 + Decimal("1e-14"))


def test_a_code_takes_no_prior_on_weights(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave --prior out"):
        small_certify(tmp_path, tmp_path, bound="occam", prior="init")


def test_best_pays_for_the_choice_and_takes_the_smaller(run: Path, tmp_path: Path) -> None:
    everything = certified(run / "level_02", tmp_path / "all", bound="all")
    best = certified(run / "level_02", tmp_path / "best", bound="best")
    purposes = [entry["purpose"] for entry in best.document["union"]]
    assert "bounds compared: kl, catoni" in purposes
    table = {row.name: Decimal(row.bound) for row in alternatives(everything)}
    assert Decimal(everything.risk_upper) == table["kl"]
    relaxed = ("rodriguez-galvez", "thiemann", "quad", "mcallester")
    assert all(table["kl, exact xi(n)"] <= table["kl"] <= table[name] for name in relaxed)
    # Two nats at most: ln 2 for the choice, and what the grid of Catoni's constant costs is in it.
    assert Decimal(best.risk_upper) <= min(table["kl"], table["catoni, grid of 20"]) * 2
    assert "every Gibbs bound" in render_alternatives(everything)


def test_alternatives_are_for_gibbs_certificates(run: Path, tmp_path: Path) -> None:
    single = certified(run / "level_02", tmp_path, bound="test-set")
    with pytest.raises(UsageError, match="Gibbs"):
        alternatives(single)


@pytest.mark.parametrize("constant", ["1.5", "prior-part", "grid"])
def test_catonis_constant_is_in_the_document(run: Path, tmp_path: Path, constant: str) -> None:
    found = certified(run / "level_02", tmp_path, bound="catoni", catoni=constant)
    bound, union = found.document["bound"], found.document["union"]
    assert bound["id"] == "catoni"
    assert 0 < float(bound["parameter"]) < 20
    assert (constant == "grid") == any("Catoni" in entry["purpose"] for entry in union)


def test_a_constant_must_be_positive(tmp_path: Path) -> None:
    for bad in ("0", "-1", "nan", "inf", "x"):
        with pytest.raises(UsageError, match="--catoni"):
            small_certify(tmp_path, tmp_path, catoni=bad)


def test_a_chain_of_posteriors(data_free: Path, tmp_path: Path) -> None:
    options = {"bound": "recursive", "parts": 3, "prior": "init"}
    found = certified(data_free / "level_00", tmp_path, **options)
    stages = found.document["stages"]
    assert [stage["n"] for stage in stages] == [1500, 1125, 750]
    assert [len(stage["parts"]) for stage in stages] == [1, 3, 3]
    # An independent computation of the bound from the counted upper values, by bounds/.
    chain = [
        Stage(
            n=stage["n"],
            kl=stage["kl_upper"],
            risks=tuple(part["mc_risk_upper"] for part in stage["parts"]),
            gamma=None if place == 0 else stage["gamma"],
        )
        for place, stage in enumerate(stages)
    ]
    expected = recursive_bound(stages=chain, delta=Fraction("0.045"))
    assert float(found.risk_upper) == pytest.approx(expected, rel=1e-12)


def test_a_chain_needs_a_mask_without_data(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no data"):
        certified(run / "level_02", tmp_path, bound="recursive", prior="init")


def test_parts_are_disjoint_and_double() -> None:
    parts = parts_of(IndexSet.all(1000), 4, seeds=Seeds(1))
    assert [len(part) for part in parts] == [125, 125, 250, 500]
    union = parts[0]
    for part in parts[1:]:
        assert union.isdisjoint(part)
        union = union.union(part)
    assert union == IndexSet.all(1000)
    with pytest.raises(UsageError, match="--parts"):
        parts_of(IndexSet.all(1000), 1, seeds=Seeds(1))


def test_gamma_is_checked(data_free: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--gamma"):
        certified(data_free / "level_00", tmp_path, bound="recursive", gamma="1.0")


def test_the_drawn_network_errs_as_counted(run: Path, tmp_path: Path) -> None:
    from pacbayes.data import load_data

    found = certified(run / "level_02", tmp_path, bound="disintegrated")
    ticket = json.loads((run / "level_02" / "ticket.json").read_text())
    seen = IndexSet.from_json(ticket["provenance"]["trained"])
    data = load_data("digits", root=None, normalize="none")
    weights = load_file(tmp_path / "ticket" / "network.safetensors")
    counts = count_errors(network(), weights, {}, data.train.part(seen.complement()))
    assert counts.errors == found.document["mc"]["errors"]


def reverified(
    capsys: pytest.CaptureFixture[str], path: Path, checkpoint: Path, *options: str
) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main(["verify", str(path), "--checkpoint", str(checkpoint), *options])
    written = capsys.readouterr()
    return int(left.value.code or 0), written.out + written.err


SITE = ("--model", "mlp:64-20-10", "--data", "digits", "--split", "0.5")
FILES = {
    "kl": "posterior.safetensors",
    "disintegrated": "network.safetensors",
    "test-set": "network.safetensors",
    "occam": "network.code",
}


@pytest.mark.parametrize("bound", sorted(FILES))
def test_certificates_are_recounted_from_disk(
    run: Path, tmp_path: Path, bound: str, capsys: pytest.CaptureFixture[str]
) -> None:
    certified(run / "level_02", tmp_path, bound=bound)
    path, weights = tmp_path / "certificate.json", tmp_path / "ticket" / FILES[bound]
    code, output = reverified(capsys, path, weights)
    assert (code, "accepted at level L2" in output) == (0, True)
    code, output = reverified(capsys, path, weights, *SITE)
    assert (code, "accepted at level L3" in output) == (0, True)
    assert "counted again" in output
    # Another split is another sample; other weights are not the ones that are named.
    code, output = reverified(capsys, path, weights, *SITE, "--seed", "2")
    assert (code, "REJECTED" in output) == ((1, True) if bound != "occam" else (0, False))
    damaged = tmp_path / f"other{weights.suffix}"
    data = bytearray(weights.read_bytes())
    data[-2] ^= 1
    damaged.write_bytes(bytes(data))
    code, output = reverified(capsys, path, damaged)
    # Not the law that was named, or no law at all.
    assert code in {1, 3}
    assert "accepted" not in output


def test_a_ticket_is_named_but_cannot_be_recounted(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certified(run / "level_02", tmp_path)
    path = tmp_path / "certificate.json"
    assert reverified(capsys, path, run / "level_02")[0] == 0
    assert reverified(capsys, path, run / "level_01")[0] == 1
    code, output = reverified(capsys, path, run / "level_02", *SITE)
    assert code == 3
    assert "posterior" in output
