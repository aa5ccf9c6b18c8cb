"""Each mistake that published certificates contain is refused by a structural check."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pacbayes.bounds import Confidence, kl_bound
from pacbayes.certificate import Certificate, verify
from pacbayes.certificate.document import canonical, self_hash
from pacbayes.checkpoints import read_ticket
from pacbayes.data import load_data
from pacbayes.errors import InputError, UnsoundError, UsageError
from pacbayes.pipeline import CertifyRequest, certify
from pacbayes.posterior import Prior, SpikeAndSlab, divergence
from pacbayes.runtime.folders import write_ticket
from pacbayes.tickets import IndexSet
from tests.pipeline.requests import find_levels, foreign_files, small_certify


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return find_levels(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def certificate(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    certify(small_certify(run / "level_02", out))
    return out / "certificate.json"


def refused(request: CertifyRequest) -> set[str]:
    with pytest.raises(UnsoundError) as caught:
        certify(request)
    assert not (request.out / "certificate.json").exists()
    return {problem.condition for problem in caught.value.problems}


def rewritten(certificate: Path, out: Path, change: dict[tuple[str, ...], object]) -> Path:
    """Change fields and recompute the statement and the self-hash, as a careful forger would."""
    document = json.loads(certificate.read_text())
    for path, value in change.items():
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    del document["self_sha256"]
    document["self_sha256"] = self_hash(document)
    out.write_bytes(canonical(document))
    return out


def test_a_mask_that_saw_the_certificate_part_is_not_free(run: Path, tmp_path: Path) -> None:
    """Mask unpaid: a ticket whose mask saw everything, its weights only the prior part."""
    ticket = read_ticket(run / "level_02")
    total = ticket.provenance.trained.total
    write_ticket(tmp_path / "t", ticket.with_provenance(mask=IndexSet.all(total)))
    request = small_certify(tmp_path / "t", tmp_path / "out", split=0.5, prior="split")
    assert "V4" in refused(request)


def test_an_unpaid_mask_price_does_not_verify(run: Path, tmp_path: Path) -> None:
    files = foreign_files(tmp_path / "files", run)
    out = tmp_path / "out"
    certify(small_certify(files["model"], out, init=files["init"], mask=files["mask"]))
    document = json.loads((out / "certificate.json").read_text())
    assert sum(float(t["kl"]["mask"]) for t in document["posterior"]["tensors"]) > 100
    assert document["prior"]["mask"]["price"] == "count"
    forged = rewritten(
        out / "certificate.json", tmp_path / "f.json", {("prior", "mask", "price"): "free"}
    )
    assert not verify(forged).accepted


def test_n_overstated_does_not_verify(certificate: Path, tmp_path: Path) -> None:
    for place in (("data", "n"), ("evidence", "n")):
        forged = rewritten(certificate, tmp_path / "f.json", {place: 1500})
        assert not verify(forged).accepted
    both = {("data", "n"): 1500, ("evidence", "n"): 1500}
    assert not verify(rewritten(certificate, tmp_path / "f.json", both)).accepted


def test_draws_taken_as_exact_do_not_verify(certificate: Path, tmp_path: Path) -> None:
    """The Monte Carlo mean in place of its upper value, with the claim that would follow."""
    document = json.loads(certificate.read_text())
    mean = document["mc"]["errors"] / document["mc"]["trials"]
    claim = kl_bound(
        risk=mean,
        kl=float(document["posterior"]["kl_upper"]),
        n=document["data"]["n"],
        delta=Confidence("0.05").theorem,
    )
    change = {
        ("mc", "risk_upper"): f"{mean:.17f}",
        ("evidence", "risk_upper"): f"{mean:.17f}",
        ("claim", "risk_upper"): f"{claim:.17f}",
    }
    assert not verify(rewritten(certificate, tmp_path / "f.json", change)).accepted


def test_a_prior_that_saw_the_certificate_part_is_refused(run: Path, tmp_path: Path) -> None:
    """Another split than the one that the weights were trained on: the parts overlap."""
    lists = {"prior": list(range(750)), "certificate": list(range(750, 1500))}
    (tmp_path / "split.json").write_text(json.dumps(lists))
    request = small_certify(
        run / "level_02", tmp_path / "out", split_file=tmp_path / "split.json", prior="split"
    )
    assert {"V1", "V4"} <= refused(request)


def test_weights_trained_on_everything_are_never_the_prior(run: Path, tmp_path: Path) -> None:
    """A foreign file without a statement: refused without a split, retrained with one."""
    files = foreign_files(tmp_path / "files", run)
    request = small_certify(files["model"], tmp_path / "out", prior="split")
    assert refused(request) == {"V1"}
    given = replace(request, split=0.5, mask=files["mask"], out=tmp_path / "second")
    (found,) = certify(given)
    foreign = torch.load(files["model"], weights_only=True)
    prior = read_ticket(tmp_path / "second" / "ticket" / "prior" / "level_03")
    assert any(not torch.equal(prior.trained[name], foreign[name]) for name in foreign)
    assert len(prior.provenance.trained) == 750
    assert found.certificate.document["prior"]["seen"]["count"] == 750
    assert any("cannot be the prior" in remark for remark in found.remarks)


def test_trained_on_prior_part_needs_index_lists(run: Path, tmp_path: Path) -> None:
    files = foreign_files(tmp_path / "files", run)
    request = small_certify(files["model"], tmp_path / "out", trained_on="prior-part", split=0.5)
    assert refused(request) == {"V1"}


def test_several_priors_cost_the_logarithm_of_their_number(run: Path, tmp_path: Path) -> None:
    """Best of several priors: charged when declared, and the charge cannot be taken back."""
    (one,) = certify(small_certify(run / "level_02", tmp_path / "one"))
    (many,) = certify(small_certify(run / "level_02", tmp_path / "many", priors_tried=1000))
    assert float(many.certificate.risk_upper) > float(one.certificate.risk_upper)
    forged = rewritten(
        tmp_path / "many" / "certificate.json", tmp_path / "f.json", {("union",): []}
    )
    assert not verify(forged).accepted
    with pytest.raises(UsageError):
        small_certify(run / "level_02", tmp_path / "none", priors_tried=0)


def part_statistics(run: Path) -> str:
    data = load_data("digits")
    seen = read_ticket(run / "level_02").provenance.trained
    pixels = data.train.part(seen.complement()).inputs.double()
    return f"{float(pixels.mean()):.6f},{float(pixels.std()):.6f}"


def test_statistics_of_the_certificate_part_are_charged_or_refused(
    run: Path, tmp_path: Path
) -> None:
    constants = part_statistics(run)
    lying = small_certify(
        run / "level_02", tmp_path / "lie", normalize=constants, declare={"V6": "fixed long ago"}
    )
    assert refused(lying) == {"V6"}
    (paid,) = certify(small_certify(run / "level_02", tmp_path / "paid", normalize=constants))
    union = paid.certificate.document["union"]
    assert [(entry["purpose"], entry["choices"]) for entry in union] == [
        ("normalisation of channel 0", 10**12)
    ]


def test_a_parameter_missing_from_the_kl_is_refused(run: Path) -> None:
    ticket = read_ticket(run / "level_02")
    prior = Prior.from_split(ticket, total=ticket.provenance.trained.total)
    inclusion = {name: prior.mask.of(name, m).float() for name, m in prior.mean.items()}
    whole = SpikeAndSlab(
        mean=prior.mean,
        scale={name: 0.1 * kept for name, kept in inclusion.items()},
        inclusion=inclusion,
    )
    name = next(iter(prior.mean))
    parts = {
        group: {k: t for k, t in getattr(whole, group).items() if k != name}
        for group in ("mean", "scale", "inclusion")
    }
    with pytest.raises(InputError, match=name):
        divergence(SpikeAndSlab(**parts), prior)


def test_a_parameter_missing_from_the_checkpoint_is_refused(run: Path, tmp_path: Path) -> None:
    weights = dict(read_ticket(run / "level_00").trained)
    name = sorted(weights)[0]
    del weights[name]
    torch.save(weights, tmp_path / "model.pt")
    with pytest.raises(InputError, match=name):
        certify(small_certify(tmp_path / "model.pt", tmp_path / "out"))


def test_a_tensor_taken_out_of_the_document_does_not_verify(
    certificate: Path, tmp_path: Path
) -> None:
    tensors = json.loads(certificate.read_text())["posterior"]["tensors"]
    forged = rewritten(certificate, tmp_path / "f.json", {("posterior", "tensors"): tensors[1:]})
    assert not verify(forged).accepted


def test_the_honest_certificate_verifies(certificate: Path) -> None:
    found = verify(certificate)
    assert found.accepted
    assert isinstance(found.certificate, Certificate)
    assert np.isfinite(float(found.certificate.risk_upper))
