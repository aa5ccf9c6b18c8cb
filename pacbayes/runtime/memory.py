"""What the C library does with memory that was freed."""

import ctypes
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
MAPPED: Final = 2**25
"""Blocks of this many bytes and more go back to the system at once: 32 MiB, the largest that the
library would choose by itself."""
KEPT: Final = 2**30
"""Free bytes that the process keeps."""


def keep_freed_memory() -> bool:
    """Let the process keep the memory that tensors leave, and return whether that is possible.

    A pass through a network takes and frees tensors of the same sizes again and again. By default
    the C library hands such memory back and asks for it again, a page at a time, which took a
    fifth of a step on a small ticket. It changes the whole process, so only programs call it,
    when they begin. Without the GNU C library nothing happens.

    Source: mallopt(3).

    Example:
        >>> keep_freed_memory() in {True, False}
        True
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return False
    set_ = [mallopt(M_MMAP_THRESHOLD, MAPPED), mallopt(M_TRIM_THRESHOLD, KEPT)]
    return set_ == [1, 1]
