"""The 32 validity conditions and what is known about each of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from pacbayes.errors import Problem, UsageError

Status = Literal["checked", "declared", "violated", "n/a"]
By = Literal["code", "user", "default"]

TITLES: Final[dict[str, str]] = {
    "V1": "the prior was fixed without the certificate part",
    "V2": "prior scales do not depend on the certificate part, or lie on a paid grid",
    "V3": "prior inclusion does not depend on the certificate part, or is paid for",
    "V4": "the mask has not seen the certificate part, or is paid for",
    "V5": "buffers are equal in prior and posterior and have not seen the certificate part",
    "V6": "preprocessing constants and other state have not seen the certificate part",
    "V7": "the loss lies in [0, 1]",
    "V8": "the certificate part is an independent sample of the target distribution",
    "V9": "no example occurs twice",
    "V10": "examples are evaluated without random augmentation, and n counts sources",
    "V11": "choices that change the prior were not tuned on the certificate part",
    "V12": "choices among priors are paid for by a union bound",
    "V13": "no free parameter of the bound was optimised unpaid",
    "V14": "the best of several candidates is paid for",
    "V15": "the number of draws was fixed and their seed derived before the first draw",
    "V16": "delta is not spent twice on the same certificate part",
    "V17": "the error of sampling weights has its own share of delta",
    "V18": "the shares add up to delta",
    "V19": "every published number is rounded up",
    "V20": "ties and non-finite logits count as errors, in a pinned arithmetic",
    "V21": "n and the counts are exact integers, every example once per draw",
    "V22": "labels lie in the range of the outputs; the risk is with respect to labels as given",
    "V23": "weights, mask and files are the ones named by their digests",
    "V24": "every parameter is in the divergence",
    "V25": "the posterior has no mass where the prior has none",
    "V26": "the weights drawn follow the law in the divergence",
    "V27": "the predictor is the one that the claim names",
    "V28": "no pre-training of the prior saw the certificate part",
    "V29": "draws are independent of everything fitted and of each other",
    "V30": "the constant of the theorem holds for this n",
    "V31": "claims made together share one delta",
    "V32": "the distribution that the claim is about is described",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What is known about one validity condition.

    Attributes:
        id: identifier, ``"V1"`` to ``"V32"``.
        status: ``checked`` by code, ``declared`` by somebody, ``violated``, or ``n/a``.
        by: who says so; ``checked`` is always by ``code``, ``declared`` never.
        note: one line of detail, may be empty.

    Raises:
        UsageError: the identifier is unknown, or status and author contradict each other.

    Example:
        >>> Condition(id="V7", status="checked", by="code").title
        'the loss lies in [0, 1]'
    """

    id: str
    status: Status
    by: By
    note: str = ""

    def __post_init__(self) -> None:
        if self.id not in TITLES:
            raise UsageError(f"unknown condition {self.id!r}; known are V1 to V32")
        if self.status in ("checked", "declared") and (self.status == "checked") != (
            self.by == "code"
        ):
            raise UsageError(f"condition {self.id} cannot be {self.status} by {self.by}")

    @property
    def title(self) -> str:
        """What the condition asks for, in plain words."""
        return TITLES[self.id]

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the certificate."""
        return {
            "id": self.id,
            "title": self.title,
            "status": self.status,
            "by": self.by,
            "note": self.note,
        }


def checked(condition: str, note: str = "") -> Condition:
    """Return the condition as verified by code."""
    return Condition(id=condition, status="checked", by="code", note=note)


def declared(condition: str, note: str = "", *, by: By = "user") -> Condition:
    """Return the condition as resting on somebody's word."""
    return Condition(id=condition, status="declared", by=by, note=note)


def violated(condition: str, note: str) -> Condition:
    """Return the condition as not holding; no certificate can be issued with it."""
    return Condition(id=condition, status="violated", by="code", note=note)


def not_applicable(condition: str, note: str = "") -> Condition:
    """Return the condition as having no object here, for example no buffers."""
    return Condition(id=condition, status="n/a", by="code", note=note)


def problems(conditions: Iterable[Condition]) -> list[Problem]:
    """Return everything in a list of conditions that forbids a certificate.

    That is: conditions that are violated, stated twice or not stated at all.
    """
    given = list(conditions)
    found = [
        Problem(condition=c.id, message=c.note or f"violated: {c.title}")
        for c in given
        if c.status == "violated"
    ]
    stated = [c.id for c in given]
    for name, title in TITLES.items():
        if stated.count(name) != 1:
            times = "not stated" if name not in stated else "stated more than once"
            found.append(Problem(condition=name, message=f"{times}: {title}"))
    return found


def in_order(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    """Return the entries of a complete list, V1 first."""
    entries = {c.id: c.to_json() for c in conditions}
    return [entries[name] for name in TITLES]
