"""What a certificate spends: every nat of the theorem by name, and what it does to the bound."""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal

from pacbayes.certificate.decimals import kl_total
from pacbayes.certificate.document import Certificate
from pacbayes.certificate.pricing import Pricing

GRIDS: Final = {"prior scale of ": "prior scales", "prior inclusion of ": "prior inclusions"}

WITH_CONSTANT: Final = ("pb-kl-maurer", "disintegrated", "recursive")
"""Bounds that pay ln(2 sqrt(n))."""

ITEMS: Final = ("mask", "mean", "scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Nats that the theorem pays besides the divergence; a float for display.

    Attributes:
        label: what they are paid for.
        nats: how many.
        source: ``constant`` of the theorem, ``delta``, or a ``choice`` on the prior's side.
    """

    label: str
    nats: float
    source: Literal["constant", "delta", "choice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a bound, in units of risk; the parts add up to the bound (for display).

    Attributes:
        name: ``risk``, ``draws``, ``kl of mask`` (``mean``, ``scale``), ``delta and choices``.
        risk: its height.
        nats: nats behind it, ``None`` for the counted risk and for the draws.
    """

    name: str
    risk: float
    nats: float | None = None


def kl_items(document: dict[str, Any]) -> dict[str, str]:
    """Return the nats for mask, means and scales over all tensors, decimals rounded up."""
    tensors = document["posterior"]["tensors"]
    return {item: kl_total([tensor["kl"][item] for tensor in tensors]) for item in ITEMS}


def prices(certificate: Certificate) -> tuple[Price, ...]:
    """Return what the theorem pays besides the divergence."""
    pricing, union = Pricing.of(certificate), certificate.document["union"]
    share = pricing.theorem
    found = []
    if pricing.bound in WITH_CONSTANT:
        nats = math.log(2.0) + math.log(certificate.n) / 2
        found.append(Price(label="ln(2 sqrt(n))", nats=nats, source="constant"))
    label = f"ln(1/delta) with delta share {share}"
    found.append(Price(label=label, nats=_log_inverse(share), source="delta"))
    for prefix, what in GRIDS.items():
        grid = [entry["choices"] for entry in union if entry["purpose"].startswith(prefix)]
        if grid:
            label = f"{what}: {len(grid)} tensors, grid of {grid[0]}"
            nats = sum(math.log(size) for size in grid)
            found.append(Price(label=label, nats=nats, source="choice"))
    for entry in union:
        if not entry["purpose"].startswith(tuple(GRIDS)):
            label = f"{entry['purpose']}: {entry['choices']} choices"
            found.append(Price(label=label, nats=math.log(entry["choices"]), source="choice"))
    return tuple(found)


def parts(certificate: Certificate) -> tuple[Part, ...]:
    """Return what a bound consists of: counted risk, draws, then each sort of nats.

    The rise from the upper value of the counted risk to the bound is not additive in nats; it is
    divided among those above 0 in proportion, which is a choice of display and no claim.
    """
    document = certificate.document
    counts, bound = document["mc"], float(certificate.risk_upper)
    rate, upper = counts["errors"] / counts["trials"], float(counts["risk_upper"])
    nats = {f"kl of {item}": float(value) for item, value in kl_items(document).items()}
    nats["delta and choices"] = sum(price.nats for price in prices(certificate))
    whole = sum(max(0.0, value) for value in nats.values()) or 1.0
    rise = max(0.0, bound - upper)
    found = [
        Part(name="risk", risk=min(rate, bound)),
        Part(name="draws", risk=max(0.0, min(upper, bound) - rate)),
    ]
    for name, value in nats.items():
        found.append(Part(name=name, risk=rise * max(0.0, value) / whole, nats=value))
    return tuple(found)


def total_nats(certificate: Certificate) -> float:
    """Return divergence and prices together, in nats (for display)."""
    kl = float(Decimal(certificate.document["posterior"]["kl_upper"]))
    return kl + sum(price.nats for price in prices(certificate))


def _log_inverse(share: Fraction) -> float:
    return math.log(share.denominator) - math.log(share.numerator)
