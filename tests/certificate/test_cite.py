"""Sources of a certificate."""

import json
import re

import pytest

from pacbayes.certificate import Certificate
from pacbayes.certificate.cite import citations, cite
from pacbayes.errors import UsageError

ENTRY = re.compile(r"% .+\n@\w+\{(\w+),\n(?:  \w+ = \{.+\},\n)+\}\n")


def test_every_entry_is_bibtex(certificate: Certificate) -> None:
    text = cite([certificate])
    keys = ENTRY.findall(text)
    assert keys == [c.key for c in citations(certificate)]
    assert ENTRY.sub("", text).strip() == ""
    assert text.count("{") == text.count("}")


def test_sources_follow_what_was_used(certificates: dict[str, Certificate]) -> None:
    keys = {name: {c.key for c in citations(c)} for name, c in certificates.items()}
    assert {"hoeffding1956distribution", "maurer2004note"} < keys["split"]
    assert {"rivasplata2020beyond", "catoni2007pac", "maurer2004note"} < keys["disintegrated"]
    assert {"wu2024recursive", "hoeffding1956distribution"} < keys["recursive"]
    assert "catoni2007pac" in keys["catoni"]
    assert "maurer2004note" not in keys["catoni"] | keys["occam"] | keys["test-set"]
    assert keys["occam"] == {"langford2005tutorial", "frankle2019lottery"}
    assert keys["split"] - keys["grid"] == {"langford2005tutorial", "ambroladze2006tighter"}


def test_each_source_once(certificates: dict[str, Certificate]) -> None:
    lines = cite(certificates.values(), "text").splitlines()
    assert len(lines) == len(set(lines)) == 13
    alone = [certificates["split"]]
    assert cite(alone, "text").startswith("Maurer, Andreas (2004). A Note on the")
    assert json.loads(cite(alone, "json"))[0]["eprint"] == "cs/0411099"


def test_misuse(split_certificate: Certificate) -> None:
    with pytest.raises(UsageError, match="at least one"):
        cite([])
    with pytest.raises(UsageError, match="known are"):
        cite([split_certificate], "ris")  # type: ignore[arg-type]
