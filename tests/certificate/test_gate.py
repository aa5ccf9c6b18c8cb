"""The gate as functions: comparability, tolerance, reports, the baseline as git committed it."""

import json
import subprocess
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.certificate import (
    Artifact,
    Baseline,
    Certificate,
    Limits,
    Tolerance,
    Verdict,
    check,
    declared,
    issue,
    read_baseline,
)
from pacbayes.certificate.baseline import MAX_BYTES
from pacbayes.certificate.committed import read_committed
from pacbayes.certificate.gate import Report, examine
from pacbayes.certificate.verdict import CODES, incomparable, reasons
from pacbayes.errors import InputError, UsageError, VerificationError
from tests.certificate import cases
from tests.cli.site import certificate, tampered


def write(folder: Path, kind: str, name: str = "new.json") -> Path:
    (folder / name).write_bytes(certificate(kind).to_bytes())
    return folder / name


def baseline(*kinds: str) -> Baseline:
    return Baseline.of([certificate(kind) for kind in kinds], source="test")


# --- check


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("old", "equal", 0),
        ("better", "lower", 0),
        ("worse", "worse", 1),
        ("vacuous", "worse", 1),
        ("larger delta", "not comparable", 3),
        ("other name", "no baseline", 3),
    ],
)
def test_one_certificate_against_a_baseline(
    kind: str, status: str, code: int, tmp_path: Path
) -> None:
    found = check([write(tmp_path, kind)], baseline("old"))
    assert (found.verdicts[0].status, found.code) == (status, code)
    absent = {"absent"} if kind == "other name" else set()
    assert {problem.kind for problem in found.problems} == absent


def test_a_baseline_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(baseline("old").to_bytes())
    new = write(tmp_path, "worse")
    assert check([new], path).code == 1
    assert check([new], path, max_increase="2%").code == 0
    assert check([new], path, max_increase="2%", reference=str(path)).code == 0
    assert check([new], path, max_increase="2%", budget="0.01").code == 1
    with pytest.raises(InputError, match="gone"):
        check([new], tmp_path / "gone.json")
    path.write_bytes(tampered("claim.risk_upper", "0.9"))
    with pytest.raises(VerificationError, match="does not verify"):
        check([new], path)


def test_nothing_to_check_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one"):
        check([], baseline("old"))
    with pytest.raises(UsageError, match="at least one"):
        examine([], Limits())
    with pytest.raises(UsageError, match="to hold against"):
        check([write(tmp_path, "old")])


def test_certificates_and_artifacts_belong_together(tmp_path: Path) -> None:
    new = [write(tmp_path, "old"), tmp_path / "empty.json"]
    new[1].write_bytes(b"")
    named = certificate("old").document["posterior"]["checkpoint_sha256"]
    right, wrong = (Artifact(path=d[:2], digests={d}) for d in (named, "0" * 64))
    for artifacts, kinds, problems in [
        ((right,), [], 0),
        ((wrong,), ["other artifact"], 1),
        ((right, wrong), [], 1),
        ((), ["other artifact"], 0),
    ]:
        found = examine(new, Limits(artifacts=artifacts))
        assert [failure.kind for failure in found.verdicts[0].failures] == kinds
        assert len(found.problems) == problems


def test_an_empty_report_fails() -> None:
    assert Report(verdicts=()).code == 2


def test_the_lower_of_limit_and_budget_is_shown(tmp_path: Path) -> None:
    new = write(tmp_path, "old")
    bound = certificate("old").risk_upper
    limits = [
        check([new], known, budget=budget).verdicts[0].limit
        for known, budget in [(baseline("old"), "0.9"), (baseline("old"), "0.01"), (None, "0.9")]
    ]
    assert limits == [bound, "0.01", "0.9"]


def test_failures_come_first_and_the_largest_rise_before_others(tmp_path: Path) -> None:
    kinds = ["other name", "much worse", "larger delta"]
    files = [write(tmp_path, kind, f"{position}.json") for position, kind in enumerate(kinds)]
    (tmp_path / "empty.json").write_bytes(b"")
    found = examine([*files, tmp_path / "empty.json"], Limits(baseline=baseline("other name")))
    statuses = [(v.status, v.code) for v in found.worst_first]
    assert statuses[-1] == ("equal", 0)
    assert [code for _, code in statuses] == [3, 3, 3, 0]
    rises = [
        Verdict(path="p", name=n, old="0.1", new=new) for n, new in [("a", "0.2"), ("b", "0.3")]
    ]
    assert [v.name for v in Report(verdicts=tuple(rises)).worst_first] == ["b", "a"]


def test_every_kind_of_failure_has_a_code_that_fails() -> None:
    assert set(CODES.values()) == {1, 3}


# --- comparability and reasons


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("larger delta", "delta 0.05 became 0.1"),
        ("fewer examples", "n 30000 became 29999"),
        ("other items", "training examples"),
        ("other part", "certificate examples"),
        ("other split", "split"),
        ("other data", "data toy became toys"),
    ],
)
def test_what_is_not_comparable(kind: str, word: str) -> None:
    (found,) = incomparable(certificate(kind), certificate("old"))
    assert found.startswith(word)


@pytest.mark.parametrize("kind", ["old", "worse", "more nats", "other checkpoint", "fewer draws"])
def test_what_is_being_gated_may_differ(kind: str) -> None:
    assert incomparable(certificate(kind), certificate("old")) == ()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("old", []),
        ("other checkpoint", []),
        ("worse", ["counted risk 3312/150000", "with the risk"]),
        ("more nats", ["kl of mean 42.26 became 900 nats", "with the nats"]),
        ("fewer draws", ["draws 5 became 1"]),
        ("other shares", ["delta share of theorem 9/200 became 1/25", "delta share of draws"]),
        ("priors tried", ["union weight 1 became 1/3"]),
        ("less checked", ["checked before, now only declared: V9, V20"]),
    ],
)
def test_reasons(kind: str, words: list[str]) -> None:
    found = "\n".join(reasons(certificate(kind), certificate("old")))
    assert [word for word in words if word not in found] == []
    assert bool(found) == bool(words)


def test_the_reasons_of_a_change_add_up_to_it() -> None:
    new, old = certificate("more nats"), certificate("old")
    *_, last = reasons(new, old)
    of_risk, of_nats = (float(w) for w in last.replace(",", "").split() if w[0] in "+-")
    assert of_risk == 0
    change = float(Decimal(new.risk_upper) - Decimal(old.risk_upper))
    assert of_nats == pytest.approx(change, rel=0.05)  # two digits are shown


# --- tolerance


@given(
    old=st.decimals("0.001", "0.9", places=6),
    value=st.decimals("0", "0.05", places=5),
    relative=st.booleans(),
)
def test_a_limit_is_exact(old: Decimal, value: Decimal, relative: bool) -> None:
    text = f"{value * 100}%" if relative else f"{value}"
    limit = Fraction(Tolerance.parse(text).limit(str(old)))
    rise = Fraction(value) * (Fraction(old) if relative else 1)
    assert limit == Fraction(old) + rise


def test_a_limit_is_at_most_one() -> None:
    assert Tolerance.parse("0.05").limit("0.99") == "1"


def test_a_tolerance_is_written_as_it_was_given() -> None:
    assert str(Tolerance.parse("2.50%")) == "2.5%"
    assert str(Tolerance.parse("5e-3")) == "0.005"


# --- baseline


def test_a_baseline_survives_its_bytes(tmp_path: Path) -> None:
    made = baseline("other name", "old")
    path = tmp_path / "baseline.json"
    path.write_bytes(made.to_bytes())
    again = read_baseline(path)
    assert again.to_bytes() == made.to_bytes()
    assert sorted(again.certificates) == ["lenet300/toy/other", "lenet300/toy/ticket"]


def test_a_baseline_has_one_certificate_per_name() -> None:
    with pytest.raises(InputError, match="two certificates are named"):
        baseline("old", "worse")


def test_a_baseline_is_not_read_without_limit() -> None:
    with pytest.raises(InputError, match="larger than"):
        Baseline.from_bytes(b" " * (MAX_BYTES + 1), source="big")


def test_every_certificate_of_a_baseline_is_verified() -> None:
    bad = json.loads(tampered("mc.errors", 3000, derived=True))
    bad["name"] = "another"
    documents = [certificate("old").document, bad]
    data = json.dumps({"schema": "pacbayes/baseline/1", "certificates": documents}).encode()
    with pytest.raises(VerificationError, match="'another': does not verify"):
        Baseline.from_bytes(data, source="test")


# --- what git committed


WHO = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").write_bytes(b"old\r\n")
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "one"]):
        full = ["git", "-C", str(folder), *WHO, *command]
        subprocess.run(full, check=True, capture_output=True)
    return folder


def test_the_committed_bytes_are_read(repository: Path) -> None:
    path = repository / "sub" / "file"
    path.write_bytes(b"new")
    assert read_committed(path, "HEAD", limit=5) == b"old\r\n"
    path.unlink()
    path.parent.rmdir()
    assert read_committed(path, "HEAD", limit=5) == b"old\r\n"


def test_a_committed_file_has_a_limit(repository: Path) -> None:
    with pytest.raises(InputError, match="larger than 4 bytes"):
        read_committed(repository / "sub" / "file", "HEAD", limit=4)


def test_a_path_that_leaves_the_repository_is_refused(repository: Path) -> None:
    for path in (repository / ".." / "file", repository.parent / "other" / "file"):
        with pytest.raises(InputError):
            read_committed(path, "HEAD", limit=5)


def test_a_link_of_the_same_change_leads_nowhere(repository: Path) -> None:
    """Otherwise a change could point at an older baseline that is committed elsewhere."""
    (repository / "elsewhere").symlink_to("sub")
    with pytest.raises(InputError, match="cat-file"):
        read_committed(repository / "elsewhere" / "file", "HEAD", limit=5)


def test_a_nested_repository_is_not_asked(repository: Path) -> None:
    nested = repository / "sub"
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "x"]):
        full = ["git", "-C", str(nested), *WHO, *command]
        (nested / "file").write_bytes(b"bad")
        subprocess.run(full, check=True, capture_output=True)
    assert read_committed(nested / "file", "HEAD", limit=5) == b"old\r\n"


def test_the_repository_is_that_of_the_current_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "sub")
    assert read_committed(Path("file"), "HEAD", limit=5) == b"old\r\n"
    assert read_committed(Path("../sub/file"), "HEAD", limit=5) == b"old\r\n"
    with pytest.raises(InputError, match="in no git repository"):
        read_committed(repository.parent / "file", "HEAD", limit=5)
    monkeypatch.chdir(repository.parent)
    assert read_committed(repository / "sub" / "file", "HEAD", limit=5) == b"old\r\n"


def test_there_may_be_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="not a git repository"):
        read_committed(tmp_path / "file", "HEAD", limit=5)


def test_git_may_be_absent(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(InputError, match="needs git"):
        read_committed(repository / "sub" / "file", "HEAD", limit=5)


def test_a_certificate_has_the_name_that_the_gate_shows() -> None:
    found = certificate("old")
    assert isinstance(found, Certificate)
    assert Verdict(path="p", name=found.name).subject == found.name
    assert Verdict(path="p").subject == "p"


@pytest.mark.parametrize("name", ["V1", "V4", "V6"])
def test_provenance_that_became_somebodys_word_is_not_comparable(name: str) -> None:
    told = [declared(c.id, "trust me") if c.id == name else c for c in cases.all_conditions()]
    new = issue(**cases.evidence(conditions=told))
    old = issue(**cases.evidence())
    assert incomparable(old, new) == ()
    (reason,) = incomparable(new, old)
    assert name in reason
