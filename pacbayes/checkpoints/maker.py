"""Which tool wrote a training file, told by the keys that lie beside the weights."""

from collections.abc import Mapping
from typing import Any

from pacbayes.checkpoints.lightning import VERSION, is_lightning
from pacbayes.checkpoints.opening import printable

# The keys that together identify a tool; the first match counts.
_KEYS = (
    ("timm", {"state_dict", "arch", "version"}),
    ("torchvision reference", {"model", "optimizer", "lr_scheduler", "args"}),
    ("nanoGPT", {"model", "model_args", "iter_num"}),
    ("open_lth", {"ep", "it", "model_state_dict", "optimizer_state_dict"}),
    ("shrinkbench", {"model_state_dict", "optim_state_dict"}),
)
_TOLD = ("arch", "epoch", "global_step", "iter_num", "ep", "it")


def maker_of(value: Mapping[Any, Any]) -> str | None:
    """Return the name of the tool that wrote a wrapped checkpoint, or None."""
    if is_lightning(value):
        return "Lightning"
    return next((tool for tool, keys in _KEYS if keys <= set(value)), None)


def facts_of(value: Mapping[Any, Any]) -> list[str]:
    """Return one note on who wrote a wrapped checkpoint and when in training, if that is known."""
    maker = maker_of(value)
    if maker is None:
        return []
    version = value.get(VERSION)
    told = [f"{maker} {printable(version)[:40]}" if isinstance(version, str) else maker]
    for key in _TOLD:
        if isinstance(value.get(key), int | str):
            told.append(f"{key} {printable(value[key])[:60]}")
    return [f"written by {', '.join(told)}"]
