"""The command line: one file per command."""

from pacbayes.cli.main import main

__all__ = ["main"]
