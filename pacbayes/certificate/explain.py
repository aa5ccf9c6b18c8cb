"""One certificate in words: what it says and what each nat was spent on."""

from decimal import Decimal

from pacbayes.certificate.decimals import kl_total
from pacbayes.certificate.document import Certificate
from pacbayes.certificate.pricing import Pricing
from pacbayes.certificate.spending import kl_items, prices, total_nats
from pacbayes.certificate.table import upper_digits, upper_nats


def render_certificate(certificate: Certificate) -> str:
    """Return a certificate as text, ending with a newline.

    It says in one sentence what the number means, itemises the nats, shows what sampling the
    weights costs, and puts beside the bound what would be known without a posterior.
    """
    parts = [
        _meaning(certificate),
        _counts(certificate),
        _spending(certificate),
        _beside(certificate),
        _declared(certificate),
    ]
    return "\n".join(line for part in parts for line in [*part, ""]).rstrip() + "\n"


def _meaning(certificate: Certificate) -> list[str]:
    bound = certificate.risk_upper
    if certificate.is_vacuous:
        summary = "the bound is 1: vacuous, this certificate says nothing about the risk"
    else:
        single = certificate.predictor == "single"
        who = "this one network" if single else "the Gibbs classifier"
        summary = f"certified risk of {who}: at most {upper_digits(bound)}"
    return [f"{certificate.name}: {summary}", certificate.claim.statement]


def _counts(certificate: Certificate) -> list[str]:
    counts, pricing = certificate.document["mc"], Pricing.of(certificate)
    rate = counts["errors"] / counts["trials"]
    if pricing.single:
        return [
            f"errors on the {certificate.n} certificate examples: {counts['errors']} = {rate:.4f}"
        ]
    upper = counts["risk_upper"]
    slack = max(0.0, float(Decimal(upper)) - rate)
    lines = [
        f"risk on the {certificate.n} certificate examples: {counts['errors']} errors in "
        f"{counts['trials']} trials ({counts['draws']} draws each) = {rate:.4f}",
        f"  with sampling of weights: at most {upper_digits(upper)} "
        f"(+{slack:.1e} at delta share {pricing.draws})",
    ]
    return [*lines, *_stages(certificate)]


def _stages(certificate: Certificate) -> list[str]:
    """Say what each stage of a recursive bound adds."""
    lines = []
    for place, stage in enumerate(certificate.document["stages"]):
        uppers = ", ".join(upper_digits(part["risk_upper"]) for part in stage["parts"])
        lines.append(
            f"  stage {place + 1}: n {stage['n']}, gamma {stage['gamma']}, "
            f"kl {upper_nats(stage['kl_upper'])} nats, parts at most {uppers}"
        )
    return lines


def _spending(certificate: Certificate) -> list[str]:
    """Itemise the exponent of the theorem: divergence by tensor, constant, delta, choices."""
    document, n = certificate.document, certificate.n
    tensors = document["posterior"]["tensors"]
    header = ("nats spent on", "weights", "kept", "mask", "mean", "scale", "sum")
    rows = [header]
    for tensor in tensors:
        items = tensor["kl"]
        rows.append(
            (
                tensor["name"],
                str(tensor["n_weights"]),
                str(tensor["n_active"]),
                upper_nats(items["mask"]),
                upper_nats(items["mean"]),
                upper_nats(items["scale"]),
                upper_nats(kl_total(list(items.values()))),
            )
        )
    total = total_nats(certificate)
    rows += [(p.label, "", "", "", "", "", f"{p.nats:.4g}") for p in prices(certificate)]
    rows.append(("total", "", "", "", "", "", f"{total:.4g}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [*lines, f"total / n = {total / n:.4g} nats per example"]


def _beside(certificate: Certificate) -> list[str]:
    reference, lines = certificate.document["reference"], []
    holdout = reference["holdout"]
    if holdout is not None:
        lines.append(
            f"hold-out bound of the deterministic prior network: "
            f"{upper_digits(holdout['risk_upper'])} ({holdout['errors']} errors in {holdout['n']})"
        )
    price = certificate.document["prior"]["mask"]["price"]
    if price == "free" and reference["mask_price"] is not None:
        nats = upper_nats(reference["mask_price"]["nats"])
        lines.append(
            f"price of the mask: {nats} nats (free here, the mask has not seen these examples)"
        )
    elif price != "free":
        nats = upper_nats(kl_items(certificate.document)["mask"])
        lines.append(f"price of the mask: {nats} nats (paid above)")
    test = reference["test"]
    if test is not None:
        rate = test["errors"] / test["trials"]
        lines.append(
            f"test set: {test['errors']} errors in {test['trials']} = {rate:.4f} (an estimate)"
        )
    return lines


def _declared(certificate: Certificate) -> list[str]:
    declared = certificate.declared
    if not declared:
        return ["every condition was checked by code"]
    lines = ["declared, not checked:"]
    for condition in declared:
        note = f": {condition.note}" if condition.note else ""
        lines.append(f"  {condition.id} {condition.title} (by {condition.by}){note}")
    return lines
