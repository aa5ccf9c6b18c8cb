"""A folder as a CI job sees it: certificates old and new, a baseline, perhaps a repository."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from pacbayes.bounds import Confidence
from pacbayes.certificate import Baseline, Certificate, DrawFacts, References, declared, issue
from tests.certificate import cases
from tests.certificate.tampering import propagate, put, seal

Change = dict[str, Any]


@cache
def certificate(kind: str) -> Certificate:
    """A valid certificate; the kind says in what it differs from ``old``."""
    draws = {"better": 3300, "worse": 3313, "much worse": 9000}
    arguments: dict[str, Change] = {
        "old": {},
        "larger delta": {"confidence": Confidence("0.1")},
        "delta respelled": {"confidence": Confidence("0.050")},
        "fewer examples": {
            "data": cases.data_facts(n=29999),
            "draws": DrawFacts(draws=5, errors=3312, trials=149995),
            "references": References(holdout_errors=640),
        },
        "other items": {"data": cases.data_facts(items_sha256=cases.sha("x"))},
        "other part": {"data": cases.data_facts(certificate_sha256=cases.sha("x"))},
        "other split": {"data": cases.data_facts(indices_sha256=cases.sha("x"))},
        "other data": {"data": cases.data_facts(name="toys")},
        "other name": {"name": "lenet300/toy/other"},
        "priors tried": {"priors_tried": 3},
        "less checked": {
            "conditions": [
                declared(c.id, "trust me") if c.id in ("V9", "V20") else c
                for c in cases.all_conditions()
            ]
        },
        "other shares": {
            "confidence": Confidence("0.05", shares={"theorem": "0.04", "draws": "0.01"})
        },
        "other checkpoint": {
            "posterior": replace(cases.posterior_facts(), checkpoint_sha256=cases.sha("other"))
        },
        "vacuous": {
            "draws": DrawFacts(draws=5, errors=149999, trials=150000),
            "references": References(holdout_errors=640),
        },
        "more nats": {
            "posterior": cases.posterior_facts((cases.tensor_facts(mean="900"),)),
            "references": References(holdout_errors=640),
        },
        "fewer draws": {
            "draws": DrawFacts(draws=1, errors=663, trials=30000),
            "references": References(holdout_errors=640),
        },
    }
    change = arguments.get(kind) or {}
    if kind in draws:
        change = {"draws": DrawFacts(draws=5, errors=draws[kind], trials=150000)}
    return issue(**cases.evidence(**change))


def tampered(path: str, value: Any, *, derived: bool = False, sealed: bool = True) -> bytes:
    """The old certificate with one field changed, seals recomputed as an attacker would."""
    where = tuple(int(part) if part.isdigit() else part for part in path.split("."))
    document = put(certificate("old").document, where, value)
    if derived:
        document = propagate(document)
    return seal(document) if sealed else Certificate(document=document).to_bytes()


@dataclass(frozen=True, kw_only=True)
class Site:
    """The folder, with helpers that return what goes on the command line."""

    folder: Path
    options: list[str] = field(default_factory=list)

    def write(self, name: str, content: bytes | str | Certificate) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.to_bytes() if isinstance(content, Certificate) else content
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return str(path)

    def new(self, kind: str = "old") -> str:
        return self.write("new.json", certificate(kind))

    def baseline(self, *kinds: str, name: str = "baseline.json") -> str:
        made = Baseline.of([certificate(k) for k in kinds or ("old",)], source="test")
        return self.write(name, made.to_bytes())

    def held(self, kind: str, *options: str, against: str = "old") -> list[str]:
        """Arguments that check one certificate against a baseline of another."""
        return [self.new(kind), "--baseline", self.baseline(against), *options]

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(self.folder), *who, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self) -> None:
        if not (self.folder / ".git").exists():
            self.git("init", "--quiet", "--initial-branch", "main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "state")


Scenario = Callable[[Site], list[str]]
