"""What a run was run with: versions and arithmetic, nothing about who or where."""

import platform
from importlib.metadata import PackageNotFoundError, version

from pacbayes import __version__


def environment(*, device: str = "cpu", dtype: str = "float32") -> dict[str, str | int]:
    """Return versions, platform and arithmetic settings; no host, user or path.

    Args:
        device: where the model ran.
        dtype: arithmetic of the model.

    Example:
        >>> sorted(environment())[:4]
        ['deterministic', 'device', 'dtype', 'machine']
    """
    import torch

    cuda = torch.backends.cuda.matmul.allow_tf32
    return {
        "pacbayes": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": _version("numpy"),
        "scipy": _version("scipy"),
        "system": platform.system(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "device": device,
        "dtype": dtype,
        "tf32": "on" if cuda else "off",
        "deterministic": "on" if torch.are_deterministic_algorithms_enabled() else "off",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
