"""Tables of certificates: delta is divided, and words stay careful."""

import csv
import io
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from pacbayes.certificate import (
    Certificate,
    DrawFacts,
    alternatives,
    compare,
    compare_certificates,
    issue,
    render,
    render_alternatives,
    render_certificate,
)
from pacbayes.certificate.pricing import Pricing
from pacbayes.certificate.spending import parts, total_nats
from pacbayes.certificate.table import upper_digits, upper_nats
from pacbayes.errors import InputError, UsageError, VerificationError
from tests.certificate.cases import evidence
from tests.certificate.tampering import put, seal


@pytest.fixture(scope="module")
def three(certificates: dict[str, Certificate]) -> list[Certificate]:
    return [certificates[name] for name in ("split", "grid", "vacuous")]


def test_one_row_keeps_its_own_numbers(split_certificate: Certificate) -> None:
    (row,) = compare_certificates([split_certificate]).rows
    document = split_certificate.document
    assert row.bound == row.own_bound == document["claim"]["risk_upper"]
    assert row.draws_upper == document["mc"]["risk_upper"]
    assert row.holdout == document["reference"]["holdout"]["risk_upper"]
    assert (row.errors, row.trials, row.test) == (3312, 150000, (213, 10000))
    assert row.draws_risk == pytest.approx(0.02208)
    assert row.test_risk == pytest.approx(0.0213)


def test_every_row_pays_its_part_of_delta(three: list[Certificate]) -> None:
    """The row equals a certificate issued at delta / 3."""
    comparison = compare_certificates(three)
    shared = Pricing.of(three[0]).divided_by(3)
    assert (shared.theorem, shared.draws) == (Fraction(3, 200), Fraction(1, 600))
    row = comparison.rows[0]
    counted = shared.draws_upper(3312, 150000)
    assert row.draws_upper == counted
    assert row.bound == shared.theorem_upper(risk_upper=counted, kl_upper=row.kl_upper, errors=3312)
    assert row.holdout == shared.holdout_upper(640)
    for each in comparison.rows:
        assert Decimal(each.bound) >= Decimal(each.own_bound)
    assert (
        "3 rows re-evaluated from its own evidence at delta/3 (delta = 0.05)" in comparison.header
    )
    assert comparison.delta == Fraction(1, 20)


def test_parts_of_the_divergence_add_up(three: list[Certificate]) -> None:
    for row in compare_certificates(three).rows:
        parts = Decimal(row.kl_mask) + Decimal(row.kl_mean) + Decimal(row.kl_scale)
        assert float(parts) == pytest.approx(float(row.kl_upper), rel=1e-15)


def test_findings_speak_of_bounds_only(three: list[Certificate]) -> None:
    better = issue(**evidence(name="better", draws=DrawFacts(draws=5, errors=3000, trials=150000)))
    twin = issue(**evidence(name="twin"))
    comparison = compare_certificates([three[0], better, three[1], twin])
    lower, higher, equal = comparison.findings
    assert lower.startswith("better: certified bound lower than that of lenet300/toy/ticket by 0.0")
    assert higher.startswith("lenet300/toy/all: certified bound higher than that of")
    assert equal == "twin: certified bound equal to that of lenet300/toy/ticket"
    for form in ("text", "markdown"):
        text = render(comparison, form)  # type: ignore[arg-type]
        assert "does not show that the true risk is lower" in text
        assert "lower error" not in text
        assert "Gibbs" in text


def test_bounds_on_other_data_are_not_called_lower_or_higher(three: list[Certificate]) -> None:
    document = put(three[1].document, ("data", "items_sha256"), "0" * 64)
    other = Certificate(document=put(document, ("data", "name"), "others"))
    comparison = compare_certificates([three[0], other])
    said = "lenet300/toy/all: on other data (others) than lenet300/toy/ticket (toy)"
    assert comparison.findings == (said,)


def test_different_deltas_are_both_named(
    three: list[Certificate], certificates: dict[str, Certificate]
) -> None:
    comparison = compare_certificates([three[0], certificates["no errors"]])
    assert "delta = 0.001 or 0.05" in comparison.header
    assert comparison.delta == Fraction(51, 2000)


def test_files_must_verify(split_certificate: Certificate, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(split_certificate.to_bytes())
    bad.write_bytes(seal(put(split_certificate.document, ("mc", "errors"), 3000)))
    assert compare([good, good]).rows[0] == compare([good, good]).rows[1]
    with pytest.raises(VerificationError, match=r"bad\.json"):
        compare([good, bad])
    with pytest.raises(InputError):
        compare([good, tmp_path / "missing"])
    with pytest.raises(UsageError, match="at least one"):
        compare([])


def test_text_is_aligned_and_fits_on_request(three: list[Certificate]) -> None:
    text = render(compare_certificates(three))
    lines = text.splitlines()
    header = next(line for line in lines if line.startswith("name"))
    rows = [line for line in lines if line.startswith(("lenet300/toy/", "mlp/"))][:3]
    column = header.index("bound") + len("bound")
    assert [row[:column].split()[-1] for row in rows] == ["0.0427", "0.7912", "1"]
    narrow = render(compare_certificates(three), width=100)
    table = narrow[: narrow.index("certified bound")].splitlines()[2:]
    assert max(map(len, table)) <= 100


def test_markdown_has_one_line_per_row(three: list[Certificate]) -> None:
    piped = Certificate(document=put(three[0].document, ("name",), "a|b"))
    text = render(compare_certificates([piped, three[1]]), "markdown")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert table[2].startswith("| a\\|b | a\\|b | split | pb-kl-maurer | 0.9000 | 30000 | 0.0221 |")
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    alone = render(compare_certificates([three[0]]), "markdown")
    assert "- " not in alone.split("|")[-1]


def test_csv_and_json_carry_all_digits(three: list[Certificate]) -> None:
    comparison = compare_certificates(three)
    parsed = json.loads(render(comparison, "json"))
    cells = list(csv.DictReader(io.StringIO(render(comparison, "csv"))))
    assert parsed["schema"] == "pacbayes/comparison/1"
    assert parsed["header"] == comparison.header
    for row, told, cell in zip(comparison.rows, parsed["rows"], cells, strict=True):
        assert told["bound"] == cell["bound"] == row.bound
        assert told["kl"]["total"] == cell["kl_total"] == row.kl_upper
        assert cell["holdout"] == (row.holdout or "")
    assert cells[0]["test_errors"] == "213"
    assert cells[1]["test_errors"] == ""


def test_unknown_formats_are_refused(three: list[Certificate]) -> None:
    with pytest.raises(UsageError, match="html"):
        render(compare_certificates(three), "html")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0.20004", "0.2001"),
        ("0.123449999", "0.1235"),
        ("0.5", "0.5000"),
        ("0", "0.0000"),
        ("0.99999", "1.0000"),
        ("1", "1"),
        ("0.0000123", "0.00002"),
    ],
)
def test_short_forms_of_bounds_round_up(text: str, shown: str) -> None:
    assert upper_digits(text) == shown
    assert Decimal(shown) >= Decimal(text)


@pytest.mark.parametrize(
    ("text", "shown"), [("0", "0"), ("155.6458", "155.7"), ("1e-12", "1E-12"), ("123456", "123500")]
)
def test_short_forms_of_nats_round_up(text: str, shown: str) -> None:
    assert upper_nats(text) == shown


def amounts(text: str) -> dict[str, str]:
    """Last column of every line, by its first."""
    lines = [line for line in text.splitlines() if line]
    return {line.split("  ")[0]: line.split()[-1] for line in lines}


def test_explains_each_nat(split_certificate: Certificate) -> None:
    text = render_certificate(split_certificate)
    assert text.startswith(
        "lenet300/toy/ticket: certified risk of the Gibbs classifier: at most 0.0425"
    )
    assert split_certificate.claim.statement in text
    assert "3312 errors in 150000 trials (5 draws each) = 0.0221" in text
    assert "at delta share 1/200" in text
    rows = amounts(text)
    assert rows["fc1.weight"] == "154.4"
    assert rows["ln(2 sqrt(n))"] == "5.848"  # ln 2 + ln(30000)/2 = 0.6931 + 5.1545
    assert rows["ln(1/delta) with delta share 9/200"] == "3.101"  # ln(200/9)
    assert rows["total"] == "164.6"
    assert "hold-out bound of the deterministic prior network: 0.0228 (640 errors in 30000)" in text
    assert "nats (free here, the mask has not seen these examples)" in text
    assert "test set: 213 errors in 10000 = 0.0213 (an estimate)" in text
    assert "V8 the certificate part is an independent sample" in text
    assert "(by user): by the publisher of the data" in text


def test_explains_grids_and_charges(grid_certificate: Certificate) -> None:
    text = render_certificate(grid_certificate)
    rows = amounts(text)
    assert rows["prior scales: 3 tensors, grid of 320"] == "17.3"  # 3 ln 320
    assert rows["priors tried: 3 choices"] == "1.099"
    assert rows["learning rate of the prior: 7 choices"] == "1.946"
    assert "nats (paid above)" in text
    assert "hold-out" not in text


def test_explains_the_vacuous_and_the_exact(certificates: dict[str, Certificate]) -> None:
    assert "vacuous, this certificate says nothing" in render_certificate(certificates["vacuous"])
    text = render_certificate(certificates["no errors"])
    assert "0 errors in 30000 trials (1 draws each) = 0.0000" in text


def test_says_when_nothing_is_declared(split_certificate: Certificate) -> None:
    document = split_certificate.document
    checked = [c | {"status": "checked", "by": "code", "note": ""} for c in document["conditions"]]
    certificate = Certificate(document=put(document, ("conditions",), checked))
    assert render_certificate(certificate).endswith("every condition was checked by code\n")
    silent = put(document, ("conditions", 7, "note"), "")
    assert "distribution (by user)\n" in render_certificate(Certificate(document=silent))


def test_parts_of_a_bound_add_up_to_it(certificate: Certificate) -> None:
    found = parts(certificate)
    assert [part.name for part in found[:2]] == ["risk", "draws"]
    assert all(part.risk >= 0 for part in found)
    assert sum(part.risk for part in found) == pytest.approx(float(certificate.risk_upper))
    nats = sum(part.nats for part in found if part.nats is not None)
    assert nats == pytest.approx(total_nats(certificate))


def test_text_is_the_same_on_a_terminal_and_in_a_notebook(
    split_certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = render(compare_certificates([split_certificate]))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert render(compare_certificates([split_certificate])) == plain
    assert "lenet300/toy/ticket" in plain


def test_other_predictors_are_compared_and_explained(certificates: dict[str, Certificate]) -> None:
    chain, drawn = certificates["recursive"], certificates["disintegrated"]
    rows = compare_certificates([chain, drawn]).rows
    assert [row.predictor for row in rows] == ["gibbs", "single"]
    assert all(Decimal(row.bound) > Decimal(row.own_bound) for row in rows)
    own = Pricing.of(chain)
    assert own.claim_upper(chain.document) == chain.risk_upper
    text = render_certificate(chain)
    assert "stage 2: n 30000, gamma 0.5, kl 812.5 nats, parts at most" in text
    assert "errors on the 30000 certificate examples: 600 = 0.0200" in render_certificate(drawn)
    with pytest.raises(UsageError, match="stages"):
        own.theorem_upper(risk_upper="0.1", kl_upper="1", errors=1)


def test_alternatives_stand_beside_a_gibbs_bound(certificates: dict[str, Certificate]) -> None:
    split = certificates["split"]
    found = {each.name: each.bound for each in alternatives(split)}
    assert found["kl"] == split.risk_upper
    assert Decimal(found["kl, exact xi(n)"]) < Decimal(found["kl"]) < Decimal(found["mcallester"])
    assert render_alternatives(split).count("\n") >= len(found)
    for case in ("disintegrated", "recursive"):
        with pytest.raises(UsageError, match="Gibbs certificate"):
            alternatives(certificates[case])
