"""Verification of a certificate file from nothing but its own text."""

from dataclasses import dataclass
from pathlib import Path

from pacbayes.certificate import checker
from pacbayes.certificate.conditions import Condition
from pacbayes.certificate.document import Certificate, read_bytes
from pacbayes.errors import InputError, VerificationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What the checker says about one file.

    Attributes:
        path: the file.
        accepted: whether everything in the certificate follows from its evidence.
        level: how deep the check went: ``L1``, the arithmetic from the certificate alone; with
            files ``L2``, the weights are the ones named, and ``L3``, the errors counted again.
        reason: why it was rejected, empty when accepted.
        certificate: the certificate, ``None`` when rejected.
        note: what the files showed, empty at level 1.
    """

    path: str
    accepted: bool
    level: str
    reason: str
    certificate: Certificate | None
    note: str = ""

    @property
    def declared(self) -> tuple[Condition, ...]:
        """The conditions that rest on somebody's word; nothing has checked them."""
        return () if self.certificate is None else self.certificate.declared


def verify(path: Path | str) -> Verification:
    """Return what the checker says about a certificate file.

    Raises:
        InputError: the file cannot be read or is not a certificate (names file and field).
    """
    try:
        document = checker.check(read_bytes(path))
    except checker.Malformed as error:
        raise InputError(f"{path}: {error}") from error
    except checker.Rejected as error:
        return Verification(
            path=str(path), accepted=False, level="L0", reason=str(error), certificate=None
        )
    return Verification(
        path=str(path),
        accepted=True,
        level="L1",
        reason="",
        certificate=Certificate(document=document),
    )


def read_verified(path: Path | str) -> Certificate:
    """Return the certificate in a file after the checker has accepted it.

    Raises:
        InputError: the file cannot be read or is not a certificate.
        VerificationError: the certificate does not follow from its evidence.
    """
    found = verify(path)
    if found.certificate is None:
        raise VerificationError(f"{path}: does not verify: {found.reason}")
    return found.certificate
