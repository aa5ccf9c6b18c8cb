"""The baseline of the gate: whole certificates in one file, each verified again when read."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from pacbayes.certificate import checker
from pacbayes.certificate.document import Certificate, canonical, read_bytes
from pacbayes.errors import InputError, VerificationError

SCHEMA: Final = "pacbayes/baseline/1"
MAX_BYTES: Final = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The certificates that others are compared with.

    Attributes:
        source: where it was read, for messages.
        certificates: by name; all of them verified.
    """

    source: str
    certificates: Mapping[str, Certificate]

    @classmethod
    def of(cls, certificates: Iterable[Certificate], *, source: str) -> Self:
        """Return the baseline of verified certificates.

        Raises:
            InputError: two of them have the same name.
        """
        named: dict[str, Certificate] = {}
        for certificate in certificates:
            if certificate.name in named:
                raise InputError(f"{source}: two certificates are named {certificate.name}")
            named[certificate.name] = certificate
        return cls(source=source, certificates=named)

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str) -> Self:
        """Return the baseline in the bytes: one of ours, or a single certificate.

        Raises:
            InputError: neither of the two, or without certificates.
            VerificationError: a certificate in it does not follow from its evidence.
        """
        return cls.of([_verified(d, source) for d in _documents(data, source)], source=source)

    def to_bytes(self) -> bytes:
        """Return the canonical bytes: certificates sorted by name."""
        documents = [self.certificates[name].document for name in sorted(self.certificates)]
        return canonical({"schema": SCHEMA, "certificates": documents})


def read_baseline(path: Path | str) -> Baseline:
    """Return the baseline in a file.

    Raises:
        InputError: the file is missing, unreadable or malformed.
        VerificationError: a certificate in it does not follow from its evidence.
    """
    return Baseline.from_bytes(read_bytes(path, limit=MAX_BYTES), source=str(path))


def _documents(data: bytes, source: str) -> list[Any]:
    if len(data) > MAX_BYTES:
        raise InputError(f"{source}: is larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8")
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source}: is not strict JSON: {ascii(str(error))[:200]}") from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema == checker.SCHEMA:
        return [found]
    if schema != SCHEMA or found.keys() != {"schema", "certificates"}:
        raise InputError(f"{source}: schema: is neither {SCHEMA!r} nor {checker.SCHEMA!r}")
    documents = found["certificates"]
    if not isinstance(documents, list) or not documents:
        raise InputError(f"{source}: certificates: must be a list of at least one")
    return [*documents]


def _verified(document: Any, source: str) -> Certificate:
    """Return a certificate of the baseline after the checker has accepted it."""
    name = document.get("name") if isinstance(document, dict) else None
    where = f"{source}: {ascii(name)[:80]}"
    try:
        return Certificate(document=checker.check(canonical(document)))
    except checker.Malformed as error:
        raise InputError(f"{where}: {error}") from error
    except checker.Rejected as error:
        raise VerificationError(f"{where}: does not verify: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
