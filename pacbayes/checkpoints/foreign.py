"""A foreign checkpoint under canonical names: prefix off, ties found, masks folded, roles told."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from pacbayes.checkpoints.averaged import without_count
from pacbayes.checkpoints.contents import Contents, read_contents
from pacbayes.checkpoints.named import FLOATS
from pacbayes.checkpoints.open_lth import with_plain_names
from pacbayes.checkpoints.parametrizations import as_masked
from pacbayes.checkpoints.prefixes import strip_prefix
from pacbayes.checkpoints.prune_masks import Folded, fold_masks
from pacbayes.checkpoints.tied import untie
from pacbayes.errors import InputError
from pacbayes.tickets import Tensors

RUNNING = ("running_mean", "running_var", "num_batches_tracked")
_FORMATS = {
    "torch": "state dict",
    "safetensors": "safetensors",
    "npz": "NumPy archive",
    "shards": "Hugging Face shards",
}
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A foreign state dict under the names of ``named_parameters()``.

    Attributes:
        contents: the file as it is.
        prefix: what was taken off every name.
        aliases: dropped names of tied weights, with the name that stands for them.
        folded: tensors, and the masks that lay beside them.
        remarks: what else was noticed about the names.
    """

    contents: Contents
    prefix: str
    aliases: dict[str, str]
    folded: Folded
    remarks: tuple[str, ...] = ()

    @property
    def format(self) -> str:
        """Name of the format, for people."""
        base = _FORMATS[self.contents.container]
        wrapped = f"wrapped {base}" if self.contents.wrapper else base
        return f"{wrapped} with pruning masks" if self.folded.masks else wrapped

    @property
    def notes(self) -> dict[str, object]:
        """What was done to the names, and the digest of the file."""
        facts: dict[str, object] = {
            "wrapper": self.contents.wrapper,
            "prefix": self.prefix,
            "aliases": self.aliases,
            "remarks": [*self.contents.notes, *self.remarks],
        }
        known = {key: value for key, value in facts.items() if value}
        return {"format": self.format, "sha256": self.contents.sha256, **known}


def read_foreign(path: Path, *, key: str | None = None, expected: Collection[str] = ()) -> Foreign:
    """Return a checkpoint file under canonical names.

    Raises:
        InputError: the file cannot be read safely or its masks do not fit its weights.
    """
    return canonical(read_contents(path, key=key), expected=expected)


def canonical(contents: Contents, *, expected: Collection[str] = ()) -> Foreign:
    """Return the contents of a file under canonical names.

    Raises:
        InputError: masks do not fit the weights, or a parametrization is no mask.
    """
    counted, remarks = without_count(with_plain_names(contents.tensors))
    masked = as_masked(counted, source=contents.source)
    stripped, prefix = strip_prefix(masked, expected=expected)
    untied, aliases = untie(stripped, expected=expected)
    folded = fold_masks(untied, source=contents.source)
    return Foreign(
        contents=contents,
        prefix=prefix,
        aliases=aliases,
        folded=folded,
        remarks=tuple(remarks),
    )


def is_running(name: str) -> bool:
    """Return whether a tensor is a running statistic of a normalisation layer."""
    return name.rpartition(".")[2] in RUNNING


def split_roles(
    tensors: Tensors, *, shapes: Shapes | None, buffer_names: Collection[str], source: str
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return parameters and buffers.

    With the parameters' shapes known, names must be exactly those of parameters and buffers; a
    tensor is never filled in. Without them, floating tensors count as parameters, except running
    statistics.

    Raises:
        InputError: lists every name that is missing, unexpected or of another shape.
    """
    if shapes is None:
        named = set(buffer_names)
        is_buffer = {
            n: n in named or is_running(n) or t.dtype not in FLOATS for n, t in tensors.items()
        }
    else:
        require_names(tensors, shapes=shapes, buffer_names=buffer_names, source=source)
        is_buffer = {name: name not in shapes for name in tensors}
    parameters = {name: t for name, t in tensors.items() if not is_buffer[name]}
    integers = [name for name, t in parameters.items() if t.dtype not in FLOATS]
    if integers:
        raise InputError(f"{source}: weights must be floating point, {_listed(integers)} are not")
    if not parameters:
        raise InputError(f"{source} holds no weights")
    return parameters, {name: t for name, t in tensors.items() if is_buffer[name]}


def require_names(
    tensors: Tensors, *, shapes: Shapes, buffer_names: Collection[str], source: str
) -> None:
    """Refuse a state dict whose names and shapes are not those of the network.

    Raises:
        InputError: lists every name that is missing, unexpected, transposed or of another shape.
    """
    wanted = {**dict.fromkeys(buffer_names), **shapes}
    problems = []
    missing = [name for name in wanted if name not in tensors]
    unexpected = [name for name in tensors if name not in wanted]
    if missing:
        problems.append(f"missing {_listed(missing)}")
    if unexpected:
        problems.append(f"unexpected {_listed(unexpected)}")
    for name, shape in shapes.items():
        found = tuple(tensors[name].shape) if name in tensors else tuple(shape)
        if found != tuple(shape):
            word = "transposed" if found == tuple(reversed(shape)) else "of another shape"
            problems.append(f"{name} is {word}: {found}, the model has {tuple(shape)}")
    if problems:
        raise InputError(f"{source} does not fit the model: {'; '.join(problems)}")


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
