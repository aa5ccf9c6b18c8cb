"""What is no certificate at all is refused as malformed, quickly and without a traceback."""

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacbayes.certificate import Certificate, checker
from tests.certificate.tampering import Path, get, put, seal
from tests.certificate.test_checker_tampering import leaves


def malformed(data: bytes) -> checker.Malformed:
    with pytest.raises(checker.Malformed) as caught:
        checker.check(data)
    return caught.value


HOSTILE = {
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "list": b"[]",
    "string": b'"pacbayes/certificate/1"',
    "object": b"{}",
    "other schema": b'{"schema": "pacbayes/ticket/1"}',
    "schema of another type": b'{"schema": 1}',
    "next version": b'{"schema": "pacbayes/certificate/2"}',
    "only the schema": b'{"schema": "pacbayes/certificate/1"}',
    "deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "deep and closed": b"[" * 900 + b"]" * 900,
    "not utf-8": b'{"schema": "\xff"}',
    "utf-16": '{"schema": "pacbayes/certificate/1"}'.encode("utf-16"),
    "latin": '{"schéma": 1}'.encode("latin-1"),
    "huge integer": b'{"schema": ' + b"9" * 5000 + b"}",
    "too large": b" " * (16 * 2**20 + 1),
    "pickle": b"\x80\x04K\x01.",
    "zip": b"PK\x03\x04",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_refuses_what_is_no_certificate(name: str) -> None:
    error = malformed(HOSTILE[name])
    assert "\n" not in str(error)


def around(certificate: Certificate, old: str, new: str) -> bytes:
    text = certificate.to_json()
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"errors": 3312', '"errors": NaN'),
        ('"errors": 3312', '"errors": Infinity'),
        ('"errors": 3312', '"errors": -Infinity'),
        ('"errors": 3312', '"errors": 3312.0'),
        ('"errors": 3312', '"errors": 1e400'),
        ('"errors": 3312', '"errors": 1e-400'),
        ('"errors": 3312', '"errors": 3.312e3'),
        ('"errors": 3312', '"errors": "3312"'),
        ('"errors": 3312', '"errors": true'),
        ('"errors": 3312', '"errors": null'),
        ('"errors": 3312', '"errors": -3312'),
        ('"errors": 3312', '"errors": [3312]'),
        ('"errors": 3312', '"errors": 3312, "errors": 3312'),
        ('"errors": 3312', '"errors": 3312, "\\u0065rrors": 12'),
        ('"errors": 3312', '"errors": 3312, "ERRORS": 3312'),
        ('"errors": 3312', '"errors": ' + "1" * 37),
        ('"errors": 3312', '"errors": ' + "1" * 5000),
        ('"threads": 1', '"threads": 1.5'),
        ('"threads": 1', '"threads": true'),
        ('"threads": 1', '"threads": null'),
        ('"threads": 1', '"threads": -1'),
        ('"threads": 1', '"threads": NaN'),
        ('"threads": 1', '"threads": {"a": 1}'),
        ('"threads": 1', '"": 1'),
        ('"delta_total": "0.05"', '"delta_total": 0.05'),
        ('"delta_total": "0.05"', '"delta_total": "5%"'),
        ('"delta_total": "0.05"', '"delta_total": "12.3"'),
        ('"delta_total": "0.05"', '"delta_total": "NaN"'),
        ('"delta_total": "0.05"', '"delta_total": "-0.05"'),
        ('"delta_total": "0.05"', '"delta_total": "+0.05"'),
        ('"delta_total": "0.05"', '"delta_total": ".05"'),
        ('"delta_total": "0.05"', '"delta_total": "0,05"'),
        ('"delta_total": "0.05"', '"delta_total": " 0.05"'),
        ('"delta_total": "0.05"', '"delta_total": "0.05\\n"'),
        ('"delta_total": "0.05"', '"delta_total": "0_5"'),
        ('"delta_total": "0.05"', '"delta_total": "\u0660.\u0660\u0665"'),
        ('"delta_total": "0.05"', '"delta_total": "1E+999999999999"'),
        ('"delta_total": "0.05"', '"delta_total": "0.' + "1" * 63 + '"'),
        ('"share": "9/200"', '"share": "9/0"'),
        ('"share": "9/200"', '"share": "-9/200"'),
        ('"share": "9/200"', '"share": "0.045"'),
        ('"share": "9/200"', '"share": "9/2' + "0" * 70 + '"'),
        ('"name": "toy"', '"name": ""'),
        ('"name": "toy"', '"name": "a\\u0000b"'),
        ('"name": "toy"', '"name": "a\\nb"'),
        ('"name": "toy"', '"name": "\\ud800"'),
        ('"name": "toy"', '"name": "\\u202etoy"'),
        ('"name": "toy"', '"name": "\\u001b[31m"'),
        ('"name": "toy"', '"name": "' + "x" * 201 + '"'),
        ('"name": "toy"', '"name": "a\x00b"'),
        ('"mean": []', '"mean": {}'),
        ('"mean": []', '"mean": ["a"]'),
        ('"duplicates": {', '"duplicates": [], "x": {'),
        ('"label_noise": null', '"label_noise": []'),
        ('"label_noise": null', '"label_noise": 0'),
        ('"predictor": "gibbs"', '"predictor": ["gibbs"]'),
    ],
)
def test_refuses_hostile_values(split_certificate: Certificate, old: str, new: str) -> None:
    malformed(around(split_certificate, old, new))


@pytest.mark.parametrize("affix", ["\ufeff{}", "{}x", "{}{{}}", "{}\x00", "//\n{}", "{},"])
def test_refuses_anything_around_the_object(split_certificate: Certificate, affix: str) -> None:
    malformed(affix.format(split_certificate.to_json()).encode())


def test_layout_does_not_matter(split_certificate: Certificate) -> None:
    document = split_certificate.document
    for text in (json.dumps(document), json.dumps(document, indent=7, ensure_ascii=False)):
        assert checker.check(text.encode()) == document


def test_every_key_is_demanded_and_no_other_taken(certificate: Certificate) -> None:
    paths = {path[:-1] for path in leaves(certificate.document)}
    objects = [p for p in paths if isinstance(get(certificate.document, p), dict)]
    assert len(objects) > 10
    for path in objects:
        if path and path[-1] == "environment":
            continue
        grown = put_key(certificate.document, path, "extra", 0)
        assert "extra" in malformed(seal(grown)).reason
        key = sorted(get(certificate.document, path))[-1]
        if key in ("statement", "self_sha256"):
            continue
        shrunk = copy.deepcopy(certificate.document)
        del get(shrunk, path)[key]
        assert key in malformed(seal(shrunk)).reason


def put_key(document: dict[str, Any], path: Path, key: str, value: Any) -> dict[str, Any]:
    grown = copy.deepcopy(document)
    get(grown, path)[key] = value
    return grown


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("predictor",), "mean"),
        (("predictor",), "majority-vote"),
        (("bound", "id"), "pb-mcallester"),
        (("loss", "id"), "cross-entropy"),
        (("loss", "ties"), "first"),
        (("loss", "nonfinite"), "ignore"),
        (("loss", "margin_tau"), "0.0001"),
        (("mc", "design"), "shared-draw"),
        (("mc", "method"), "kl-chernoff"),
        (("prior", "kind"), "trained"),
        (("prior", "mask", "price"), "none"),
        (("posterior", "family"), "dirac"),
        (("data", "transform", "source"), "S"),
        (("conditions", 0, "status"), "ok"),
        (("conditions", 0, "by"), "me"),
    ],
)
def test_unknown_meanings_are_rejected(
    split_certificate: Certificate, path: Path, value: str
) -> None:
    with pytest.raises(checker.Rejected) as caught:
        checker.check(seal(put(split_certificate.document, path, value)))
    assert caught.value.verdict == "rejected"
    assert value in caught.value.reason


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["0", "1", "0.5", "1e-999", "1/3", "0" * 64, "1e999", "n/a", "V1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.binary(max_size=200))
def test_random_bytes_are_malformed(data: bytes) -> None:
    malformed(data)


@given(JSON)
def test_random_values_are_malformed(value: Any) -> None:
    malformed(json.dumps(value).encode())


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_random_values_in_a_certificate_meet_a_verdict(
    certificates: dict[str, Certificate], data: st.DataObject
) -> None:
    """Nothing but a verdict ever comes out, whatever is put where and however well sealed."""
    document = certificates[data.draw(st.sampled_from(sorted(certificates)))].document
    path = data.draw(st.sampled_from(leaves(document)))
    depth = data.draw(st.integers(1, len(path)))
    changed = put(document, path[:depth], data.draw(JSON))
    try:
        sealed = seal(changed)
    except (TypeError, KeyError, UnicodeEncodeError):
        sealed = json.dumps(changed).encode()
    verdict = "accepted"
    try:
        checker.check(sealed)
    except checker.Rejected as error:
        verdict = str(error)
    assert verdict.isprintable()
