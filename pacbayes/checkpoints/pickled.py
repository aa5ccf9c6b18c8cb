"""The only file of the project that asks torch to read a pickle, and only the restricted way.

The restricted reader is no security boundary by torch's own word. It is surrounded by checks of
the container before and of every tensor after, nothing falls back to the unrestricted reader, and
safetensors remains the format to prefer for files from strangers.
"""

import argparse
import io
import pickle
import re
import warnings
from typing import Any

import torch

from pacbayes.checkpoints import lightning
from pacbayes.checkpoints.archive import check_archive
from pacbayes.checkpoints.opening import Opened, first_line, printable
from pacbayes.checkpoints.pickle_scan import require_modest
from pacbayes.errors import InputError

_OLDEST = (2, 10)
REMEDY = "save the weights with torch.save(model.state_dict(), FILE) or as safetensors"


def load_pickled(opened: Opened, *, values: bool = True) -> Any:
    """Return what ``torch.save`` put into a zip archive; only tensors and plain containers.

    Args:
        opened: the file.
        values: read the entries of tensors; without them, tensors have shapes and types only.

    Raises:
        InputError: torch is too old to be safe, the archive is not what ``torch.save`` writes, or
            the pickle refers to anything but tensors, containers and ``argparse.Namespace``.
    """
    _require_recent_torch()
    members = check_archive(opened)
    _require_weights_only(opened.source, members)
    require_modest(members["data.pkl"], source=opened.source)
    try:
        # CVE-2025-32434 and CVE-2026-24747 are mended in the versions required above.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd protocols are warned of, then refused
            return torch.load(
                io.BytesIO(opened.data),
                map_location="cpu" if values else "meta",
                weights_only=True,
                mmap=False,
            )
    except pickle.UnpicklingError as error:
        raise InputError(_refusal(opened, members["data.pkl"], error)) from error
    except Exception as error:  # torch leaks seven exception types on malformed files
        raise InputError(
            f"{opened.source} is not a checkpoint that torch can read: {first_line(error)}"
        ) from error


def _require_recent_torch() -> None:
    found = re.match(r"(\d+)\.(\d+)", torch.__version__)
    if found is None or tuple(map(int, found.groups())) < _OLDEST:
        raise InputError(
            f"torch {torch.__version__} reads pickles unsafely (CVE-2026-24747); "
            "install torch>=2.10 or convert the file to safetensors"
        )


def _require_weights_only(source: str, members: dict[str, bytes]) -> None:
    if "data.pkl" not in members:
        raise InputError(f"{source} is a zip archive without data.pkl; {REMEDY}")
    if members.get("byteorder", b"little") != b"little":
        raise InputError(f"{source} was not saved in little-endian byte order; {REMEDY}")


def _refusal(opened: Opened, pickled: bytes, error: BaseException) -> str:
    try:
        classes = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(opened.data))
    except Exception:  # naming the classes is a courtesy; the refusal stands without it
        classes = []
    if not classes:
        return f"{opened.source} is not a pickle of tensors: {first_line(error)}; {REMEDY}"
    remedy = lightning.REMEDY if lightning.looks_like_lightning(pickled) else REMEDY
    named = ", ".join(printable(name)[:100] for name in sorted(classes)[:5])
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return f"{opened.source} pickles objects ({named}{more}), not only tensors; {remedy}"
