"""Certified test-error bounds for neural networks, dense and pruned.

The top level offers the nouns (`Ticket`, `Mask`, `Prior`, `SpikeAndSlab`, `Confidence`,
`Certificate`) and the arrows between them, in the order in which they are used: `read_ticket` or
`find_tickets`, `fit`, `divergence`, `evaluate`, `certify`, `verify`, `compare`, `check`. Each name
is imported when it is first asked for, so that checking a certificate never loads torch.

Example:
    >>> import pacbayes
    >>> "certify" in dir(pacbayes)
    True
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pacbayes.bounds import Confidence
    from pacbayes.certificate import Certificate, check, compare, verify
    from pacbayes.checkpoints import read_ticket
    from pacbayes.pipeline import certify
    from pacbayes.posterior import Prior, SpikeAndSlab, divergence, fit
    from pacbayes.pruning import find_tickets
    from pacbayes.risk import evaluate
    from pacbayes.tickets import Mask, Ticket

    __version__: str

_ROOM_OF = {
    "Certificate": "pacbayes.certificate",
    "Confidence": "pacbayes.bounds",
    "Mask": "pacbayes.tickets",
    "Prior": "pacbayes.posterior",
    "SpikeAndSlab": "pacbayes.posterior",
    "Ticket": "pacbayes.tickets",
    "certify": "pacbayes.pipeline",
    "check": "pacbayes.certificate",
    "compare": "pacbayes.certificate",
    "divergence": "pacbayes.posterior",
    "evaluate": "pacbayes.risk",
    "find_tickets": "pacbayes.pruning",
    "fit": "pacbayes.posterior",
    "read_ticket": "pacbayes.checkpoints",
    "verify": "pacbayes.certificate",
}

__all__ = [
    "Certificate",
    "Confidence",
    "Mask",
    "Prior",
    "SpikeAndSlab",
    "Ticket",
    "__version__",
    "certify",
    "check",
    "compare",
    "divergence",
    "evaluate",
    "find_tickets",
    "fit",
    "read_ticket",
    "verify",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = import_module("importlib.metadata").version("pacbayes")
    elif name in _ROOM_OF:
        value = getattr(import_module(_ROOM_OF[name]), name)
    else:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
