"""Functions that the user names on the command line as ``module:function``."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pacbayes.errors import InputError, PacBayesError, UsageError


@contextmanager
def user_code(spec: str) -> Iterator[Callable[..., Any]]:
    """Yield the function that ``module:function`` names; the user's code runs inside the block.

    Inside, the current folder is importable; afterwards ``sys.path`` is what it was. An exception
    of the user's code becomes an :class:`InputError` of one line.

    Raises:
        UsageError: the text is not of the form ``module:function``.
        InputError: there is no such module or function, or the user's code raised.
    """
    module, _, name = spec.partition(":")
    if not module or not name:
        raise UsageError(f"expected module:function, got {spec!r}")
    saved = list(sys.path)
    sys.path.insert(0, os.getcwd())
    try:
        yield _find(module, name)
    except PacBayesError:
        raise
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        raise InputError(f"{spec} raised {type(error).__name__}: {text}") from error
    finally:
        sys.path[:] = saved


def _find(module: str, name: str) -> Callable[..., Any]:
    importlib.invalidate_caches()
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{module}:{name}: {error}; modules of the current folder count"
        ) from error
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise InputError(f"{module}:{name}: module {module} has no function {name}")
    return found  # type: ignore[no-any-return]
