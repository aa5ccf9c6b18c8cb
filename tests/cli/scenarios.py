"""What people and accidents do to a gate, with the exit code that must come of it."""

import json

from tests.cli.site import Scenario, Site, certificate, tampered

SCENARIOS: dict[str, tuple[int, Scenario]] = {}
DIFFERENCE = certificate("worse").risk_upper, certificate("old").risk_upper


def scenario(name: str, code: int, make: Scenario) -> None:
    if name in SCENARIOS:
        raise ValueError(f"two scenarios are called {name!r}")
    SCENARIOS[name] = code, make


def changed(name: str, code: int, content: bytes | str) -> None:
    """A certificate file that is not what it should be, against a good baseline."""
    scenario(name, code, lambda s: [s.write("new.json", content), "--baseline", s.baseline()])


def against(name: str, code: int, content: bytes | str) -> None:
    """A good certificate against a baseline file that is not what it should be."""
    scenario(
        name,
        code,
        lambda s: [s.new(), "--baseline", s.write("baseline.json", content)],
    )


def difference(ulps: int) -> str:
    """The exact rise from old to worse, or one unit of the last digit less."""
    from decimal import Context, Decimal

    worse, old = (Decimal(text) for text in DIFFERENCE)
    exact = Context(prec=50)
    rise = exact.subtract(worse, old)
    return format(exact.subtract(rise, Decimal(f"{ulps}e-18")), "f")


# --- honest runs, so that the failures below mean something
scenario("the same certificate", 0, lambda s: s.held("old"))
scenario("a lower bound", 0, lambda s: s.held("better"))
scenario("delta spelled 0.050", 0, lambda s: s.held("delta respelled"))
scenario("another checkpoint with the same bound", 0, lambda s: s.held("other checkpoint"))
scenario("a single certificate as baseline", 0, lambda s: [
    s.new("better"), "--baseline", s.write("old.json", certificate("old"))])  # fmt: skip
scenario("within an absolute tolerance", 0, lambda s: s.held("worse", "--max-increase", "0.005"))
scenario("within a relative tolerance", 0, lambda s: s.held("worse", "--max-increase", "2%"))
scenario("exactly at the limit", 0, lambda s: s.held("worse", "--max-increase", difference(0)))
scenario("both vacuous, no budget", 0, lambda s: s.held("vacuous", against="vacuous"))
scenario("within the budget", 0, lambda s: [s.new(), "--budget", "0.5"])
scenario("exactly at the budget", 0, lambda s: [s.new(), "--budget", certificate("old").risk_upper])
scenario("a large tolerance, forced", 0, lambda s: s.held(
    "much worse", "--max-increase", "0.2", "--force-tolerance"))  # fmt: skip

# --- worse numbers
scenario("one error more", 1, lambda s: s.held("worse"))
scenario("more nats", 1, lambda s: s.held("more nats"))
scenario("fewer draws, weaker bound", 1, lambda s: s.held("fewer draws"))
scenario(
    "one digit beyond the limit", 1, lambda s: s.held("worse", "--max-increase", difference(1))
)
scenario("beyond a relative tolerance", 1, lambda s: s.held("much worse", "--max-increase", "2%"))
scenario("became vacuous", 1, lambda s: s.held("vacuous"))
scenario("became vacuous, hidden by a tolerance", 1, lambda s: s.held(
    "vacuous", "--max-increase", "0.99", "--force-tolerance"))  # fmt: skip
scenario("over the budget", 1, lambda s: [s.new(), "--budget", "0.01"])
scenario("better than the baseline, over the budget", 1, lambda s: s.held(
    "better", "--budget", "0.01"))  # fmt: skip
scenario("vacuous under a budget of 1", 1, lambda s: [s.new("vacuous"), "--budget", "1"])
scenario("both vacuous under a budget", 1, lambda s: s.held(
    "vacuous", "--budget", "1", against="vacuous"))  # fmt: skip
scenario("one bad among good ones", 1, lambda s: [
    s.new("worse"), s.write("good.json", certificate("other name")),
    "--baseline", s.baseline("old", "other name")])  # fmt: skip


def _drift(site: Site) -> list[str]:
    """Each step is within tolerance of the last; their sum is not."""
    best = site.baseline("better", name="best.json")
    return [*site.held("worse", "--max-increase", difference(0)), "--reference", best]


scenario("slow drift against a fixed reference", 1, _drift)
scenario("worse than the reference, not than the baseline", 1, lambda s: [
    *s.held("worse", against="much worse"),
    "--reference", s.baseline(name="best.json")])  # fmt: skip

# --- tampered certificates
changed("bound lowered", 1, tampered("claim.risk_upper", "0.01"))
changed("bound lowered, not resealed", 1, tampered("claim.risk_upper", "0.01", sealed=False))
changed("errors lowered", 1, tampered("mc.errors", 3000, derived=True))
changed("nats lowered", 1, tampered("posterior.tensors.0.kl.mean", "1", derived=True))
changed("n raised", 1, tampered("data.n", 60000, derived=True))
changed("loss exchanged", 1, tampered("loss.id", "hinge"))
changed("kind of bound exchanged", 1, tampered("bound.id", "mcallester"))
changed("a violated condition", 1, tampered("conditions.0.status", "violated"))
changed("renamed to a subject with a worse baseline", 1, tampered("name", "a/b/c", sealed=False))
changed("bound is NaN", 3, tampered("claim.risk_upper", "NaN"))
changed("bound is negative", 3, tampered("claim.risk_upper", "-0.1"))
changed("bound in percent", 3, tampered("claim.risk_upper", "12.3"))
changed("bound is a float", 3, tampered("claim.risk_upper", 0.01))
changed("bound is the word NaN of JSON", 3, tampered("claim.risk_upper", float("nan")))
changed("schema of the future", 3, tampered("schema", "pacbayes/certificate/2"))
changed("an unknown field", 3, tampered("note", "trust me"))
changed("empty file", 3, b"")
changed("half a file", 3, certificate("old").to_bytes()[:2000])
changed("not JSON", 3, "risk_upper: 0.01")
changed("two bounds in one document", 3, certificate("old").to_bytes().replace(
    b'"claim": {', b'"claim": {\n    "risk_upper": "0.01",', 1))  # fmt: skip
scenario("a folder", 3, lambda s: [str(s.folder), "--baseline", s.baseline()])
scenario("a glob that matches nothing", 3, lambda s: [
    str(s.folder / "*.json"), "--baseline", s.baseline()])  # fmt: skip
scenario("no certificates", 2, lambda s: ["--baseline", s.baseline()])
scenario("no certificates, a budget", 2, lambda s: ["--budget", "0.5"])

# --- not comparable
for kind in (
    "larger delta", "fewer examples", "other items", "other part", "other split", "other data",
    "other name",
):  # fmt: skip
    scenario(f"{kind} is not comparable", 3, lambda s, kind=kind: s.held(kind))  # type: ignore[misc]
scenario("larger delta, lower bound, tolerance", 3, lambda s: s.held(
    "larger delta", "--max-increase", "5%"))  # fmt: skip
scenario("not comparable with the reference alone", 3, lambda s: [
    *s.held("old"), "--reference", s.baseline("other split", name="best.json")])  # fmt: skip
scenario("a subject of the baseline is not shown", 3, lambda s: [
    s.new(), "--baseline", s.baseline("old", "other name")])  # fmt: skip
scenario("two files of one name", 3, lambda s: [
    s.new("better"), s.write("b.json", certificate("worse")),
    "--baseline", s.baseline()])  # fmt: skip
scenario("one file twice", 3, lambda s: [*s.held("old"), str(s.folder / "new.json")])

# --- the baseline
scenario("missing baseline", 3, lambda s: [s.new(), "--baseline", str(s.folder / "gone.json")])
scenario("missing reference", 3, lambda s: [
    *s.held("old"), "--reference", str(s.folder / "gone.json")])  # fmt: skip
scenario("missing baseline is not forgiven for a budget", 3, lambda s: [
    s.new(), "--baseline", str(s.folder / "gone.json"), "--budget", "0.5"])  # fmt: skip
against("empty baseline", 3, b"")
against("baseline is null", 3, "null")
against("baseline is a list", 3, "[]")
against("baseline without certificates", 3, '{"schema": "pacbayes/baseline/1", "certificates": []}')
against("baseline holds numbers", 3, '{"schema": "pacbayes/baseline/1", "certificates": [1]}')
against("baseline of the future", 3, '{"schema": "pacbayes/baseline/2", "certificates": []}')
against("baseline with NaN", 3, '{"schema": "pacbayes/baseline/1", "certificates": NaN}')
against("baseline says things twice", 3, '{"schema": "a", "schema": "pacbayes/baseline/1"}')
against("baseline too deep", 3, "[" * 100_000)
against("baseline is a git conflict", 3, "<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs\n")
against("baseline with a raised bound", 1, tampered("claim.risk_upper", "0.9"))
against("baseline with a raised bound, not resealed", 1,
        tampered("claim.risk_upper", "0.9", sealed=False))  # fmt: skip
against("baseline with raised errors", 1, tampered("mc.errors", 30000, derived=True))
TWICE = [certificate("old").document] * 2
against("baseline with one subject twice", 3, json.dumps(
    {"schema": "pacbayes/baseline/1", "certificates": TWICE}))  # fmt: skip
scenario("the baseline checks itself", 2, lambda s: [
    s.write("old.json", certificate("old")), "--baseline", str(s.folder / "old.json")])  # fmt: skip


def _through_a_link(site: Site) -> list[str]:
    (site.folder / "link.json").symlink_to(site.write("old.json", certificate("old")))
    return [str(site.folder / "link.json"), "--baseline", str(site.folder / "old.json")]


scenario("the baseline checks itself through a link", 2, _through_a_link)

# --- tolerances and budgets that switch the gate off
for text in ("NaN", "inf", "-0.1", "", "1", "100%", "0.06", "6%", "1/2", "1e9", "0x1", "٣", "%"):
    scenario(f"tolerance {text!r}", 2, lambda s, t=text: s.held("worse", "--max-increase", t))  # type: ignore[misc]
for text in ("NaN", "inf", "-0.1", "0", "12.3", "25%", ""):
    scenario(f"budget {text!r}", 2, lambda s, t=text: [s.new(), "--budget", t])  # type: ignore[misc]
scenario("a forced tolerance of 1", 2, lambda s: s.held(
    "worse", "--max-increase", "1", "--force-tolerance"))  # fmt: skip
scenario("nothing to hold against", 2, lambda s: [s.new()])
scenario("force without update", 2, lambda s: s.held("worse", "--force"))


# --- a baseline edited in the same change
def _committed(site: Site) -> list[str]:
    argv = site.held("worse", "--base-ref", "main")
    site.commit()
    return argv


def _edited(site: Site) -> list[str]:
    argv = _committed(site)
    site.baseline("much worse")
    return argv


def _edited_and_committed(site: Site) -> list[str]:
    argv = _committed(site)
    site.git("checkout", "--quiet", "-b", "change")
    site.baseline("much worse")
    site.commit()
    return argv


def _deleted(site: Site) -> list[str]:
    argv = site.held("worse", "--base-ref", "main")
    site.write("ci/baseline.json", (site.folder / "baseline.json").read_bytes())
    site.commit()
    (site.folder / "ci" / "baseline.json").unlink()
    (site.folder / "ci").rmdir()
    return [argv[0], "--baseline", str(site.folder / "ci" / "baseline.json"), "--base-ref", "main"]


def _against_itself(site: Site) -> list[str]:
    site.new("old")
    site.commit()
    return [site.new("worse"), "--baseline", site.new("worse"), "--base-ref", "main"]


def _elsewhere(site: Site) -> list[str]:
    inside = Site(folder=site.folder / "repository")
    argv = inside.held("old")
    inside.commit()
    (inside.folder / "link").symlink_to(site.folder)
    outside = site.baseline()
    return [argv[0], "--baseline", outside, "--base-ref", "main"]


def _linked(site: Site) -> list[str]:
    """The committed baseline is a link: its text is no baseline."""
    target = site.baseline("much worse", name="elsewhere.json")
    (site.folder / "baseline.json").symlink_to(target)
    site.commit()
    baseline = str(site.folder / "baseline.json")
    return [site.new("worse"), "--baseline", baseline, "--base-ref", "main"]


def _linked_folder(site: Site) -> list[str]:
    """The change turns the baseline's folder into a link to a committed, worse one."""
    site.baseline("much worse", name="archive/baseline.json")
    site.baseline("old", name="ci/baseline.json")
    site.commit()
    (site.folder / "ci" / "baseline.json").unlink()
    (site.folder / "ci").rmdir()
    (site.folder / "ci").symlink_to("archive")
    baseline = str(site.folder / "ci" / "baseline.json")
    return [site.new("worse"), "--baseline", baseline, "--base-ref", "main"]


def _ref(ref: str) -> Scenario:
    return lambda site: [*_committed(site)[:-1], ref]


scenario("baseline edited in the working tree", 1, _edited)
scenario("baseline edited in the same branch", 1, _edited_and_committed)
scenario("baseline deleted in the same change", 1, _deleted)
scenario("a certificate against its own past", 1, _against_itself)
scenario("baseline outside the repository", 3, _elsewhere)
scenario("committed baseline is a link", 3, _linked)
scenario("folder of the baseline became a link to a worse one", 1, _linked_folder)
scenario("no repository", 3, lambda s: s.held("old", "--base-ref", "main"))
scenario("unknown reference", 3, _ref("origin/main"))
scenario("reference from an empty variable", 2, _ref(""))
scenario("reference that is an option", 2, _ref("--output=x"))
scenario("reference with a path", 2, _ref("main:baseline.json"))
scenario("base-ref without a file to read there", 2, lambda s: [
    s.new(), "--budget", "0.5", "--base-ref", "main"])  # fmt: skip

# --- updates
scenario("update to a worse bound", 1, lambda s: s.held("worse", "--update-baseline"))
scenario("update to another delta", 3, lambda s: s.held("larger delta", "--update-baseline"))
scenario("update that drops a subject", 3, lambda s: [
    s.new(), "--baseline", s.baseline("old", "other name"), "--update-baseline"])  # fmt: skip
scenario("update from a tampered certificate", 1, lambda s: [
    s.write("new.json", tampered("claim.risk_upper", "0.01")), "--baseline", s.baseline(),
    "--update-baseline", "--force"])  # fmt: skip
scenario("update over the budget", 1, lambda s: s.held(
    "better", "--update-baseline", "--force", "--budget", "0.01"))  # fmt: skip
scenario("update of a broken baseline, unforced", 3, lambda s: [
    s.new(), "--baseline", s.write("baseline.json", "{}"), "--update-baseline"])  # fmt: skip
scenario("update of a tampered baseline, unforced", 1, lambda s: [
    s.new(), "--baseline", s.write("baseline.json", tampered("claim.risk_upper", "0.9")),
    "--update-baseline"])  # fmt: skip
scenario("update with a base-ref", 2, lambda s: s.held(
    "old", "--update-baseline", "--base-ref", "main"))  # fmt: skip
scenario("update without a file", 2, lambda s: [s.new(), "--budget", "1", "--update-baseline"])
