"""`pacbayes sweep`: certificates of many tickets, declared beforehand, that hold together."""

import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from shlex import join
from typing import Any

import click

from pacbayes.errors import InputError
from pacbayes.runtime.reading import read_bytes


@click.command(
    epilog="""
\b
A plan names options of certify for all tickets, then the tickets, each with more options:
  delta = "0.05"
  out = "OUT"
  [options]
  model = "lenet300"
  data = "mnist"
  [tickets]
  dense = { path = "RUN/level_00" }
  thin = { path = "RUN/level_14", slack = 0.001 }

\b
Examples:
  pacbayes sweep PLAN.toml --jobs 2
  pacbayes sweep PLAN.toml --print | sed -n "${SLURM_ARRAY_TASK_ID}p" | sh
"""
)
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="at a time")
@click.option("--print", "only_print", is_flag=True, help="print the commands, one per line")
def sweep(plan: Path, jobs: int, only_print: bool) -> int:
    """Certify every ticket of a plan at its share of delta, so that all certificates hold at once.

    Each is written to a folder of its own; a second run goes on where the first one stopped. The
    exit code is the highest one of all certify commands.
    """
    commands = commands_of(plan)
    if only_print:
        for command in commands:
            click.echo(join(["pacbayes", *command]))
        return 0
    with ThreadPoolExecutor(jobs) as pool:
        codes = list(pool.map(_run, commands))
    return max(codes)


def commands_of(path: Path) -> list[list[str]]:
    """Return the arguments of one certify for each ticket of a plan.

    Each certificate claims ``delta / T`` for T tickets, rounded down to a decimal.

    Raises:
        InputError: the plan is no such file.
    """
    try:
        plan = tomllib.loads(read_bytes(path).decode("utf-8"))
        delta, out = Fraction(plan.pop("delta")), Path(plan.pop("out"))
        common, tickets = plan.pop("options"), plan.pop("tickets")
        paths = {name: options.pop("path") for name, options in tickets.items()}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a plan: {error} is missing or malformed") from error
    if not 0 < delta < 1:
        raise InputError(f"{path}: delta must lie in (0, 1), got {float(delta)}")
    named = {*common, *(key for options in tickets.values() for key in options)}
    if plan or not tickets or named & {"delta", "out", "name"}:
        raise InputError(f"{path}: has no tickets, unknown entries, or delta, out or name inside")
    share = _decimal_below(delta / len(tickets))
    own = {name: ["--delta", share, "--out", str(out / name), "--name", name] for name in tickets}
    return [
        ["certify", str(paths[name]), *_flags({**common, **options}), *own[name]]
        for name, options in tickets.items()
    ]


def _decimal_below(value: Fraction, *, digits: int = 12) -> str:
    return f"0.{value.numerator * 10**digits // value.denominator:0{digits}d}".rstrip("0")


def _flags(options: dict[str, Any]) -> list[str]:
    found = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        for item in value if isinstance(value, list) else [value]:
            if item is True:
                found.append(flag)
            elif item is not False:
                found += [flag, str(item)]
    return found


def _run(command: list[str]) -> int:
    program = [sys.executable, "-m", "pacbayes", *command]
    return subprocess.run(program, check=False).returncode  # noqa: S603 (our own, and no shell)
