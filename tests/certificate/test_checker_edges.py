"""The edge of each rule: the last value that it takes, and the first that it refuses."""

import copy
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from flint import arb

from pacbayes.certificate import Certificate, checker
from tests.certificate.test_checker_arithmetic import priced

Document = dict[str, Any]
LIMIT = 16 * 2**20


def verdict(document: Document, *rules: str) -> str:
    """The field that the first of some rules refuses, "" if all agree; no seal is looked at."""
    try:
        audit = checker._Audit(document)
        for rule in rules:
            getattr(audit, rule)()
    except checker.Rejected as error:
        return error.field
    return ""


# --- the file


def padded(certificate: Certificate, size: int) -> bytes:
    return certificate.to_bytes().ljust(size)


def test_a_file_of_16_mebibytes_is_the_largest(
    split_certificate: Certificate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    largest, larger = tmp_path / "largest", tmp_path / "larger"
    largest.write_bytes(padded(split_certificate, LIMIT))
    larger.write_bytes(padded(split_certificate, LIMIT + 1))
    assert checker.main([str(largest)]) == 0
    assert checker.main([str(larger)]) == 3
    first, second, least = capsys.readouterr().out.splitlines()
    assert first.startswith("accepted")
    assert second == "  declared, not checked: V8, V11, V14, V16, V28"
    assert least == f"malformed {larger}: file: is larger than {LIMIT} bytes"


def test_each_verdict_has_its_code(
    split_certificate: Certificate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {name: tmp_path / name for name in ("accepted", "rejected", "malformed", "unreadable")}
    paths["accepted"].write_bytes(split_certificate.to_bytes())
    document = split_certificate.document | {"self_sha256": "0" * 64}
    paths["rejected"].write_bytes(checker.canonical(document))
    paths["malformed"].write_bytes(b"[" * 9)
    codes = {"accepted": 0, "rejected": 1, "malformed": 3, "unreadable": 3}
    assert {name: checker.main([str(path)]) for name, path in paths.items()} == codes
    assert checker.main([]) == 2
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert [line.split()[0] for line in lines] == list(codes)
    assert lines[1] == f"rejected {paths['rejected']}: self_sha256: does not fit the content"


def test_what_is_hashed_is_sorted() -> None:
    assert checker.canonical({"b": 1, "a": [2]}) == b'{\n  "a": [\n    2\n  ],\n  "b": 1\n}\n'


def test_a_refusal_names_its_field() -> None:
    error = checker.Rejected("data.n", "is odd")
    assert (str(error), error.move) == ("data.n: is odd", 0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.update(extra=0), "certificate: has the unknown key 'extra'"),
        (lambda d: d.pop("mc"), "certificate: misses 'mc'"),
        (lambda d: d["mc"].pop("errors"), "mc: misses 'errors'"),
        (lambda d: d["mc"].update(errors="3"), "mc.errors: must be a int"),
        (lambda d: d.update(mc=[]), "mc: must be a dict"),
        (lambda d: d["union"].append(3), "union[0]: must be a dict"),
        (lambda d: d.update(union={}), "union: must be a list"),
        (lambda d: d["environment"].update({"": 1}), "environment: must be a label"),
        (lambda d: d["environment"].update(a="\n"), "environment.a: must be a text"),
        (lambda d: d["environment"].update(a=-1), "environment.a: must be a count"),
    ],
)
def test_a_wrong_form_is_told_where_it_is(
    split_certificate: Certificate, change: Callable[[Document], Any], told: str
) -> None:
    document = copy.deepcopy(split_certificate.document)
    change(document)
    with pytest.raises(checker.Malformed) as caught:
        checker.parse(checker.canonical(document))
    assert str(caught.value).startswith(told)


# --- published risks


def test_eight_ulp_of_a_risk_are_the_room() -> None:
    """Doubles in [1/4, 1/2) are 2^-54 apart; what is seven of them lower is not asked for."""
    true = Decimal("0.3125")

    def judged(ulps: int) -> int:
        text = str(true + ulps * Decimal(2) ** -54)
        try:
            checker.require_tight("risk", text, lambda p: p >= true)
        except checker.Rejected as error:
            return error.move
        return 0

    assert [judged(ulps) for ulps in (-1, 0, 7, 8, 9)] == [1, 0, 0, -1, -1]


def test_risks_are_asked_for_between_zero_and_one_only() -> None:
    def holds(p: Decimal) -> bool:
        assert 0 < p < 1
        return p >= Decimal("1e-321")

    for text in ("0", "0.0", "1e-0", "1e-322"):
        with pytest.raises(checker.Rejected) as caught:
            checker.require_tight("risk", text, holds)
        assert caught.value.move == 1
    checker.require_tight("risk", "1e-321", holds)
    checker.require_tight("risk", "4e-323", lambda p: Fraction(1) / Fraction(p) > 0)  # 8 ulp
    checker.require_tight("risk", "1", lambda p: p >= 1)


def test_ten_billion_trials_are_the_most() -> None:
    """Without errors the tail is (1 - p)^n: at 1e-8, 1e10 trials leave exp(-100)."""
    audit = priced(n=1, share=Decimal(1))
    for trials, reason in ((10**10, "not tight"), (10**10 + 1, "rests on more than")):
        with pytest.raises(checker.Rejected, match=reason):
            audit.tail("risk", (0, trials), "0", "1e-8", Fraction(1, 20))


def test_errors_of_nothing_are_none() -> None:
    audit = priced(n=1, share=Decimal(1), single=False)
    with pytest.raises(checker.Rejected, match="exceed trials"):
        audit.draws("mc", {"errors": 0, "risk": "1"}, "risk", 0)
    audit.draws("mc", {"errors": 1, "risk": "1"}, "risk", 1)
    audit.draws("mc", {"errors": 0, "risk": "1"}, "risk", 1)
    with pytest.raises(checker.Rejected, match="must be 1"):
        audit.draws("mc", {"errors": 2, "risk": "0.99"}, "risk", 3)


def test_the_rate_of_one_network_is_exact() -> None:
    audit = priced(n=1, share=Decimal(1), single=True)
    audit.draws("mc", {"errors": 1, "risk": "0.33333333333333334"}, "risk", 3)
    for other in ("0.33333333333333333", "0.33333333333333335", "1"):
        with pytest.raises(checker.Rejected, match="is not exact"):
            audit.draws("mc", {"errors": 1, "risk": other}, "risk", 3)


# --- sizes, delta, choices


def entry(choices: int, purpose: str = "x") -> Document:
    return {"purpose": purpose, "choices": choices, "weight": f"1/{choices}"}


def test_a_union_has_less_than_200_000_bits(split_certificate: Certificate) -> None:
    for bits, field in ((1999, ""), (2000, "union")):
        union = [entry(2**1999, f"{i}") for i in range(99)] + [entry(2 ** (bits - 1), "last")]
        assert verdict(split_certificate.document | {"union": union}) == field


@pytest.mark.parametrize(("draws", "field"), [("6/25", ""), ("1/4", "delta_shares")])
def test_draws_stay_below_a_quarter(split_certificate: Certificate, draws: str, field: str) -> None:
    document = copy.deepcopy(split_certificate.document)
    shares = [{"purpose": "theorem", "share": "1/4"}, {"purpose": "draws", "share": draws}]
    whole = {"6/25": "0.49", "1/4": "0.5"}[draws]
    document["claim"]["delta_total"], document["delta_shares"] = whole, shares
    assert verdict(document, "confidence") == field


@pytest.mark.parametrize(
    ("mean", "std", "choices", "field"),
    [
        (["0.5"], [], 2, ""), (["0.5"], [], 1, "data.transform"),
        (["0.25"], [], 4, ""), (["0.25"], [], 3, "data.transform"),
        (["0.25"], ["0.125"], 32, ""), (["0.25"], ["0.125"], 31, "data.transform"),
        (["3"], [], 2, ""), (["3"], [], 1, "data.transform"), ([], [], 1, "data.transform"),
    ],
)  # fmt: skip
def test_each_binary_digit_of_a_constant_doubles_its_price(
    split_certificate: Certificate, mean: list[str], std: list[str], choices: int, field: str
) -> None:
    document = copy.deepcopy(split_certificate.document)
    document["data"]["transform"] |= {"mean": mean, "std": std, "source": "declared"}
    document["union"] = [entry(choices, "normalisation of channel 0")]
    assert verdict(document, "confidence") == field
    document["conditions"][5] |= {"status": "declared", "by": "user"}
    assert verdict(document, "confidence") == ""


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"n": 10**10, "total": 10**11}, ""), ({"n": 10**10 + 1, "total": 10**11}, "data.n"),
        ({"n": 0, "total": 10}, "data.n"), ({"n": 1, "total": 1}, ""),
        ({"n": 2, "total": 1}, "data.n"), ({"n": 9, "total": 9, "classes": 2}, ""),
        ({"n": 9, "total": 9, "classes": 1}, "data.classes"),
        ({"n": 3000, "total": 3000, "duplicates": {"within": 3, "across": 0}}, ""),
        ({"n": 2999, "total": 2999, "duplicates": {"within": 3, "across": 0}}, "data.duplicates"),
        ({"n": 2999, "total": 2999, "duplicates": {"within": 0, "across": 1}}, "data.duplicates"),
    ],
    ids=str,
)  # fmt: skip
def test_samples(split_certificate: Certificate, facts: Document, field: str) -> None:
    document = copy.deepcopy(split_certificate.document)
    document["data"] |= facts
    document["prior"]["seen"]["count"] = document["prior"]["mask"]["source_seen"]["count"] = 0
    assert verdict(document, "sample") == field


@pytest.mark.parametrize("price", ["free", "count"])
def test_a_free_mask_leaves_the_sample_alone(split_certificate: Certificate, price: str) -> None:
    document = copy.deepcopy(split_certificate.document)
    document["prior"]["mask"]["price"] = price
    seen = document["prior"]["mask"]["source_seen"]
    for count, saw in ((30000, False), (30001, price == "free"), (60000, price == "free")):
        seen["count"] = count
        assert verdict(document, "sample") == ("prior.mask" if saw else "")
    seen["count"] = 60001
    assert verdict(document, "sample") == "prior.mask"


def test_a_grid_without_steps_halves(grid_certificate: Certificate) -> None:
    document = copy.deepcopy(grid_certificate.document)
    document["prior"]["grid"]["steps_per_octave"] = 0
    for tensor, index in zip(document["posterior"]["tensors"], (0, 3, 319), strict=True):
        tensor |= {"grid_index": index, "prior_scale": repr(2.0**-index)}
    assert verdict(document, "grids") == ""
    document["posterior"]["tensors"][1]["prior_scale"] = "0.25"
    assert verdict(document, "grids") == "posterior.tensors[1].prior_scale"


# --- tensors


def full(shape: list[int], name: str = "w") -> Document:
    weights = math.prod(shape)
    return {
        "name": name, "dtype": "float32", "sha256": "0" * 64, "shape": shape,
        "n_weights": weights, "n_active": weights, "grid_index": None, "inclusion_index": None,
        "prior_scale": "1", "kl": {"mask": "0", "mean": "1", "scale": "1"},
    }  # fmt: skip


def of_tensors(certificate: Certificate, found: list[Document], price: str = "free") -> Document:
    """A document whose tensors and nats are others; what follows from them is not looked at."""
    document = copy.deepcopy(certificate.document)
    document["posterior"]["tensors"] = found
    nats = sum(Decimal(item) for tensor in found for item in tensor["kl"].values())
    document["posterior"]["kl_upper"] = str(checker.UP_17.plus(nats))
    document["prior"]["mask"]["price"] = price
    document["reference"]["mask_price"] = None
    return document


def test_ten_thousand_tensors_are_the_most(split_certificate: Certificate) -> None:
    wrong = full([2]) | {"n_weights": 1}
    for count, field in (
        (10_000, "posterior.tensors[0].n_weights"),
        (10_001, "posterior.tensors"),
        (0, "posterior.tensors"),
    ):
        many = [wrong | {"name": f"w{i}"} for i in range(count)]
        assert verdict(of_tensors(split_certificate, many), "divergence") == field
    twice = [full([2]), full([3])]
    assert verdict(of_tensors(split_certificate, twice), "divergence") == "posterior.tensors"


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ([1], True), ([], True), ([0], False), ([5, 0], False), ([1] * 16, True), ([1] * 17, False),
        ([10**5, 10**5], True), ([10**10 + 1], False),
    ],
)  # fmt: skip
def test_shapes(split_certificate: Certificate, shape: list[int], fits: bool) -> None:
    found = of_tensors(split_certificate, [full(shape)])
    assert verdict(found, "divergence") == ("" if fits else "posterior.tensors[0].n_weights")


@pytest.mark.parametrize(
    ("mask", "fits"),
    [("0", True), ("0.6931", False), ("0.693147180559945311", True), ("0.6931471807", False)],
)
def test_a_weight_that_is_kept_pays_nothing_or_ln_2(
    split_certificate: Certificate, mask: str, fits: bool
) -> None:
    """ln 2 = 0.69314718055994530941..., and a writer's rounding may add 1e-10 of it."""
    tensor = full([1])
    tensor["kl"]["mask"] = mask
    found = of_tensors(split_certificate, [tensor], "count")
    assert verdict(found, "divergence") == ("" if fits else "posterior.tensors[0].kl.mask")


def test_the_price_of_a_free_mask_counts_pruned_tensors(split_certificate: Certificate) -> None:
    """ln(301) + ln C(300, 100), and for the full tensor nothing or ln 3 = 1.0986..."""
    least = float(arb(301).log() + arb(math.comb(300, 100)).log())
    document = of_tensors(split_certificate, [full([300], "a") | {"n_active": 100}, full([2], "b")])
    for nats, fits in (
        (least - 1, False), (least - 1e-9, False), (least + 1e-9, True), (least + 0.01, True),
        (least + 1.09, True), (least + 1.0987, False),
    ):  # fmt: skip
        document["reference"]["mask_price"] = {"nats": str(Decimal(nats))[:60]}
        assert verdict(document, "divergence") == ("" if fits else "reference.mask_price")


@pytest.mark.parametrize(
    ("top", "active", "mask", "fits"),
    [
        ("0.5", 299, "0.69314718055", True), ("0.5", 299, "0.693147", False),
        ("0.5", 298, "1.3862943611", True), ("0.5", 298, "1.386294", False),
        ("0.5", 300, "0", True), ("1", 300, "0", True), ("1", 299, "99", False),
        ("1.5", 300, "0", False), ("1.5", 299, "99", False), ("0", 300, "0", False),
    ],
)  # fmt: skip
def test_what_a_gate_leaves_out_pays_its_rate(
    certificates: dict[str, Certificate], top: str, active: int, mask: str, fits: bool
) -> None:
    """At a rate of 1/2 each entry that is left out costs ln 2, up to 1e-9 of it."""
    tensor = full([300]) | {"inclusion_index": 0, "n_active": active}
    tensor["kl"]["mask"] = mask
    document = of_tensors(certificates["gates"], [tensor], "gates")
    document["prior"] |= {"grid": None}
    document["prior"]["inclusion_grid"] = {"top": top, "steps_per_octave": 1, "size": 1}
    document["union"] = [entry(1, "prior inclusion of w")]
    told = "" if fits else "posterior.tensors[0].kl.mask"
    assert verdict(document, "grids", "divergence") == told


# --- what stands beside the claim


@pytest.mark.parametrize(
    ("errors", "trials", "fits"),
    [(0, 1, True), (1, 1, True), (7, 7, True), (8, 7, False), (0, 0, False)],
)
def test_a_test_set_has_at_most_as_many_errors(
    split_certificate: Certificate, errors: int, trials: int, fits: bool
) -> None:
    document = copy.deepcopy(split_certificate.document)
    document["reference"]["test"] = {"errors": errors, "trials": trials, "indices_sha256": ""}
    assert verdict(document, "bound") == ("" if fits else "reference.test")
