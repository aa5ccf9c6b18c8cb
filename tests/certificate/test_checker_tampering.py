"""No load-bearing value can be changed in either direction, even with every seal recomputed."""

import copy
import math
import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from pacbayes.certificate import Certificate, checker
from pacbayes.certificate.decimals import decimal_text, plain
from tests.certificate.cases import CASES
from tests.certificate.tampering import Path, get, propagate, put, scaled, seal

UP, DOWN = "1.000000001", "0.999999999"

INTEGERS: dict[str, list[Path]] = {
    "split": [
        ("data", "n"),
        ("mc", "draws"),
        ("mc", "trials"),
        ("mc", "errors"),
        ("evidence", "n"),
        ("evidence", "errors"),
        ("evidence", "trials"),
        ("posterior", "tensors", 0, "n_weights"),
        ("posterior", "tensors", 0, "shape", 1),
        ("reference", "holdout", "errors"),
        ("reference", "holdout", "n"),
    ],
    "grid": [
        ("data", "n"),
        ("mc", "errors"),
        ("posterior", "tensors", 0, "n_active"),
        ("posterior", "tensors", 2, "n_active"),
        ("posterior", "tensors", 1, "grid_index"),
        ("prior", "grid", "size"),
        ("prior", "grid", "steps_per_octave"),
        ("union", 0, "choices"),
        ("union", 3, "choices"),
        ("union", 4, "choices"),
    ],
    "gates": [
        ("data", "n"),
        ("mc", "errors"),
        ("posterior", "tensors", 0, "n_weights"),
        ("posterior", "tensors", 1, "n_active"),
        ("posterior", "tensors", 0, "grid_index"),
        ("prior", "inclusion_grid", "size"),
        ("union", 0, "choices"),
        ("union", 3, "choices"),
        ("union", 4, "choices"),
    ],
    "catoni": [("data", "n"), ("mc", "errors"), ("union", 0, "choices")],
    "disintegrated": [
        ("data", "n"),
        ("mc", "draws"),
        ("mc", "trials"),
        ("mc", "errors"),
        ("evidence", "errors"),
    ],
    "occam": [("data", "n"), ("mc", "draws"), ("mc", "trials"), ("mc", "errors")],
    "test-set": [("data", "n"), ("mc", "draws"), ("mc", "trials"), ("mc", "errors")],
    "recursive": [
        ("data", "n"),
        ("mc", "errors"),
        *(("stages", t, key) for t in range(3) for key in ("n", "trials")),
        ("stages", 0, "parts", 0, "errors"),
        *(("stages", t, "parts", i, "errors") for t in (1, 2) for i in range(3)),
    ],
}

DECIMALS: dict[str, list[Path]] = {
    "split": [
        ("claim", "risk_upper"),
        ("claim", "delta_total"),
        ("mc", "risk_upper"),
        ("posterior", "kl_upper"),
        ("posterior", "tensors", 0, "kl", "mean"),
        ("posterior", "tensors", 0, "kl", "scale"),
        ("evidence", "kl_upper"),
        ("evidence", "risk_upper"),
        ("reference", "holdout", "risk_upper"),
    ],
    "grid": [
        ("claim", "risk_upper"),
        ("posterior", "tensors", 0, "kl", "mask"),
        ("posterior", "tensors", 0, "prior_scale"),
        ("prior", "grid", "top"),
    ],
    "gates": [
        ("claim", "risk_upper"),
        *(("posterior", "tensors", t, "kl", "mask") for t in (0, 2)),
        ("posterior", "tensors", 0, "kl", "mean"),
    ],
    "catoni": [
        ("bound", "parameter"),
        ("claim", "risk_upper"),
        ("mc", "risk_upper"),
        ("posterior", "tensors", 0, "kl", "mean"),
        ("posterior", "kl_upper"),
    ],
    "disintegrated": [
        ("claim", "risk_upper"),
        ("mc", "risk_upper"),
        ("evidence", "risk_upper"),
        ("posterior", "kl_upper"),
        *(("posterior", "tensors", 0, "kl", item) for item in ("mean", "scale")),
    ],
    "occam": [
        ("claim", "risk_upper"),
        ("mc", "risk_upper"),
        ("posterior", "kl_upper"),
        *(("posterior", "tensors", 2, "kl", item) for item in ("mask", "mean", "scale")),
    ],
    "test-set": [("claim", "risk_upper"), ("mc", "risk_upper")],
    "recursive": [
        ("claim", "risk_upper"),
        ("mc", "risk_upper"),
        ("posterior", "tensors", 0, "kl", "mean"),
        *(("stages", t, "kl_upper") for t in range(3)),
        *(("stages", t, "gamma") for t in (1, 2)),
        *(("stages", 0, "parts", 0, key) for key in ("mc_risk_upper", "risk_upper")),
        *(
            ("stages", t, "parts", i, key)
            for t in (1, 2)
            for i in range(3)
            for key in ("mc_risk_upper", "risk_upper")
        ),
    ],
}


def rejected(document: dict[str, Any]) -> checker.Rejected:
    with pytest.raises(checker.Rejected) as caught:
        checker.check(seal(document))
    return caught.value


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize(("case", "path"), [(c, p) for c, paths in INTEGERS.items() for p in paths])
def test_no_integer_can_move(
    certificates: dict[str, Certificate], case: str, path: Path, step: int
) -> None:
    document = certificates[case].document
    rejected(put(document, path, get(document, path) + step))


@pytest.mark.parametrize("factor", [UP, DOWN])
@pytest.mark.parametrize(("case", "path"), [(c, p) for c, paths in DECIMALS.items() for p in paths])
def test_no_decimal_can_move(
    certificates: dict[str, Certificate], case: str, path: Path, factor: str
) -> None:
    document = certificates[case].document
    rejected(put(document, path, scaled(get(document, path), factor)))


CONSISTENT: list[tuple[str, Path]] = [
    ("split", ("data", "n")),
    ("split", ("mc", "draws")),
    ("split", ("mc", "errors")),
    ("split", ("posterior", "tensors", 0, "kl", "mean")),
    ("split", ("posterior", "tensors", 0, "kl", "scale")),
    ("grid", ("data", "n")),
    ("grid", ("mc", "errors")),
    ("grid", ("posterior", "tensors", 0, "kl", "scale")),
    ("grid", ("union", 3, "choices")),
    ("grid", ("union", 4, "choices")),
    ("gates", ("posterior", "tensors", 0, "kl", "mask")),
    ("gates", ("posterior", "tensors", 0, "kl", "mean")),
    ("catoni", ("bound", "parameter")),
    ("catoni", ("data", "n")),
    ("catoni", ("union", 0, "choices")),
    ("catoni", ("posterior", "tensors", 0, "kl", "scale")),
    *((case, ("data", "n")) for case in ("disintegrated", "occam", "test-set", "recursive")),
    *((case, ("mc", "errors")) for case in ("catoni", "disintegrated", "occam", "test-set")),
    ("disintegrated", ("posterior", "tensors", 0, "kl", "mean")),
    ("disintegrated", ("posterior", "tensors", 0, "kl", "scale")),
    *(("occam", ("posterior", "tensors", 1, "kl", item)) for item in ("mask", "mean", "scale")),
    ("recursive", ("stages", 1, "kl_upper")),
    ("recursive", ("stages", 2, "gamma")),
    ("recursive", ("posterior", "tensors", 0, "kl", "scale")),
]


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize(("case", "path"), CONSISTENT)
def test_no_change_can_be_carried_through(
    certificates: dict[str, Certificate], case: str, path: Path, up: bool
) -> None:
    """Everything derived is recomputed by the attacker; only the risks stay."""
    document = copy.deepcopy(certificates[case].document)
    document["reference"]["holdout"] = None
    if document["prior"]["kind"] == "split":
        document["prior"]["kind"] = "init"
    document["data"]["total"] += 1
    assert checker.check(seal(propagate(document)))
    value = get(document, path)
    step, factor = (1, UP) if up else (-1, DOWN)
    moved = value + step if isinstance(value, int) else scaled(value, factor)
    error = rejected(propagate(put(document, path, moved)))
    assert error.field.endswith(".risk_upper") or error.field.endswith(".mc_risk_upper"), error
    assert not error.field.startswith("evidence")


@pytest.mark.parametrize("amount", [Fraction(1, 10**9), Fraction(-1, 10**9)])
@pytest.mark.parametrize("purpose", ["theorem", "draws"])
def test_no_share_can_move(split_certificate: Certificate, purpose: str, amount: Fraction) -> None:
    """Neither alone, nor against the other share, nor together with the total."""
    document = split_certificate.document
    shares = {s["purpose"]: Fraction(s["share"]) for s in document["delta_shares"]}
    other = "draws" if purpose == "theorem" else "theorem"
    step = shares[purpose] * amount
    alone = shares | {purpose: shares[purpose] + step}
    against = alone | {other: shares[other] - step}
    rejected(put(document, ("delta_shares",), entries(alone)))
    rejected(put(document, ("delta_shares",), entries(against)))
    whole = plain(Decimal(float(step)) + Decimal("0.05"))  # not exactly the sum of the shares
    rejected(put(put(document, ("delta_shares",), entries(alone)), ("claim", "delta_total"), whole))
    exact = decimal_text(sum(alone.values(), start=Fraction(0)))
    moved = put(put(document, ("delta_shares",), entries(alone)), ("claim", "delta_total"), exact)
    moved["reference"]["holdout"], moved["prior"]["kind"] = None, "init"
    assert rejected(moved).field in ("claim.risk_upper", "mc.risk_upper")


def entries(shares: dict[str, Fraction]) -> list[dict[str, str]]:
    return [{"purpose": p, "share": f"{s.numerator}/{s.denominator}"} for p, s in shares.items()]


@pytest.mark.parametrize(
    "path",
    [
        ("posterior", "sha256"),
        ("prior", "sha256"),
        ("data", "certificate_sha256"),
        ("mc", "root_sha256"),
    ],
)
def test_no_digest_of_the_evaluation_can_move(certificate: Certificate, path: Path) -> None:
    assert rejected(put(certificate.document, path, "0" * 64)).field == "mc.root_sha256"


def leaves(value: Any, path: Path = ()) -> list[Path]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for i, item in enumerate(value) for leaf in leaves(item, (*path, i))]
    return [path]


def test_no_value_at_all_can_move_without_resealing(certificate: Certificate) -> None:
    for path in leaves(certificate.document):
        value = get(certificate.document, path)
        changed = value + 1 if isinstance(value, int) else "f" if value is None else value + "0"
        with pytest.raises(checker.Rejected):
            checker.check(checker.canonical(put(certificate.document, path, changed)))


def test_no_byte_can_flip(certificates: dict[str, Certificate]) -> None:
    """Every byte in turn, by one bit or replaced; white space between values may change."""
    data = certificates["vacuous"].to_bytes()
    dice = random.Random(1)  # noqa: S311
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << dice.randrange(8)
        with pytest.raises(checker.Rejected):
            checker.check(bytes(flipped))


def test_no_prefix_is_accepted(certificates: dict[str, Certificate]) -> None:
    data = certificates["vacuous"].to_bytes()
    for length in range(0, len(data) - 1, 7):
        with pytest.raises(checker.Malformed):
            checker.check(data[:length])


@pytest.mark.parametrize("case", sorted(CASES))
def test_eight_ulp_below_is_too_low_and_far_above_is_too_high(
    certificates: dict[str, Certificate], case: str
) -> None:
    document = certificates[case].document
    exact = {"single": "mc", "gibbs": "claim" if document["stages"] else None}
    for path in [("claim", "risk_upper"), ("mc", "risk_upper")]:
        value = float(get(document, path))
        low = value
        for _ in range(8):
            low = math.nextafter(low, 0.0)
        field = ".".join(path)
        assert rejected(_risk(document, path, low)).field == field
        if value < 1.0:
            high = value
            for _ in range(17):
                high = math.nextafter(high, 1.0)
            error = rejected(_risk(document, path, high))
            move = 0 if path[0] == exact[document["predictor"]] else -1
            assert (error.field, error.move) == (field, move)
            error = rejected(_risk(document, path, 1.0))
            assert error.field == field


def _risk(document: dict[str, Any], path: Path, value: float) -> dict[str, Any]:
    text = "1" if value == 1.0 else f"{Decimal(value):.25e}".lower()
    changed = put(document, path, text)
    if path[0] == "mc":
        changed["evidence"]["risk_upper"] = text
    return changed


@pytest.mark.parametrize("text", ["1.0", "1e0", "0.99999999999999999999", "0"])
def test_vacuous_is_exactly_one(certificates: dict[str, Certificate], text: str) -> None:
    rejected(put(certificates["vacuous"].document, ("claim", "risk_upper"), text))


def test_one_is_only_for_vacuous(split_certificate: Certificate) -> None:
    error = rejected(put(split_certificate.document, ("claim", "risk_upper"), "1"))
    assert "not tight" in error.reason
