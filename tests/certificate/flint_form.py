"""The form of a certificate, read for the second checker: predicates on JSON values."""

import json
from typing import Any

SINGLE = {"disintegrated", "occam", "test-set"}
HEX = set("0123456789abcdef")
DIGITS = set("0123456789")


class Refused(Exception):
    """The document is no certificate, or does not follow from its evidence."""


def demand(holds: bool, reason: str) -> None:
    if not holds:
        raise Refused(reason)


def is_text(value: object, least: int, most: int) -> bool:
    return type(value) is str and least <= len(value) <= most and (value + "x").isprintable()


def is_integer(value: object) -> bool:
    return type(value) is int and 0 <= value < 10**36


def is_hash(value: object) -> bool:
    return type(value) is str and len(value) == 64 and set(value) <= HEX


def is_digits(text: str, most: int = 64) -> bool:
    return 0 < len(text) <= most and set(text) <= DIGITS


def is_real(value: object) -> bool:
    """A decimal of at most 64 characters: no sign, no leading zeros, up to 3 exponent digits."""
    if not is_text(value, 1, 64):
        return False
    mantissa, mark, exponent = str(value).replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(".")
    fits = is_digits(whole) and (whole == "0" or whole[0] != "0")
    fits = fits and (not point or is_digits(fraction))
    return fits and (not mark or is_digits(exponent[exponent[:1] in ("+", "-") :], 3))


def is_signed(value: object) -> bool:
    return is_text(value, 1, 64) and is_real(str(value).removeprefix("-"))


def is_risk(value: object) -> bool:
    """1, 0, 0.d... or d.d...e-ddd."""
    if not is_text(value, 1, 64):
        return False
    mantissa, mark, exponent = str(value).replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(".")
    fits = not point or is_digits(fraction)
    if mark:
        small = exponent[:1] == "-" and is_digits(exponent[1:], 3)
        return fits and small and is_digits(whole, 1)
    return (fits and whole == "0") or value == "1"


def is_ratio(value: object) -> bool:
    if not is_text(value, 3, 64):
        return False
    parts = str(value).split("/")
    return len(parts) == 2 and all(is_digits(part) and part[0] != "0" for part in parts)


def is_facts(value: object) -> bool:
    return type(value) is dict and all(
        is_text(key, 1, 200) and (is_integer(item) if type(item) is int else is_text(item, 0, 2000))
        for key, item in value.items()
    )


Form = Any
LABEL: Form = lambda value: is_text(value, 1, 200)  # noqa: E731
TEXT: Form = lambda value: is_text(value, 0, 2000)  # noqa: E731
NAME: Form = lambda value: is_text(value, 1, 200) and " " not in value  # noqa: E731


def one_of(*known: str) -> Form:
    return lambda value: type(value) is str and value in known


def maybe(form: Form) -> Form:
    return lambda value: value is None or fits_form(value, form)


def fits_form(value: object, form: Form) -> bool:
    """Return whether a value has a form: a dict, a list of one form, or a predicate."""
    if isinstance(form, dict):
        if not isinstance(value, dict) or set(value) != set(form):
            return False
        return all(fits_form(value[key], part) for key, part in form.items())
    if isinstance(form, list):
        return isinstance(value, list) and all(fits_form(item, form[0]) for item in value)
    return bool(form(value))


SEEN = {"count": is_integer, "indices_sha256": is_hash}
GRID = maybe({"top": is_real, "steps_per_octave": is_integer, "size": is_integer})
TENSOR = {
    "name": LABEL, "dtype": LABEL, "sha256": is_hash, "n_weights": is_integer,
    "n_active": is_integer, "shape": [is_integer], "grid_index": maybe(is_integer),
    "inclusion_index": maybe(is_integer), "prior_scale": maybe(is_real),
    "kl": {"mask": is_real, "mean": is_signed, "scale": is_signed},
}  # fmt: skip
STAGE = {
    "n": is_integer, "indices_sha256": is_hash, "posterior_sha256": is_hash, "trials": is_integer,
    "kl_upper": is_real, "gamma": is_risk,
    "parts": [{"errors": is_integer, "mc_risk_upper": is_risk, "risk_upper": is_risk}],
}  # fmt: skip
CERTIFICATE = {
    "schema": one_of("pacbayes/certificate/1"), "name": NAME, "environment": is_facts,
    "predictor": one_of("gibbs", "single"), "self_sha256": is_hash,
    "tool": {"name": LABEL, "version": LABEL, "source_sha256": is_hash},
    "bound": {
        "id": one_of("pb-kl-maurer", "catoni", "recursive", *SINGLE), "parameter": maybe(is_real),
    },
    "loss": {
        "id": one_of("zero-one"), "ties": one_of("error"), "nonfinite": one_of("error"),
        "margin_tau": one_of("0"),
    },
    "claim": {"risk_upper": is_risk, "delta_total": is_risk, "statement": TEXT},
    "delta_shares": [{"purpose": LABEL, "share": is_ratio}],
    "union": [{"purpose": TEXT, "choices": is_integer, "weight": is_ratio}],
    "data": {
        "name": LABEL, "description": TEXT, "total": is_integer, "n": is_integer,
        "classes": is_integer, "items_sha256": is_hash, "certificate_sha256": is_hash,
        "indices_sha256": is_hash, "duplicates": {"within": is_integer, "across": is_integer},
        "label_noise": maybe(is_facts),
        "transform": {
            "text": LABEL, "source": one_of("fixed", "declared"), "mean": [is_signed],
            "std": [is_real],
        },
    },
    "prior": {
        "kind": one_of("init", "zero", "split", "given", "code"), "sha256": is_hash, "grid": GRID,
        "inclusion_grid": GRID, "seen": SEEN,
        "mask": {"price": one_of("free", "count", "gates", "code"), "source_seen": SEEN},
    },
    "posterior": {
        "sha256": is_hash, "checkpoint_sha256": is_hash, "kl_upper": is_signed,
        "family": one_of("spike-and-slab", "point"), "network_sha256": maybe(is_hash),
        "tensors": [TENSOR],
    },
    "stages": [STAGE],
    "mc": {
        "design": one_of("fresh-weights", "one-network"), "method": one_of("binomial", "exact"),
        "draws": is_integer, "trials": is_integer, "errors": is_integer, "root_sha256": is_hash,
        "risk_upper": is_risk,
    },
    "evidence": {
        "id": LABEL, "n": is_integer, "errors": is_integer, "trials": is_integer,
        "kl_upper": is_signed, "risk_upper": is_risk,
    },
    "reference": {
        "holdout": maybe({"errors": is_integer, "n": is_integer, "risk_upper": is_risk}),
        "test": maybe({"errors": is_integer, "trials": is_integer}),
        "mask_price": maybe({"nats": is_real}),
    },
    "conditions": [{
        "id": LABEL, "title": LABEL, "status": one_of("checked", "declared", "violated", "n/a"),
        "by": one_of("code", "user", "default"), "note": TEXT,
    }],
}  # fmt: skip


def read(data: bytes) -> dict[str, Any]:
    def no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        demand(len({key for key, _ in pairs}) == len(pairs), "a key is repeated")
        return dict(pairs)

    demand(len(data) <= 2**24, "the file is too large")
    try:
        document = json.loads(data.decode(), object_pairs_hook=no_repeats)
    except (ValueError, RecursionError) as error:
        raise Refused(f"no JSON: {error}") from None
    demand(fits_form(document, CERTIFICATE), "wrong form")
    return document
