"""The report as one HTML file: no script, no request, every number with its unit."""

import html
from collections.abc import Iterable, Sequence
from typing import Final

from pacbayes.certificate import Certificate, Comparison, Row, compare_certificates
from pacbayes.certificate.decimals import kl_total
from pacbayes.certificate.pricing import Pricing
from pacbayes.certificate.spending import kl_items, prices, total_nats
from pacbayes.certificate.table import FOOTNOTE, upper_digits, upper_nats
from pacbayes.report import figures
from pacbayes.report.figures import Figure
from pacbayes.report.style import SHEET
from pacbayes.report.svg import scatter, stacked_bars

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

CLAIMED: Final = (
    "The number bounds the <b>risk</b> (probability of a wrong answer, 0-1 loss) {who}.",
    "It holds with the stated probability over the draw of the certificate examples and of the "
    "weights together, however the network was trained.",
    "Every published number is rounded up and follows from the integers and nats in the "
    "certificate; <code>pacbayes verify</code> recomputes all of it without network and data.",
)
WHO: Final = {
    "gibbs": (
        "of the <b>randomised (Gibbs) classifier</b>: every new example meets freshly drawn weights"
    ),
    "single": "of <b>one network</b>, whose digest the claim names",
}
NOT_CLAIMED: Final = (
    "Nothing is said about {other}, or about a vote of several draws.",
    "Nothing is said about another distribution: under shift, or for dependent examples, the "
    "number means nothing. That the examples are independent is declared, not checked.",
    "Labels are taken as given; wrong labels are part of the distribution.",
    "A lower bound does not show a lower risk: it shows that less risk could be certified.",
)

_MARKS: Final = {
    "checked": "✓ checked",
    "declared": "○ declared",
    "violated": "✗ violated",
    "n/a": "- not applicable",
}

_HEADER: Final = (
    ("name", ""),
    ("bound", "risk, certified"),
    ("sparsity", "fraction removed"),
    ("n", "examples"),
    ("counted risk", "estimate"),
    ("risk upper", "with weight draws"),
    ("kl", "nats"),
    ("of mask", "nats"),
    ("of mean", "nats"),
    ("of scale", "nats"),
    ("hold-out bound", "risk, prior network"),
    ("mask price", "nats"),
    ("test error", "estimate"),
)


def report_html(certificates: Sequence[Certificate]) -> str:
    """Return the report on verified certificates as one self-contained HTML document.

    Raises:
        UsageError: there is no certificate.
    """
    comparison = compare_certificates(certificates)
    body = [
        "<h1>Certified risk: what was proved, and what it was spent on</h1>",
        f'<p class="soft">{_text(comparison.header)}.</p>',
        _table_of(comparison),
        _overview(certificates),
        _claims(certificates),
        *(_section(certificate) for certificate in certificates),
        _footer(certificates),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>pacbayes report</title><style>{SHEET}</style></head>\n"
        "<body><main>" + "\n".join(body) + "</main></body></html>\n"
    )


def _table_of(comparison: Comparison) -> str:
    head = "".join(
        f"<th>{_text(name)}{f'<small>{_text(unit)}</small>' if unit else ''}</th>"
        for name, unit in _HEADER
    )
    rows = "".join(_tr(_cells(row)) for row in comparison.rows)
    findings = "".join(f"<li>{_text(finding)}</li>" for finding in comparison.findings)
    listed = f"<ul>{findings}</ul>" if findings else ""
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f'</div>{listed}<p class="soft">{_text(FOOTNOTE)}</p>'
    )


def _cells(row: Row) -> list[str]:
    return [
        row.name,
        upper_digits(row.bound),
        f"{row.sparsity:.4f}",
        str(row.n),
        f"{row.draws_risk:.4f}",
        upper_digits(row.draws_upper),
        upper_nats(row.kl_upper),
        upper_nats(row.kl_mask),
        upper_nats(row.kl_mean),
        upper_nats(row.kl_scale),
        "-" if row.holdout is None else upper_digits(row.holdout),
        upper_nats(row.mask_price),
        "-" if row.test_risk is None else f"{row.test_risk:.4f}",
    ]


def _overview(certificates: Sequence[Certificate]) -> str:
    density = figures.bound_by_density(certificates)
    stack = figures.decomposition(certificates)
    bounds = [upper_digits(certificate.risk_upper) for certificate in certificates]
    return (
        '<h2>At a glance</h2><div class="figures">'
        + _figure(density, scatter(density, density.columns[2:], x_name="density", unit="risk"))
        + _figure(stack, stacked_bars(stack, stack.columns[1:], unit="risk", written=bounds))
        + "</div>"
    )


def _figure(figure: Figure, drawing: str) -> str:
    return (
        f"<figure><figcaption>{_text(figure.title)}</figcaption>{drawing}"
        f'<p class="soft"><small>{_text(figure.note)}</small></p>'
        f"<details><summary>the same as text</summary><pre>{_text(figure.table())}</pre></details>"
        "</figure>"
    )


def _claims(certificates: Sequence[Certificate]) -> str:
    found = sorted({certificate.predictor for certificate in certificates})
    words = {
        "who": ", or ".join(WHO[predictor] for predictor in found),
        "other": "another network" if found == ["single"] else "the network with the mean weights",
    }
    claimed = "".join(f"<li>{line.format(**words)}</li>" for line in CLAIMED)
    other = "".join(f"<li>{line.format(**words)}</li>" for line in NOT_CLAIMED)
    return f"<h2>What is claimed</h2><ul>{claimed}</ul><h2>What is not claimed</h2><ul>{other}</ul>"


def _section(certificate: Certificate) -> str:
    nats = figures.nats_by_tensor(certificate)
    drawing = stacked_bars(nats, ("mask", "mean", "scale"), unit="nats", beside="density")
    return "".join(
        [
            f"<h2>{_text(certificate.name)}</h2>",
            f'<p class="claim">{_text(certificate.claim.statement)}</p>',
            _facts(certificate),
            '<div class="figures">',
            _figure(nats, drawing),
            f"<div><h3>What the nats were spent on</h3>{_spending(certificate)}</div></div>",
            _conditions(certificate),
            _identity(certificate),
        ]
    )


def _facts(certificate: Certificate) -> str:
    counts, reference = certificate.document["mc"], certificate.document["reference"]
    bound = "1 (vacuous)" if certificate.is_vacuous else upper_digits(certificate.risk_upper)
    rate, gibbs = counts["errors"] / counts["trials"], certificate.predictor == "gibbs"
    how = f", {counts['draws']} weight draws for each of {certificate.n} examples" if gibbs else ""
    facts = [
        (bound, f"certified risk, at delta = {certificate.delta_total}"),
        (
            f"{rate:.4f}",
            f"counted risk: {counts['errors']} errors in {counts['trials']} trials{how}",
        ),
    ]
    if gibbs:
        share = Pricing.of(certificate).draws
        label = f"risk upper value, at the draws' share {share} of delta"
        facts.append((upper_digits(counts["risk_upper"]), label))
    holdout, test = reference["holdout"], reference["test"]
    if holdout is not None:
        facts.append((upper_digits(holdout["risk_upper"]), "hold-out bound of the prior network"))
    if reference["mask_price"] is not None:
        price = upper_nats(reference["mask_price"]["nats"])
        what = "free here: the mask has not seen these examples"
        facts.append((f"{price} nats", f"price of the mask ({what})"))
    elif certificate.document["prior"]["mask"]["price"] != "free":
        price = upper_nats(kl_items(certificate.document)["mask"])
        facts.append((f"{price} nats", "price of the mask (paid)"))
    if test is not None:
        rate = test["errors"] / test["trials"]
        facts.append((f"{rate:.4f}", f"test error, an estimate: {test['errors']}/{test['trials']}"))
    cells = "".join(f"<div><b>{_text(v)}</b><small>{_text(k)}</small></div>" for v, k in facts)
    return f'<div class="facts">{cells}</div>'


def _spending(certificate: Certificate) -> str:
    rows = []
    for tensor in certificate.document["posterior"]["tensors"]:
        items = tensor["kl"]
        total = kl_total(list(items.values()))
        kept = f"{tensor['n_active']} of {tensor['n_weights']}"
        rows.append(
            _tr([tensor["name"], kept, *(upper_nats(v) for v in items.values()), upper_nats(total)])
        )
    rows += [_tr([price.label, "", "", "", "", _nats(price.nats)]) for price in prices(certificate)]
    total_of_all = total_nats(certificate)
    rows.append(_tr(["total", "", "", "", "", _nats(total_of_all)], kind="sum"))
    head = "".join(f"<th>{h}</th>" for h in ("spent on", "kept", "mask", "mean", "scale", "nats"))
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        f"</table></div><p class='soft'><small>{total_of_all / certificate.n:.4g} nats per "
        "example.</small></p>"
    )


def _conditions(certificate: Certificate) -> str:
    rows = []
    for condition in certificate.conditions:
        by = f" by {condition.by}" if condition.status == "declared" else ""
        status = f'<span class="status {condition.status}">{_MARKS[condition.status]}{by}</span>'
        cells = f"<td>{condition.id}</td><td class='text'>{status}</td>"
        rows.append(
            f"<tr>{cells}<td>{_text(condition.title)}</td><td>{_text(condition.note)}</td></tr>"
        )
    told = len(certificate.declared)
    return (
        f"<h3>Conditions: {told} rest on somebody's word</h3>"
        '<div class="wide"><table class="conditions"><thead><tr><th></th><th class="text">status'
        '</th><th class="text">condition</th><th class="text">note</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _identity(certificate: Certificate) -> str:
    document = certificate.document
    data, bound = document["data"], document["bound"]
    constant = "" if bound["parameter"] is None else f", C = {bound['parameter']}"
    rows = [
        ("data", f"{data['name']}: {data['description']}"),
        ("preprocessing", data["transform"]["text"]),
        ("certificate part", f"{data['n']} of {data['total']} examples, {data['classes']} classes"),
        ("prior", document["prior"]["kind"]),
        ("bound", bound["id"] + constant),
        ("checkpoint SHA-256", document["posterior"]["checkpoint_sha256"]),
        ("certificate SHA-256", document["self_sha256"]),
    ]
    cells = "".join(
        f"<tr><td>{_text(k)}</td><td class='text'><code>{_text(v)}</code></td></tr>"
        for k, v in rows
    )
    return f'<h3>Identity</h3><div class="wide"><table><tbody>{cells}</tbody></table></div>'


def _footer(certificates: Sequence[Certificate]) -> str:
    tools = {f"{c.document['tool']['name']} {c.document['tool']['version']}" for c in certificates}
    return (
        f"<h2>Check it yourself</h2><p>Issued by {_text(', '.join(sorted(tools)))}. "
        "<code>pacbayes verify CERT...</code> recomputes every number from the certificates alone; "
        "<code>pacbayes cite CERT...</code> names the theorems.</p>"
    )


def _nats(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def _tr(cells: Iterable[str], *, kind: str = "") -> str:
    inner = "".join(f"<td>{_text(cell).replace('/', '/<wbr>')}</td>" for cell in cells)
    return f'<tr class="{kind}">{inner}</tr>' if kind else f"<tr>{inner}</tr>"


def _text(text: str) -> str:
    return html.escape(str(text))
