"""Bad certificates and baselines, given to verify, compare and check."""

import json
from typing import Any

from tests.certificate.tampering import propagate, put, seal
from tests.cli.site import certificate
from tests.conformance.corpus import Corpus, Site

CORPUS = Corpus("certificates")
OLD = certificate("old")
TEXT = OLD.to_bytes()


def at(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    where = tuple(int(part) if part.isdigit() else part for part in path.split("."))
    return put(document, where, value)


def content(name: str, code: int, match: str, data: bytes | str) -> None:
    """A file that verify refuses, and that compare and check refuse for the same reason."""
    CORPUS.add(f"verify: {name}", code, match, lambda s: ["verify", s.write("c.json", data)])
    CORPUS.add(f"compare: {name}", code, match, lambda s: ["compare", s.write("c.json", data)])
    CORPUS.add(
        f"check: {name}", code, match,
        lambda s: ["check", s.write("c.json", data), "--budget", "0.9"],
    )  # fmt: skip


def field(name: str, code: int, match: str, path: str, value: Any) -> None:
    content(name, code, match, seal(at(OLD.document, path, value)))


def derived(name: str, path: str, value: Any) -> None:
    """A changed number with all that follows from it, resealed: only the bound gives it away."""
    content(
        name, 1, "risk_upper|reference|saw too much", seal(propagate(at(OLD.document, path, value)))
    )


content("empty", 3, "JSON", b"")
content("half a file", 3, "JSON", TEXT[: len(TEXT) // 2])
content("not JSON", 3, "JSON", "risk_upper: 0.1\n")
content("a list", 3, "schema", "[]")
content("a byte order mark", 3, "JSON|canonical|BOM", b"\xef\xbb\xbf" + TEXT)
content("bytes after the end", 3, "JSON|canonical", TEXT + b"{}")
content("bad UTF-8", 3, "UTF-8|JSON", TEXT.replace(b"lenet", b"len\xffet", 1))
content(
    "a key twice", 3, "twice|duplicate", TEXT.replace(b'"bound": {', b'"bound": {}, "bound": {', 1)
)
content("NaN", 3, r"data\.n", TEXT.replace(b'"n": 30000', b'"n": NaN', 1))
content("infinite", 3, r"data\.n", TEXT.replace(b'"n": 30000', b'"n": Infinity', 1))
content("a float", 3, r"data\.n", TEXT.replace(b'"n": 30000', b'"n": 30000.0', 1))
content("an integer of 5,000 digits", 3, "digits|long|JSON|limit",
        TEXT.replace(b'"n": 30000', b'"n": ' + b"9" * 5000, 1))  # fmt: skip
content("deep brackets", 3, "deep|nest|JSON|recursion", "[" * 100_000)
content("another schema", 3, "schema", json.dumps({"schema": "pacbayes/ticket/1"}))
content("too large", 3, "larger|bytes|large", b" " * (17 * 2**20))
field("a truth value as n", 3, "data.n", "data.n", True)
field("a text as n", 3, "data.n", "data.n", "30000")
field("no examples", 1, "data.n", "data.n", 0)
field("an unknown field", 3, "note", "note", "x")
field("a bound in percent", 3, "risk_upper", "claim.risk_upper", "2.9%")
field("a bound above 1", 3, "risk_upper", "claim.risk_upper", "1.5")
field("a bound below 0", 3, "risk_upper", "claim.risk_upper", "-0.1")
field("a lower bound", 1, "risk_upper", "claim.risk_upper", "0.01")
field("an unknown theorem", 1, "bound", "bound.id", "magic")
field("a violated condition", 1, "V1", "conditions.0.status", "violated")
field("a hash in capitals", 3, "sha256", "prior.sha256", "A" * 64)
field("a delta of 2", 3, "delta", "claim.delta_total", "2")
derived("fewer errors", "mc.errors", 3000)
derived("more examples", "data.n", 40000)
derived("fewer nats", "posterior.tensors.0.kl.mean", "1")
content("another hash", 1, "self_sha256", TEXT.replace(
    OLD.document["self_sha256"].encode(), b"0" * 64))  # fmt: skip


def baseline(name: str, code: int, match: str, data: bytes | str) -> None:
    CORPUS.add(f"baseline: {name}", code, match, lambda s: [
        "check", s.write("c.json", TEXT), "--baseline", s.write("b.json", data)])  # fmt: skip


baseline("empty", 3, "b.json", b"")
baseline("not JSON", 3, "b.json", "x")
baseline("a list", 3, "b.json", "[]")
baseline("without certificates", 3, "b.json", json.dumps({"schema": "pacbayes/baseline/1"}))


def check(name: str, code: int, match: str, *options: str) -> None:
    CORPUS.add(f"check: {name}", code, match,
               lambda s: ["check", s.write("c.json", TEXT), *options])  # fmt: skip


check("nothing to hold it against", 2, "--baseline|--budget")
check("a budget of NaN", 2, "budget", "--budget", "nan")
check("a budget in percent", 2, "budget", "--budget", "25%")
check("a tolerance of NaN", 2, "max-increase|tolerance", "--budget", "1", "--max-increase", "nan")
check("a negative tolerance", 2, "max-increase|tolerance", "--budget", "1", "--max-increase", "-1")
check("a baseline that is not there", 3, "No such file", "--baseline", "absent.json")


def inspected(site: Site) -> list[Any]:
    return ["inspect", site.write("c.json", TEXT.replace(b"pacbayes/certificate/1", b"x/y/1", 1))]


CORPUS.add("inspect: another schema", 3, "schema", inspected)
