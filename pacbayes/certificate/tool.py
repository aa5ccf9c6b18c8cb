"""Which program issued a certificate."""

import hashlib
from importlib import metadata
from pathlib import Path

from pacbayes.certificate.facts import ToolFacts


def source_sha256() -> str:
    """Return the SHA-256 over the names and contents of all modules of the package."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256(b"pacbayes/source/1\n")
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def this_tool() -> ToolFacts:
    """Return version and source digest of the running program."""
    try:
        version = metadata.version("pacbayes")
    except metadata.PackageNotFoundError:
        version = "uninstalled"
    return ToolFacts(version=version, source_sha256=source_sha256())
