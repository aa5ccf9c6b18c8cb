"""Strict JSON: no duplicate keys, no NaN, no surprises; for headers and for our own documents."""

import json
from typing import Any

from pacbayes.errors import InputError

MAX_BYTES = 16 * 2**20


def parse_json(data: bytes, *, source: str) -> dict[str, Any]:
    """Return the JSON object in ``data``.

    Raises:
        InputError: larger than 16 MiB, not UTF-8, not one JSON object, nested too deeply, a key
            twice in one object, or a number that is not finite.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{source} is larger than {MAX_BYTES} bytes")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_distinct,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise InputError(f"{source} is nested too deeply") from error
    except ValueError as error:
        raise InputError(f"{source} is not valid JSON: {ascii(str(error))[1:-1][:160]}") from error
    if not isinstance(value, dict):
        raise InputError(f"{source} is not a JSON object")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key[:80]!r} appears twice")
        found[key] = value
    return found


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError(f"{text[:80]} is not a finite number")
    return value
