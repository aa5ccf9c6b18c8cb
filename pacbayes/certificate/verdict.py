"""What the gate says about one subject, and when two certificates can be compared at all."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal

from pacbayes.certificate.decimals import plain
from pacbayes.certificate.document import Certificate
from pacbayes.certificate.pricing import Pricing
from pacbayes.certificate.spending import kl_items
from pacbayes.certificate.table import upper_nats

Kind = Literal[
    "worse", "over budget", "vacuous", "rejected", "other artifact", "not comparable",
    "no baseline", "unreadable", "ambiguous", "absent", "bad baseline",
]  # fmt: skip

CODES: Final[dict[Kind, int]] = {
    "worse": 1,
    "over budget": 1,
    "vacuous": 1,
    "rejected": 1,
    "other artifact": 1,
    "bad baseline": 1,
    "not comparable": 3,
    "no baseline": 3,
    "unreadable": 3,
    "ambiguous": 3,
    "absent": 3,
}
"""Exit code by kind of failure: 1 for a number that is not good enough, 3 for one not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One reason why the gate fails.

    Attributes:
        kind: what sort of reason.
        message: one line.
    """

    kind: Kind
    message: str

    @property
    def code(self) -> int:
        """Exit code that it asks for."""
        return CODES[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says about one certificate file.

    Attributes:
        path: the file.
        name: subject of the certificate, ``None`` where there is none to read.
        old: bound of the baseline.
        new: bound of the file.
        limit: largest bound that passes.
        failures: all reasons to fail; none means that it passes.
        why: what differs from the baseline, one line each.
    """

    path: str
    name: str | None = None
    old: str | None = None
    new: str | None = None
    limit: str | None = None
    failures: tuple[Failure, ...] = ()
    why: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Name of the certificate, or the file where it has none."""
        return self.path if self.name is None else self.name

    @property
    def code(self) -> int:
        """Exit code: 0 where it passes."""
        return max((failure.code for failure in self.failures), default=0)

    @property
    def change(self) -> Decimal | None:
        """New bound minus old bound."""
        if self.old is None or self.new is None:
            return None
        return Decimal(self.new) - Decimal(self.old)

    @property
    def status(self) -> str:
        """One or two words: the first failure, or how it passes."""
        if self.failures:
            return self.failures[0].kind
        if self.change is None:
            return "accepted"
        if self.change == 0:
            return "equal"
        return "lower" if self.change < 0 else "within tolerance"

    def to_json(self) -> dict[str, Any]:
        """Return the verdict with strings and integers only."""
        return {
            "path": self.path,
            "name": self.name,
            "status": self.status,
            "old": self.old,
            "new": self.new,
            "change": None if self.change is None else _signed(self.change),
            "limit": self.limit,
            "failures": [{"kind": f.kind, "message": f.message} for f in self.failures],
            "why": list(self.why),
        }


_SAME: Final = {
    "predictor": ("predictor",),
    "loss": ("loss",),
    "bound": ("bound", "id"),
    "data": ("data", "name"),
    "training examples": ("data", "items_sha256"),
    "certificate examples": ("data", "certificate_sha256"),
    "split": ("data", "indices_sha256"),
    "n": ("data", "n"),
}


PROVENANCE: Final = ("V1", "V2", "V3", "V4", "V5", "V6")
"""Conditions on what prior, mask, buffers and constants have seen."""


def incomparable(new: Certificate, old: Certificate) -> tuple[str, ...]:
    """Return why two certificates of one name can't be compared; empty if they can.

    Name, data and split digests, n, delta, loss, predictor and bound must agree, and what the
    prior has seen must not rest on somebody's word where code had checked it. Checkpoints,
    priors, masks and draws may differ: they are what is being gated.
    """
    found = []
    if Fraction(new.delta_total) != Fraction(old.delta_total):
        found.append(f"delta {old.delta_total} became {new.delta_total}")
    for word, path in _SAME.items():
        before, after = _get(old.document, path), _get(new.document, path)
        if before != after:
            found.append(f"{word} {_brief(before)} became {_brief(after)}")
    told = [name for name in _weaker(new, old) if name in PROVENANCE]
    if told:
        found.append(f"checked before, now only somebody's word: {', '.join(told)}")
    return tuple(found)


def _weaker(new: Certificate, old: Certificate) -> list[str]:
    """Return the conditions that were checked and are now only declared."""
    known = {condition.id: condition.status for condition in old.conditions}
    return [c.id for c in new.declared if known[c.id] == "checked"]


def reasons(new: Certificate, old: Certificate) -> tuple[str, ...]:
    """Return what differs between two comparable certificates, and what each part did."""
    found = []
    before, after = old.document["mc"], new.document["mc"]
    if before["draws"] != after["draws"]:
        found.append(f"draws {before['draws']} became {after['draws']}")
    if _rate(before) != _rate(after):
        found.append(f"counted risk {_rate(before)} became {_rate(after)}")
    items = kl_items(old.document), kl_items(new.document)
    for item, nats in items[0].items():
        if nats != items[1][item]:
            shown = f"{upper_nats(nats)} became {upper_nats(items[1][item])}"
            found.append(f"kl of {item} {shown} nats")
    prices = Pricing.of(old), Pricing.of(new)
    for word in ("theorem", "draws", "weight", "parameter"):
        values = getattr(prices[0], word), getattr(prices[1], word)
        if values[0] != values[1]:
            label = "union weight" if word == "weight" else word
            label = f"delta share of {word}" if word in ("theorem", "draws") else label
            found.append(f"{label} {values[0]} became {values[1]}")
    weaker = _weaker(new, old)
    if weaker:
        found.append(f"checked before, now only declared: {', '.join(weaker)}")
    if found and new.risk_upper != old.risk_upper and not new.document["stages"]:
        found.append(_attribution(new, old))
    return tuple(found)


def _attribution(new: Certificate, old: Certificate) -> str:
    """Say how much of the change comes from the risk, by exchanging it alone."""
    counts = new.document["mc"]
    middle = Pricing.of(old).theorem_upper(
        risk_upper=counts["risk_upper"],
        kl_upper=old.document["posterior"]["kl_upper"],
        errors=counts["errors"],
    )
    of_risk = float(Decimal(middle) - Decimal(old.risk_upper))
    of_rest = float(Decimal(new.risk_upper) - Decimal(middle))
    return f"of the change, {of_risk:+.1e} comes with the risk and {of_rest:+.1e} with the nats"


def _rate(counts: dict[str, Any]) -> str:
    return f"{counts['errors']}/{counts['trials']} = {counts['errors'] / counts['trials']:.5f}"


def _get(document: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = document
    for key in path:
        value = value[key]
    return value


def _brief(value: Any) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text


def _signed(change: Decimal) -> str:
    text = plain(abs(change))
    return text if change == 0 else f"{'-' if change < 0 else '+'}{text}"
