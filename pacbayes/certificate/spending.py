"""What a certificate spends: every nat of the theorem by name, and what it does to the bound."""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal

from pacbayes.certificate.decimals import kl_total
from pacbayes.certificate.document import Certificate
from pacbayes.certificate.pricing import Pricing

GRID: Final = "prior scale of "

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
    label = f"ln(1/delta) with delta share {share}"
    found = [_constant(certificate), Price(label=label, nats=_log_inverse(share), source="delta")]
    grid = [u for u in union if u["purpose"].startswith(GRID)]
    if grid:
        size = grid[0]["choices"]
        label = f"prior scales: {len(grid)} tensors, grid of {size}"
        found.append(Price(label=label, nats=len(grid) * math.log(size), source="choice"))
    for entry in union:
        if not entry["purpose"].startswith(GRID):
            label = f"{entry['purpose']}: {entry['choices']} choices"
            found.append(Price(label=label, nats=math.log(entry["choices"]), source="choice"))
    return tuple(found)


def parts(certificate: Certificate) -> tuple[Part, ...]:
    """Return what a bound consists of: counted risk, draws, then each sort of nats.

    The rise from the upper value of the counted risk to the bound is not additive in nats; it is
    divided among them in proportion, which is a choice of display and no claim.
    """
    document = certificate.document
    counts, bound = document["mc"], float(certificate.risk_upper)
    rate, upper = counts["errors"] / counts["trials"], float(counts["risk_upper"])
    nats = {f"kl of {item}": float(value) for item, value in kl_items(document).items()}
    nats["delta and choices"] = sum(price.nats for price in prices(certificate))
    whole = sum(nats.values())
    rise = max(0.0, bound - upper)
    found = [
        Part(name="risk", risk=min(rate, bound)),
        Part(name="draws", risk=max(0.0, min(upper, bound) - rate)),
    ]
    found += [Part(name=k, risk=rise * value / whole, nats=value) for k, value in nats.items()]
    return tuple(found)


def total_nats(certificate: Certificate) -> float:
    """Return divergence and prices together, in nats (for display)."""
    kl = float(Decimal(certificate.document["posterior"]["kl_upper"]))
    return kl + sum(price.nats for price in prices(certificate))


def _constant(certificate: Certificate) -> Price:
    if certificate.document["bound"]["constant"] == "xi":
        return Price(label="ln(xi(n))", nats=math.log(_xi(certificate.n)), source="constant")
    nats = math.log(2.0) + math.log(certificate.n) / 2
    return Price(label="ln(2 sqrt(n))", nats=nats, source="constant")


def _xi(n: int) -> float:
    """Return sum_j n! / ((n-j)! n^j), for display."""
    term = total = 1.0
    for j in range(1, min(n, 60 + 10 * math.isqrt(n)) + 1):  # term j is about exp(-j^2 / (2 n))
        term *= (n - j + 1) / n
        total += term
    return total


def _log_inverse(share: Fraction) -> float:
    return math.log(share.denominator) - math.log(share.numerator)
