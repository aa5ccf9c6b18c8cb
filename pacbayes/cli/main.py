"""The `pacbayes` program: its commands, and one place where errors become exit codes."""

import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from pacbayes.errors import PacBayesError, UnsoundError
from pacbayes.runtime.memory import keep_freed_memory
from pacbayes.runtime.signals import TerminatedError, heeded

USAGE = 2
INTERNAL = 70
INTERRUPTED = 130
TERMINATED = 143

OWN_FILES = (
    "demo",
    "inspect",
    "convert",
    "find",
    "certify",
    "evaluate",
    "sweep",
    "bound",
    "verify",
    "compare",
    "check",
    "cite",
    "overlap",
    "landscape",
    "study",
)
FILES = {name: f"pacbayes.cli.{name}" for name in OWN_FILES} | {"merge": "pacbayes.cli.evaluate"}
"""Where each command is defined, under its name."""

EXAMPLES = """
\b
Examples:
  pacbayes demo
  pacbayes find --model lenet300 --data mnist --data-root DIR --levels 14 --out RUN
  pacbayes certify RUN/level_14 --model lenet300 --data mnist --data-root DIR --dense --out OUT
  pacbayes verify OUT/certificate.json

\b
Exit codes: 0 fine; 1 does not verify, or worse than asked; 2 usage; 3 input missing or
malformed; 4 a validity condition is violated; 70 internal error; 74 writing failed.
"""


class Commands(click.Group):
    """The commands by name; the file of each is loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names."""
        return sorted(FILES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, ``None`` if there is no such name."""
        if cmd_name not in FILES:
            return None
        command: click.Command = getattr(import_module(FILES[cmd_name]), cmd_name)
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXAMPLES,
)
@click.version_option(package_name="pacbayes", prog_name="pacbayes")
def cli() -> None:
    """Certified test-error bounds for neural networks, dense and pruned."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the program and leave with its exit code."""
    if hasattr(signal, "SIGPIPE"):
        # A reader that goes away ends the program as it ends any other, with no word; exit code 1,
        # which click would give, means that a certificate does not verify.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    keep_freed_memory()
    sys.exit(run(argv))


def run(argv: Sequence[str] | None = None) -> int:
    """Return the exit code of one run; only internal errors show a traceback.

    Args:
        argv: arguments without the program's name; ``None`` takes those of the process.
    """
    try:
        with heeded():
            result = cli.main(args=argv, prog_name="pacbayes", standalone_mode=False)
            sys.stdout.flush()
    except TerminatedError:
        _say("terminated; run the same command again to go on")
        return TERMINATED
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted; run the same command again to go on")
        return INTERRUPTED
    except Exception as error:
        return _explain(error)
    return result if isinstance(result, int) else 0


def _explain(error: Exception) -> int:
    """Say what went wrong and return the exit code; a traceback only for a bug."""
    if isinstance(error, click.ClickException):
        error.show()
        return USAGE
    if isinstance(error, UnsoundError):
        _say("no certificate can be issued:")
        for problem in error.problems:
            click.echo(f"  [{problem.condition}] {problem.message}", err=True)
        return error.exit_code
    if isinstance(error, PacBayesError):
        _say(str(error))
        return error.exit_code
    if isinstance(error, MemoryError):
        _say("out of memory")
        return INTERNAL
    traceback.print_exception(error)
    _say("internal error; please report the lines above")
    return INTERNAL


def _say(text: str) -> None:
    click.echo(f"pacbayes: {text}", err=True)
