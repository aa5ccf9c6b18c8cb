"""The form of texts such as ``synthetic:n=100,seed=3``."""

from collections.abc import Callable, Mapping
from typing import Any

from pacbayes.errors import UsageError


def keyed_numbers(spec: str, kinds: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """Return the numbers behind the colon of a text ``name:key=value,...``, by key.

    Args:
        spec: the text.
        kinds: the keys that are known, each with what turns its text into a number.

    Raises:
        UsageError: a key is unknown or repeated, or a value is no number.

    Example:
        >>> keyed_numbers("synthetic:n=100,separation=2", {"n": int, "separation": float})
        {'n': 100, 'separation': 2.0}
    """
    known: dict[str, Any] = {}
    for pair in filter(None, spec.partition(":")[2].split(",")):
        key, _, text = pair.partition("=")
        if key not in kinds or key in known:
            raise UsageError(f"{spec}: {key!r} is not one of {', '.join(kinds)}, each once")
        try:
            known[key] = kinds[key](text)
        except ValueError as error:
            raise UsageError(f"{spec}: {key} must be a number, got {text!r}") from error
    return known
