"""Reading a file as git committed it, so that the same change can't edit it."""

import os
import subprocess
from pathlib import Path

from pacbayes.errors import InputError, UsageError


def read_committed(path: Path, ref: str, *, limit: int) -> bytes:
    """Return the content of a file at a git reference; the working tree is not looked at.

    The repository is that of the current folder, or else the outermost one around the file, and
    the path inside it is taken as written: a link or a nested repository that the same change
    brings along leads nowhere.

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
    absolute = Path(os.path.normpath(Path.cwd() / path))
    top = _repository(absolute)
    commit = _git(top, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
    name = f"{commit.decode().strip()}:{absolute.relative_to(top).as_posix()}"
    size = int(_git(top, "cat-file", "-s", name))
    if size > limit:
        raise InputError(f"{path} at {ref}: is larger than {limit} bytes")
    return _git(top, "cat-file", "blob", name)


def _repository(path: Path) -> Path:
    around = [folder for folder in reversed(path.parents) if (folder / ".git").exists()]
    try:
        top = os.fsdecode(_git(Path.cwd(), "rev-parse", "--show-toplevel")).removesuffix("\n")
    except InputError:
        if not around:
            raise
        return around[0]
    if path.is_relative_to(top):
        return Path(top)
    if not around:
        raise InputError(f"{path}: is in no git repository")
    return around[0]


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
