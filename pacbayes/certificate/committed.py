"""Reading a file as git committed it, so that the same change can't edit it."""

import os
import subprocess
from pathlib import Path

from pacbayes.errors import InputError, UsageError


def read_committed(path: Path, ref: str, *, limit: int) -> bytes:
    """Return the content of a file at a git reference; the working tree is not looked at.

    Args:
        path: the file, which need not exist any more.
        ref: branch, tag or commit, for example ``origin/main``.
        limit: refuse larger files.

    Raises:
        UsageError: the reference is empty or looks like an option or a path.
        InputError: no git, no repository, no such reference, or the file is not in it.
    """
    if not ref or ref.startswith("-") or ":" in ref or not ref.isprintable():
        raise UsageError(f"--base-ref must name a branch, tag or commit, got {ref!r}")
    folder = _existing(path.absolute().parent)
    top = Path(os.fsdecode(_git(folder, "rev-parse", "--show-toplevel")).removesuffix("\n"))
    try:
        inside = (folder.resolve() / path.absolute().relative_to(folder)).relative_to(top.resolve())
    except ValueError:
        raise InputError(f"{path}: is outside the repository {top}") from None
    commit = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
    name = f"{commit.decode().strip()}:{inside.as_posix()}"
    size = int(_git(folder, "cat-file", "-s", name))
    if size > limit:
        raise InputError(f"{path} at {ref}: is larger than {limit} bytes")
    return _git(folder, "cat-file", "blob", name)


def _existing(folder: Path) -> Path:
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _git(folder: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell
    except OSError as error:
        raise InputError(f"--base-ref needs git: {error.strerror}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["failed"]
        raise InputError(f"git {arguments[0]}: {said[0]}")
    return done.stdout
