"""The HTML report: one file, no request, nothing escapes, nothing is missing."""

import re
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from pacbayes.certificate import Certificate
from pacbayes.certificate.conditions import TITLES
from pacbayes.certificate.table import upper_digits
from pacbayes.errors import UsageError
from pacbayes.report import report_html
from tests.report.conftest import HOSTILE

VOID = {"meta", "wbr", "br", "link", "img", "input"}
LOADS = {
    "src", "href", "srcset", "data", "action", "formaction", "poster", "background", "ping",
    "xlink:href", "manifest", "cite", "longdesc", "code", "archive",
}  # fmt: skip
FORBIDDEN = {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use"}


class Page(HTMLParser):
    """Tags, attributes and text; complains where tags are not nested."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return "".join(self.text)


@pytest.fixture(scope="module")
def sources(
    levels: list[Certificate], others: list[Certificate], hostile: Certificate
) -> list[str]:
    return [report_html(levels), report_html(others), report_html([hostile])]


def test_nothing_is_requested(sources: list[str]) -> None:
    for source in sources:
        page = Page(source)
        assert FORBIDDEN.isdisjoint(page.tags)
        assert [a for a in page.attributes if a[1] in LOADS or a[1].startswith("on")] == []
        styles = "".join(re.findall(r"<style>(.*?)</style>", source, re.DOTALL))
        addresses = re.findall(r"url\(([^)]*)\)", styles)
        assert {address[:2] for address in addresses} == {"#h"}
        assert "@import" not in styles
        policy = [value for tag, name, value in page.attributes if name == "content"]
        assert any(value.startswith("default-src 'none'") for value in policy)


def test_the_parser_sees_a_request() -> None:
    page = Page('<p><img src="https://example.org/x.png" onload="x()"></p>')
    assert {name for _, name, _ in page.attributes} == {"src", "onload"}


def test_tags_are_closed(sources: list[str]) -> None:
    assert [Page(source).open for source in sources] == [[], [], []]


def test_markup_in_a_certificate_stays_text(hostile: Certificate) -> None:
    page = Page(report_html([hostile]))
    assert page.words.count("<script>alert(1)</script>") >= 3
    assert HOSTILE in page.words


def test_every_number_has_its_place(levels: list[Certificate]) -> None:
    words = Page(report_html(levels)).words
    for certificate in levels:
        assert certificate.claim.statement in words
        assert certificate.document["self_sha256"] in words
        assert str(certificate.document["mc"]["errors"]) in words
    for title in TITLES.values():
        assert words.count(title) == len(levels)
    assert "What is not claimed" in words
    told = [condition for certificate in levels for condition in certificate.declared]
    assert words.count("○ declared by") == len(told) > 0
    assert "each of 3 rows re-evaluated from its own evidence at delta/3" in words


def test_a_vacuous_bound_is_named(others: list[Certificate]) -> None:
    assert "1 (vacuous)" in Page(report_html(others)).words


def test_figures_have_a_title_and_a_table(levels: list[Certificate]) -> None:
    page = Page(report_html(levels))
    drawings = [value for tag, name, value in page.attributes if tag == "svg" and name == "role"]
    labels = [value for _, name, value in page.attributes if name == "aria-label"]
    assert drawings == ["img"] * 5
    assert len(labels) == page.tags.count("pre") == page.tags.count("svg") == 5


def test_numbers_of_a_drawing_are_finite(sources: list[str]) -> None:
    for source in sources:
        values = [
            v for _, name, v in Page(source).attributes if name in {"x", "y", "width", "points"}
        ]
        assert not [v for v in values if "nan" in v or "inf" in v]


def test_themes_and_paper(levels: list[Certificate]) -> None:
    source = report_html(levels)
    for rule in ("prefers-color-scheme:dark", "@media print", "width=device-width"):
        assert rule in source


def test_the_same_certificates_give_the_same_bytes(levels: list[Certificate]) -> None:
    assert report_html(levels) == report_html(levels)


def test_no_certificate_is_an_error() -> None:
    with pytest.raises(UsageError, match="at least one"):
        report_html([])


def test_no_bound_is_rounded_down(levels: list[Certificate]) -> None:
    words = Page(report_html(levels)).words
    for certificate in levels:
        shown = upper_digits(certificate.risk_upper)
        assert Decimal(shown) >= Decimal(certificate.risk_upper)
        assert f"{shown} risk" in words
