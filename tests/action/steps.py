"""The Action as its file describes it, run step by step in a shell, as a runner would."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / ".github" / "actions" / "check"
_EXPRESSION = re.compile(r"\$\{\{ (?:inputs\.)?([\w.-]+) \}\}")


def blocks(text: str, *, indent: int) -> dict[str, str]:
    """The keys at one depth of a plain YAML text, each with what is indented below it."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        if depth == indent and ":" in line:
            key, _, rest = line.strip().partition(":")
            found[key] = [rest.strip()] if rest.strip() else []
        elif key and depth > indent:
            found[key].append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


@dataclass(frozen=True, kw_only=True)
class Step:
    name: str
    env: dict[str, str]
    run: str


def action_inputs() -> dict[str, str]:
    """Names of the inputs with their defaults."""
    top = blocks((ACTION / "action.yml").read_text(encoding="utf-8"), indent=0)
    named = blocks(top["inputs"], indent=2)
    return {n: blocks(b, indent=4).get("default", "").strip('"') for n, b in named.items()}


def action_steps() -> list[Step]:
    top = blocks((ACTION / "action.yml").read_text(encoding="utf-8"), indent=0)
    listed = blocks(top["runs"], indent=2)["steps"]
    steps = []
    for part in listed.split("    - name: ")[1:]:
        name, _, body = part.partition("\n")
        keys = blocks(body, indent=6)
        steps.append(Step(name=name, env=blocks(keys["env"], indent=8), run=keys["run"]))
    return steps


@dataclass(frozen=True, kw_only=True)
class Outcome:
    code: int
    log: str
    summary: str
    junit: str


def run_check(repository: Path, given: dict[str, str], *, base: str = "") -> Outcome:
    """Run the step ``check`` in a checkout; ``base`` is the base commit of the pull request."""
    event = {"github.event.pull_request.base.sha": base}
    values = {name: _filled(text, event) for name, text in (action_inputs() | given).items()}
    (step,) = [step for step in action_steps() if step.name == "check"]
    runner = repository.parent / "runner"
    runner.mkdir(exist_ok=True)
    program = runner / "pacbayes"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{_PROGRAM}" "$@"\n')
    program.chmod(0o755)
    files = {"GITHUB_STEP_SUMMARY": "summary", "GITHUB_OUTPUT": "output", "GITHUB_PATH": "path"}
    env = {
        **os.environ,
        **{variable: str(runner / name) for variable, name in files.items()},
        **{variable: _filled(text, values) for variable, text in step.env.items()},
        "PATH": f"{runner}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(runner),
        "GITHUB_ACTION_PATH": str(ACTION),
        "GITHUB_ACTIONS": "true",
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.run]
    done = subprocess.run(
        command, cwd=repository, env=env, capture_output=True, text=True, check=False
    )
    summary, junit = runner / "summary", runner / "pacbayes-check.xml"
    return Outcome(
        code=done.returncode,
        log=done.stdout + done.stderr,
        summary=summary.read_text() if summary.exists() else "",
        junit=junit.read_text() if junit.exists() else "",
    )


_PROGRAM = "from pacbayes.cli import main; main()"


def _filled(text: str, values: dict[str, str]) -> str:
    return _EXPRESSION.sub(lambda match: values[match[1]], text)
