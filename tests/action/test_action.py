"""A sample repository whose pull requests run the Action's own steps in a shell."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.action.steps import ACTION, ROOT, action_inputs, action_steps, blocks, run_check
from tests.cli.site import Site, certificate, tampered

SAMPLE = Path(__file__).resolve().parent / "sample" / ".github" / "workflows" / "bounds.yml"
INPUTS = {
    "certificates": "certificates/*.certificate.json",
    "baseline": "certificates/baseline.json",
}
TICKET = "certificates/ticket.certificate.json"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A repository whose main branch holds a certificate and its baseline."""
    made = Site(folder=tmp_path / "repository")
    made.write(TICKET, certificate("old"))
    made.baseline(name="certificates/baseline.json")
    made.commit()
    made.git("checkout", "--quiet", "-b", "change")
    return made


def test_an_equal_bound_passes(site: Site) -> None:
    found = run_check(site.folder, INPUTS, base=site.git("rev-parse", "main"))
    assert found.code == 0, found.log
    assert "1 of 1 certificates pass" in found.log
    assert "### pacbayes check: pass" in found.summary
    assert "at " in found.summary
    assert '<testsuite name="pacbayes check" tests="1" failures="0" errors="0">' in found.junit


def test_a_worse_bound_fails(site: Site) -> None:
    site.write(TICKET, certificate("worse"))
    found = run_check(site.folder, INPUTS, base=site.git("rev-parse", "main"))
    assert found.code == 1
    assert re.search(rf"^::error title=pacbayes%3A worse,file={TICKET},line=1::", found.log, re.M)
    assert "### pacbayes check: FAIL" in found.summary
    assert 'failures="1"' in found.junit


def test_a_worse_bound_within_tolerance_passes(site: Site) -> None:
    site.write(TICKET, certificate("worse"))
    given = INPUTS | {"max-increase": "2%"}
    assert run_check(site.folder, given, base=site.git("rev-parse", "main")).code == 0


def test_a_baseline_raised_in_the_same_change_does_not_help(site: Site) -> None:
    site.write(TICKET, certificate("worse"))
    site.baseline("worse", name="certificates/baseline.json")
    site.commit()
    assert run_check(site.folder, INPUTS, base=site.git("rev-parse", "main")).code == 1
    assert run_check(site.folder, INPUTS).code == 0  # which is why base-ref has a default


def test_a_tampered_baseline_fails(site: Site) -> None:
    site.write("certificates/baseline.json", tampered("claim.risk_upper", "0.9"))
    found = run_check(site.folder, INPUTS)
    assert found.code == 1
    assert "bad baseline" in found.log
    site.commit()
    assert run_check(site.folder, INPUTS, base=site.git("rev-parse", "HEAD")).code == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"baseline": "certificates/gone.json"}, 3),
        ({"certificates": "certificates/*.gone"}, 2),
        ({"certificates": "certificates/gone.certificate.json"}, 3),
        ({"reference": "certificates/gone.json"}, 3),
        ({"artifact": "models/*.pt"}, 3),
        ({"base-ref": "0" * 40}, 3),
        ({"max-increase": "1"}, 2),
        ({"budget": "0.01"}, 1),
        ({"baseline": ""}, 2),
    ],
    ids=str,
)
def test_what_is_missing_or_wrong_fails(changes: dict[str, str], code: int, site: Site) -> None:
    found = run_check(site.folder, INPUTS | changes, base=site.git("rev-parse", "main"))
    assert found.code == code, found.log
    assert "Traceback" not in found.log


def test_a_certificate_named_like_an_option(site: Site) -> None:
    site.write("--help.certificate.json", b"{}")
    given = INPUTS | {"certificates": "*.certificate.json"}
    assert run_check(site.folder, given, base=site.git("rev-parse", "main")).code == 3


def test_a_shallow_checkout_fetches_the_base(site: Site) -> None:
    site.write(TICKET, certificate("worse"))
    site.baseline("worse", name="certificates/baseline.json")
    site.commit()
    site.git("config", "uploadpack.allowAnySHA1InWant", "true")
    shallow = site.folder.parent / "shallow"
    source = f"file://{site.folder}"
    command = ["git", "clone", "--quiet", "--depth=1", "--branch", "change", source, str(shallow)]
    subprocess.run(command, check=True)
    found = run_check(shallow, INPUTS, base=site.git("rev-parse", "main"))
    assert found.code == 1, found.log


# --- the files


def test_every_input_reaches_the_gate() -> None:
    (check,) = [step for step in action_steps() if step.name == "check"]
    used = {text.removeprefix("${{ inputs.").removesuffix(" }}") for text in check.env.values()}
    assert used == set(action_inputs())
    script = (ACTION / "check.sh").read_text(encoding="utf-8")
    assert [name for name in check.env if f"${name}" not in script] == []


def test_no_input_is_pasted_into_a_script() -> None:
    assert [step.run for step in action_steps() if "${{" in step.run] == []


def test_scripts_exist_and_torch_is_not_installed_for_nothing() -> None:
    for step in action_steps():
        name = step.run.removeprefix('bash "$GITHUB_ACTION_PATH/').removesuffix('"')
        assert step.run == f'bash "$GITHUB_ACTION_PATH/{name}"'
        assert (ACTION / name).is_file()
    assert "--no-deps" in (ACTION / "install.sh").read_text(encoding="utf-8")


def test_the_sample_workflow_uses_inputs_that_exist() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    given = blocks(text.partition("        with:\n")[2], indent=10)
    assert set(given) <= set(action_inputs())
    assert set(given) >= set(INPUTS)


def test_the_hook_verifies(site: Site) -> None:
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    (entry,) = re.findall(r"^  entry: (.+)$", hook, re.M)
    (pattern,) = re.findall(r"^  files: (.+)$", hook, re.M)
    assert re.search(pattern, "OUT/certificate.json")
    assert re.search(pattern, TICKET)
    assert not re.search(pattern, "certificates/baseline.json")
    bad = site.write("bad.certificate.json", tampered("claim.risk_upper", "0.01"))
    for path, code in [(str(site.folder / TICKET), 0), (bad, 1), (str(site.folder / "gone"), 3)]:
        done = subprocess.run([str(ROOT / entry), path], capture_output=True, check=False)
        assert done.returncode == code
