"""A random mask from the command to a certificate that verifies."""

from pathlib import Path

import pytest

from pacbayes.certificate import verify
from pacbayes.errors import UsageError
from pacbayes.pipeline import certify
from pacbayes.posterior import INCLUSIONS
from tests.pipeline.requests import find_levels, small_certify


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tickets found on all examples."""
    return find_levels(tmp_path_factory.mktemp("run") / "all", split=0.0)


def test_a_random_mask_is_certified_on_all_examples_and_charged(run: Path, tmp_path: Path) -> None:
    (found,) = certify(small_certify(run / "level_02", tmp_path / "a", gates="learned"))
    document = found.certificate.document
    assert document["data"]["n"] == document["data"]["total"]
    prior = document["prior"]
    assert prior["kind"] == "init"
    assert prior["mask"]["price"] == "gates"
    assert prior["seen"]["count"] == prior["mask"]["source_seen"]["count"] == 0
    assert prior["inclusion_grid"] == INCLUSIONS.to_json()
    paid = {choice["purpose"]: choice["choices"] for choice in document["union"]}
    for tensor in document["posterior"]["tensors"]:
        gated = tensor["name"].endswith("weight")
        assert (tensor["inclusion_index"] is not None) == gated
        assert (float(tensor["kl"]["mask"]) > 0) == gated
        assert (paid.get(f"prior inclusion of {tensor['name']}") == INCLUSIONS.size) == gated
    assert verify(found.path).certificate.document == document
    (remark,) = [text for text in found.remarks if "The mask is random" in text]
    kept = float(remark.split("mean inclusion ")[1].split(";")[0])
    assert 0 < kept < 0.7
    # The prior's inclusions are within 1.1 % of the posterior's means, by their grid.
    assert found.certificate.sparsity == pytest.approx(1 - kept, abs=0.011 * kept + 1e-4)


def test_the_same_request_gives_the_same_bytes_again(run: Path, tmp_path: Path) -> None:
    (first,) = certify(small_certify(run / "level_01", tmp_path / "a", gates="learned"))
    once = first.path.read_bytes()
    (again,) = certify(small_certify(run / "level_01", tmp_path / "a", gates="learned"))
    assert again.path.read_bytes() == once
    (other,) = certify(small_certify(run / "level_01", tmp_path / "b", gates="learned"))
    assert other.path.read_bytes() == once


def test_the_dense_twin_has_no_gates(run: Path, tmp_path: Path) -> None:
    request = small_certify(run / "level_02", tmp_path / "a", gates="learned", dense=True)
    ticket, dense = (item.certificate.document for item in certify(request))
    assert ticket["prior"]["mask"]["price"] == "gates"
    assert dense["prior"]["mask"]["price"] == "free"
    assert dense["data"]["n"] == ticket["data"]["n"]


def test_gates_and_a_prior_part_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="free already"):
        small_certify(tmp_path, tmp_path / "out", gates="learned", prior="split")


@pytest.mark.parametrize("bound", ["disintegrated", "occam", "recursive", "test-set", "all"])
def test_theorems_about_something_else_are_refused(bound: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="randomised"):
        small_certify(tmp_path, tmp_path / "out", gates="learned", bound=bound)
