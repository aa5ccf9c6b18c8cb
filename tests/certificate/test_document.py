"""Typed access to a document, and reading it from files."""

import json
import os
from pathlib import Path

import pytest

from pacbayes.certificate import Certificate, read_certificate, read_verified, verify
from pacbayes.certificate.document import canonical, self_hash
from pacbayes.errors import InputError, VerificationError
from tests.certificate.tampering import put, seal


def test_canonical_is_sorted_indented_ascii_with_a_final_newline() -> None:
    assert canonical({"b": [1], "a": "é"}) == b'{\n  "a": "\\u00e9",\n  "b": [\n    1\n  ]\n}\n'


def test_self_hash_ignores_itself(certificate: Certificate) -> None:
    document = certificate.document
    assert self_hash(document) == document["self_sha256"]
    assert self_hash(put(document, ("self_sha256",), "")) == document["self_sha256"]
    assert self_hash(put(document, ("name",), "other")) != document["self_sha256"]


def test_round_trip(certificate: Certificate, tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    path.write_text(certificate.to_json())
    again = read_certificate(path)
    assert again.document == certificate.document
    assert again.to_bytes() == path.read_bytes()


def test_properties(split_certificate: Certificate, certificates: dict[str, Certificate]) -> None:
    assert split_certificate.name == "lenet300/toy/ticket"
    assert split_certificate.role == "ticket"
    assert split_certificate.risk_upper == split_certificate.document["claim"]["risk_upper"]
    assert split_certificate.delta_total == "0.05"
    assert split_certificate.n == 30000
    assert split_certificate.claim.statement.startswith("With probability at least 1 - 0.05 over")
    assert split_certificate.sparsity == pytest.approx(0.9, abs=1e-12)
    assert [c.id for c in split_certificate.declared] == ["V8", "V11", "V14", "V16", "V28"]
    assert not split_certificate.is_vacuous
    assert certificates["vacuous"].is_vacuous
    assert certificates["vacuous"].sparsity == 0.0


def test_sparsity_without_weight_arrays(split_certificate: Certificate) -> None:
    document = split_certificate.document
    biases = [t for t in document["posterior"]["tensors"] if len(t["shape"]) == 1]
    assert Certificate(document=put(document, ("posterior", "tensors"), biases)).sparsity == 0.0


def test_errors_name_file_and_field(split_certificate: Certificate, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(json.dumps(put(split_certificate.document, ("data", "n"), "1")).encode())
    for read in (read_certificate, verify, read_verified):
        with pytest.raises(InputError, match=r"broken\.json: data\.n: "):
            read(path)
    with pytest.raises(InputError, match="missing"):
        read_certificate(tmp_path / "missing.json")


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A pipe without a writer would hang for ever."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path(os.devnull)):
        with pytest.raises(InputError):
            read_certificate(path)


def test_verify_accepts_and_rejects(split_certificate: Certificate, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(split_certificate.to_bytes())
    bad.write_bytes(seal(put(split_certificate.document, ("mc", "errors"), 3000)))
    accepted, rejected = verify(good), verify(bad)
    assert (accepted.accepted, accepted.level, accepted.reason) == (True, "L1", "")
    assert [c.id for c in accepted.declared] == ["V8", "V11", "V14", "V16", "V28"]
    assert accepted.certificate is not None
    assert accepted.certificate.document == split_certificate.document
    assert (rejected.accepted, rejected.certificate, rejected.declared) == (False, None, ())
    assert rejected.reason.startswith("mc.risk_upper: ")
    assert read_verified(good).document == split_certificate.document
    with pytest.raises(VerificationError, match=r"bad\.json: does not verify: mc\.risk_upper"):
        read_verified(bad)
