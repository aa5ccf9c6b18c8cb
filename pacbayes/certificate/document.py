"""The certificate as a document: typed access to a dict that has passed the strict reader."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pacbayes.certificate import checker
from pacbayes.certificate.conditions import Condition
from pacbayes.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a certificate claims.

    Attributes:
        risk_upper: upper value of the risk, a decimal string.
        delta_total: failure probability, a decimal string.
        statement: the claim as a sentence.
    """

    risk_upper: str
    delta_total: str
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certificate:
    """A claim with its evidence; the document is the truth, the properties read from it.

    Attributes:
        document: the parsed JSON, in the form that the checker demands.
    """

    document: dict[str, Any]

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "certificate") -> Self:
        """Return the certificate in the bytes; its form is checked, its numbers are not.

        Raises:
            InputError: the bytes are not a certificate (names ``source`` and the field).
        """
        try:
            return cls(document=checker.parse(data))
        except checker.Rejected as error:
            raise InputError(f"{source}: {error}") from error

    def to_bytes(self) -> bytes:
        """Return the canonical bytes: sorted keys, two-space indent, final newline."""
        return canonical(self.document)

    def to_json(self) -> str:
        """Return the canonical text."""
        return self.to_bytes().decode()

    @property
    def name(self) -> str:
        """Subject of the claim, for example ``lenet300/mnist/ticket``."""
        return str(self.document["name"])

    @property
    def role(self) -> str:
        """Last part of the name: ``ticket``, ``dense``."""
        return self.name.rpartition("/")[2]

    @property
    def claim(self) -> Claim:
        """What is claimed."""
        return Claim(**self.document["claim"])

    @property
    def risk_upper(self) -> str:
        """The certified upper value of the risk, a decimal string."""
        return self.claim.risk_upper

    @property
    def delta_total(self) -> str:
        """The failure probability of the claim, a decimal string."""
        return self.claim.delta_total

    @property
    def n(self) -> int:
        """Number of examples that the claim rests on."""
        return int(self.document["data"]["n"])

    @property
    def predictor(self) -> str:
        """What the claim is about: ``gibbs`` or ``single`` (one network)."""
        return str(self.document["predictor"])

    @property
    def is_vacuous(self) -> bool:
        """Whether the claim says nothing: the bound is 1."""
        return self.risk_upper == "1"

    @property
    def sparsity(self) -> float:
        """Fraction of removed entries over the weight arrays (two or more axes).

        With learned gates no entry is removed for good; it is the fraction that the prior removes
        on average, its inclusions being the grid values nearest to the posterior's means.
        """
        arrays = [t for t in self.document["posterior"]["tensors"] if len(t["shape"]) > 1]
        weights = sum(t["n_weights"] for t in arrays)
        return 1.0 - sum(self._kept(t) for t in arrays) / weights if weights else 0.0

    def _kept(self, tensor: dict[str, Any]) -> float:
        grid, index = self.document["prior"]["inclusion_grid"], tensor["inclusion_index"]
        if grid is None or index is None:
            return float(tensor["n_active"])
        share = float(grid["top"]) * 2.0 ** (-int(index) / int(grid["steps_per_octave"]))
        return float(share * int(tensor["n_weights"]))

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The validity conditions with what is known about them."""
        return tuple(
            Condition(id=c["id"], status=c["status"], by=c["by"], note=c["note"])
            for c in self.document["conditions"]
        )

    @property
    def declared(self) -> tuple[Condition, ...]:
        """The conditions that rest on somebody's word."""
        return tuple(c for c in self.conditions if c.status == "declared")


def canonical(value: dict[str, Any]) -> bytes:
    """Return the bytes of a document: sorted keys, two-space indent, ASCII, final newline.

    Example:
        >>> canonical({"b": 1, "a": "x"}).decode().split()
        ['{', '"a":', '"x",', '"b":', '1', '}']
    """
    return checker.canonical(value)


def self_hash(document: dict[str, Any]) -> str:
    """Return the SHA-256 over the canonical bytes of a document without its ``self_sha256``."""
    body = {key: value for key, value in document.items() if key != "self_sha256"}
    return hashlib.sha256(canonical(body)).hexdigest()


def read_bytes(path: Path | str, *, limit: int = checker.MAX_BYTES) -> bytes:
    """Return the content of a regular file, at most one byte more than a limit (the checker's).

    Raises:
        InputError: the file is missing, unreadable or not a regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(f"{path}: is not a regular file")
            return file.read(limit + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def read_certificate(path: Path | str) -> Certificate:
    """Return the certificate in a file; its form is checked, its numbers are not.

    Use :func:`~pacbayes.certificate.verify.verify` to have the numbers checked too.

    Raises:
        InputError: the file cannot be read or is not a certificate (names file and field).
    """
    return Certificate.from_bytes(read_bytes(path), source=str(path))
