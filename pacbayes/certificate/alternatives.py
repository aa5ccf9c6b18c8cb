"""What other theorems say about the evidence of one certificate, side by side."""

from dataclasses import dataclass
from typing import Final

from pacbayes.bounds import (
    catoni_grid_bound,
    decimal_up,
    kl_bound,
    mcallester_bound,
    quad_bound,
    rodriguez_galvez_bound,
    thiemann_bound,
    vote_bound,
)
from pacbayes.certificate.decimals import plain
from pacbayes.certificate.document import Certificate
from pacbayes.certificate.pricing import Pricing
from pacbayes.certificate.table import upper_digits
from pacbayes.errors import UsageError

CATONI_GRID: Final = tuple(f"{0.06 * 2 ** (place / 3):.4f}" for place in range(20))
"""Declared constants of Catoni's bound, from 0.06 to 4.8; a grid costs ln 20 nats."""

SAME_EVENT = "follows from the kl event with xi(n): holds with it at the same delta"
OTHER_EVENT = "an event of its own: to use it beside the others, divide delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One theorem on the evidence of a certificate, at the certificate's shares and weights.

    Attributes:
        name: theorem.
        bound: certified upper value of the risk, a decimal string.
        note: what it takes to use it beside the others.
    """

    name: str
    bound: str
    note: str


def alternatives(certificate: Certificate) -> tuple[Alternative, ...]:
    """Return what each Gibbs bound gives on the evidence of a certificate.

    Every value is a valid bound by itself at the certificate's delta. The relaxations of one kl
    event hold together; Catoni's bound is another event, and choosing it after a look at the
    others costs a union over the bounds compared.

    Raises:
        UsageError: the certificate is about one network, or recursive.
    """
    pricing = Pricing.of(certificate)
    if pricing.single or certificate.document["stages"]:
        raise UsageError(f"{certificate.name}: other Gibbs bounds need a Gibbs certificate")
    evidence = certificate.document["evidence"]
    facts = {
        "risk": evidence["risk_upper"],
        "kl": evidence["kl_upper"],
        "n": certificate.n,
        "delta": pricing.theorem,
        "weight": pricing.weight,
    }
    kl = kl_bound(**facts)
    found = [
        ("kl", kl, SAME_EVENT),
        ("kl, exact xi(n)", kl_bound(**facts, constant="xi"), "the kl event itself"),
        ("rodriguez-galvez", rodriguez_galvez_bound(**facts), SAME_EVENT),
        ("thiemann", thiemann_bound(**facts), SAME_EVENT),
        ("quad", quad_bound(**facts), SAME_EVENT),
        ("mcallester", mcallester_bound(**facts), SAME_EVENT),
        ("catoni, grid of 20", catoni_grid_bound(**facts, grid=CATONI_GRID), OTHER_EVENT),
        ("vote", vote_bound(gibbs=kl), "of the majority vote, not of the Gibbs classifier"),
    ]
    return tuple(
        Alternative(name=name, bound=plain(decimal_up(value)), note=note)
        for name, value, note in found
    )


def render_alternatives(certificate: Certificate) -> str:
    """Return the table as text, ending with a newline."""
    rows = [(a.name, upper_digits(a.bound), a.note) for a in alternatives(certificate)]
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{name.ljust(width)}  {bound}  {note}" for name, bound, note in rows]
    title = f"{certificate.name}: every Gibbs bound on the same evidence"
    return "\n".join([title, *lines]) + "\n"
