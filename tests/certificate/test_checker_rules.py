"""Each rule of the checker refuses its own violation, and names the field."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from pacbayes.certificate import Certificate, checker
from tests.certificate.tampering import Path, propagate, put, seal

Document = dict[str, Any]


def field_of(document: Document) -> str:
    with pytest.raises(checker.Rejected) as caught:
        checker.check(seal(document))
    assert caught.value.verdict == "rejected"
    return caught.value.field


def test_accepts_every_valid_case(certificate: Certificate) -> None:
    assert checker.check(certificate.to_bytes()) == certificate.document


def test_refuses_a_broken_seal(certificate: Certificate) -> None:
    document = put(certificate.document, ("data", "items_sha256"), "0" * 64)
    with pytest.raises(checker.Rejected, match="self_sha256"):
        checker.check(checker.canonical(document))


def test_refuses_another_sentence(certificate: Certificate) -> None:
    document = put(certificate.document, ("claim", "statement"), "The error is at most 1 %.")
    body = {key: value for key, value in document.items() if key != "self_sha256"}
    document["self_sha256"] = checker.hashlib.sha256(checker.canonical(body)).hexdigest()
    with pytest.raises(checker.Rejected, match=r"claim\.statement"):
        checker.check(json.dumps(document).encode())


@pytest.mark.parametrize("position", range(32))
def test_refuses_a_violated_or_missing_condition(
    split_certificate: Certificate, position: int
) -> None:
    document = split_certificate.document
    name = document["conditions"][position]["id"]
    violated = put(document, ("conditions", position, "status"), "violated")
    assert field_of(violated) == f"conditions.{name}"
    missing = copy.deepcopy(document)
    del missing["conditions"][position]
    assert field_of(missing) == "conditions"
    twice = copy.deepcopy(document)
    twice["conditions"].insert(position, twice["conditions"][position])
    assert field_of(twice) == "conditions"


def test_conditions_say_who_speaks(split_certificate: Certificate) -> None:
    document = split_certificate.document
    assert field_of(put(document, ("conditions", 0, "by"), "user")) == "conditions.V1"
    assert field_of(put(document, ("conditions", 7, "by"), "code")) == "conditions.V8"
    waived = put(document, ("conditions", 7, "status"), "n/a")
    assert field_of(waived) == "conditions.V8"
    fine = put(document, ("conditions", 4, "status"), "n/a")
    assert checker.check(seal(fine))
    assert "V5" not in [c["id"] for c in fine["conditions"] if c["status"] == "declared"]


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("claim", "delta_total"), "0", "claim.delta_total"),
        (("claim", "delta_total"), "1", "claim.delta_total"),
        (("claim", "delta_total"), "0.1", "delta_shares"),
        (("delta_shares",), [], "delta_shares"),
        (("delta_shares",), [{"purpose": "theorem", "share": "1/20"}], "delta_shares"),
        (
            ("delta_shares",),
            [{"purpose": p, "share": "1/60"} for p in ("theorem", "draws", "draws")],
            "delta_shares",
        ),
        (
            ("delta_shares",),
            [{"purpose": p, "share": "1/40"} for p in ("theorem", "luck")],
            "delta_shares",
        ),
        (("union",), [{"purpose": "a", "choices": 0, "weight": "1/2"}], "union[0].weight"),
        (("union",), [{"purpose": "a", "choices": 2, "weight": "1/1"}], "union[0].weight"),
        (("union",), [{"purpose": "a", "choices": 2, "weight": "2/3"}], "union[0].weight"),
        (("union",), 2 * [{"purpose": "a", "choices": 2, "weight": "1/2"}], "union"),
        (("union",), [{"purpose": "a", "choices": 2, "weight": "1/2"}], "claim.risk_upper"),
        (
            ("union",),
            [{"purpose": "prior scale of fc1.weight", "choices": 2, "weight": "1/2"}],
            "union",
        ),
        (("data", "classes"), 1, "data.classes"),
        (("data", "description"), "", "data.description"),
        (("data", "total"), 29999, "data.n"),
        (("data", "total"), 59999, "prior.seen"),
        (("data", "duplicates", "within"), 31, "data.duplicates"),
        (("data", "duplicates", "across"), 1, "data.duplicates"),
        (("prior", "seen", "count"), 30001, "prior.seen"),
        (("prior", "mask", "source_seen", "count"), 30001, "prior.mask"),
        (("prior", "mask", "price"), "count", "posterior.tensors[0].kl.mask"),
        (
            ("prior", "grid"),
            {"top": "1", "steps_per_octave": 32, "size": 8},
            "posterior.tensors[0].grid_index",
        ),
        (("posterior", "tensors"), [], "posterior.tensors"),
        (("posterior", "tensors", 1, "name"), "fc1.weight", "posterior.tensors"),
        (("posterior", "tensors", 0, "prior_scale"), "0", "posterior.tensors[0].prior_scale"),
        (("posterior", "tensors", 0, "prior_scale"), "1e999", "posterior.tensors[0].prior_scale"),
        (("posterior", "tensors", 0, "grid_index"), 3, "posterior.tensors[0].grid_index"),
        (("posterior", "tensors", 0, "shape"), [235201], "posterior.tensors[0].n_weights"),
        (("posterior", "tensors", 0, "shape"), [0], "posterior.tensors[0].n_weights"),
        (
            ("posterior", "tensors", 0, "shape"),
            [235200] + 16 * [1],
            "posterior.tensors[0].n_weights",
        ),
        (("posterior", "tensors", 0, "n_active"), 235201, "posterior.tensors[0].n_active"),
        (("posterior", "tensors", 0, "kl", "mask"), "1", "posterior.tensors[0].kl.mask"),
        (("posterior", "kl_upper"), "1", "posterior.kl_upper"),
        (("mc", "errors"), 150001, "mc.errors"),
        (("mc", "trials"), 150001, "mc.trials"),
        (("evidence", "id"), "other", "evidence.id"),
        (("evidence", "n"), 30001, "evidence.n"),
        (("reference", "mask_price", "nats"), "77445.521", "reference.mask_price"),
        (("reference", "mask_price", "nats"), "77451.23", "reference.mask_price"),
        (("reference", "holdout", "n"), 29999, "reference.holdout.n"),
        (("reference", "holdout", "errors"), 30001, "reference.holdout.n"),
        (("reference", "test", "errors"), 10001, "reference.test"),
        (("reference", "test"), {"errors": 0, "trials": 0}, "reference.test"),
        (("reference", "holdout"), None, "reference.holdout"),
    ],
)
def test_refuses(split_certificate: Certificate, path: Path, value: Any, field: str) -> None:
    assert field_of(put(split_certificate.document, path, value)) == field


def test_duplicates_pass_when_declared(split_certificate: Certificate) -> None:
    document = put(split_certificate.document, ("data", "duplicates", "within"), 31)
    document["conditions"][8] |= {"status": "declared", "by": "user"}
    assert checker.check(seal(document))


def test_the_draws_share_stays_below_a_quarter(split_certificate: Certificate) -> None:
    document = put(split_certificate.document, ("claim", "delta_total"), "0.75")
    shares = [{"purpose": "theorem", "share": "1/2"}, {"purpose": "draws", "share": "1/4"}]
    document["delta_shares"] = shares
    assert field_of(document) == "delta_shares"


def unpaid(document: Document) -> None:
    del document["union"][0]


def too_far(document: Document) -> None:
    document["posterior"]["tensors"][0]["grid_index"] = 320


def forgotten(document: Document) -> None:
    document["posterior"]["tensors"][0]["grid_index"] = None


def forgotten_everywhere(document: Document) -> None:
    forgotten(document)
    del document["union"][0]


def no_steps(document: Document) -> None:
    document["prior"]["grid"]["steps_per_octave"] = 0


def off_grid(document: Document) -> None:
    document["posterior"]["tensors"][0]["prior_scale"] = "0.05"


def free_of_charge(document: Document) -> None:
    document["posterior"]["tensors"][0]["kl"]["mask"] = "0"


def full_but_charged(document: Document) -> None:
    document["posterior"]["tensors"][1]["kl"]["mask"] = "1"


def seen_too_much(document: Document) -> None:
    document["prior"]["mask"]["source_seen"]["count"] = 60001


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (unpaid, "union"),
        (too_far, "posterior.tensors[0].grid_index"),
        (forgotten, "union"),
        (forgotten_everywhere, "posterior.tensors[0].grid_index"),
        (no_steps, "posterior.tensors[0].prior_scale"),
        (off_grid, "posterior.tensors[0].prior_scale"),
        (free_of_charge, "posterior.tensors[0].kl.mask"),
        (full_but_charged, "posterior.tensors[1].kl.mask"),
        (seen_too_much, "prior.mask"),
    ],
)
def test_refuses_on_the_grid(
    grid_certificate: Certificate, change: Callable[[Document], None], field: str
) -> None:
    document = copy.deepcopy(grid_certificate.document)
    change(document)
    assert field_of(propagate(document)) == field


def test_a_full_tensor_may_pay_its_level(grid_certificate: Certificate) -> None:
    """ln(d + 1) for a tensor that keeps everything is the count code too; only the claim moves."""
    document = copy.deepcopy(grid_certificate.document)
    document["posterior"]["tensors"][1]["kl"]["mask"] = "5.7071102647488758"  # ln 301
    assert field_of(propagate(document)) == "claim.risk_upper"


def test_all_errors_must_read_one(certificates: dict[str, Certificate]) -> None:
    document = put(certificates["all wrong"].document, ("mc", "risk_upper"), "0.9999999")
    document["evidence"]["risk_upper"] = "0.9999999"
    assert field_of(document) == "mc.risk_upper"


def test_no_n_beyond_what_the_constant_can_be_summed_for(split_certificate: Certificate) -> None:
    document = put(split_certificate.document, ("data", "n"), 10**12)
    document["data"]["total"] = 10**13
    assert field_of(propagate(document)) == "data.n"
