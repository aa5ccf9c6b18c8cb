"""Folders of other tools, and what to do with them."""

from pathlib import Path

from pacbayes.checkpoints.opening import printable
from pacbayes.errors import InputError


def folder_refusal(folder: Path) -> str:
    """Return the one-line reason why a folder without a ticket of ours is not read.

    Raises:
        InputError: the folder cannot be listed.
    """
    source = printable(folder)
    try:
        names = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from error
    if ".metadata" in names and any(name.endswith(".distcp") for name in names):
        return (
            f"{source} is a distributed checkpoint; convert it with "
            "python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE"
        )
    files = sorted(n for n in names if n.endswith((".safetensors", ".pt", ".pth", ".bin", ".ckpt")))
    if "trained.safetensors" in names:
        return f"{source} has no ticket.json: writing it was interrupted; find the ticket again"
    levels = sorted(name for name in names if name.startswith("level_"))
    if levels:
        return (
            f"{source} holds several levels; name one of them, for example {printable(levels[-1])}"
        )
    if files:
        return (
            f"{source} is not a ticket folder; name a file in it, for example {printable(files[0])}"
        )
    return f"{source} is not a ticket folder: there is no ticket.json"
