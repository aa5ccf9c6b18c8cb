"""From any checkpoint to plain dicts of tensors, for writing them as safetensors."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pacbayes.checkpoints.foreign import Foreign, read_foreign
from pacbayes.checkpoints.hugging_face import weights_of
from pacbayes.checkpoints.level import Level
from pacbayes.checkpoints.named import as_mask
from pacbayes.checkpoints.opening import is_folder, printable
from pacbayes.checkpoints.refused import folder_refusal
from pacbayes.checkpoints.run_folder import levels_in, only_level
from pacbayes.checkpoints.ticket_folder import is_ticket_folder, read_ticket_folder
from pacbayes.errors import InputError
from pacbayes.tickets import Mask, Tensors, require_finite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Converted:
    """What a checkpoint holds, under the names of ``named_parameters()``.

    Attributes:
        weights: parameters and buffers, removed entries at zero; types as in the file.
        mask: bool tensors by parameter name, if the checkpoint has masks.
        init: initial weights before any mask, if the checkpoint has them.
        metadata: format and digest of the source, for the header.
        notes: what was left out or renamed.
    """

    weights: dict[str, Tensor]
    mask: dict[str, Tensor] | None
    init: dict[str, Tensor] | None
    metadata: dict[str, str]
    notes: tuple[str, ...]


def convert(path: Path | str, *, key: str | None = None) -> Converted:
    """Return the tensors of any checkpoint that is read; running statistics are kept.

    Read back with ``read_ticket``, with mask and init in files of their own, the tensors give the
    ticket of the original.

    Args:
        path: checkpoint, ticket folder, Hugging Face folder or level of a run.
        key: entry of a wrapped checkpoint to take.

    Raises:
        InputError: the checkpoint cannot be read safely, or has NaN or infinite entries.
    """
    path = Path(path)
    if is_folder(path) and is_ticket_folder(path):
        return _ticket(path)
    levels = levels_in(path) if is_folder(path) else []
    if levels:
        return _level(only_level(path, levels))
    if is_folder(path) and weights_of(path) is None:
        raise InputError(folder_refusal(path))
    found = read_foreign(path, key=key)
    return _converted(found, mask=found.folded.masks or None, init=None)


def _converted(
    found: Foreign, *, mask: dict[str, Tensor] | None, init: dict[str, Tensor] | None
) -> Converted:
    source = found.contents.source
    if found.contents.metadata.get("schema", "").startswith("pacbayes/posterior/"):
        raise InputError(f"{source} is a posterior of ours, in safetensors already")
    require_finite(found.folded.tensors, source=source)
    notes = [*found.contents.notes, *found.remarks]
    notes += [f"{name} is tied to {stays} and left out" for name, stays in found.aliases.items()]
    return Converted(
        weights=found.folded.tensors,
        mask=mask,
        init=init,
        metadata={"source_format": found.format, "source_sha256": found.contents.sha256},
        notes=tuple(notes),
    )


def _ticket(folder: Path) -> Converted:
    ticket = read_ticket_folder(folder)
    return Converted(
        weights={**ticket.trained, **ticket.buffers},
        mask=dict(ticket.mask),
        init=ticket.init,
        metadata={"source_format": "ticket folder", "source_sha256": ticket.digest},
        notes=("the ticket's provenance is left out: what it has seen is unknown from here on",),
    )


def _level(level: Level) -> Converted:
    trained = read_foreign(level.trained)
    mask = None if level.mask is None else _mask(level.mask)
    init = None if level.init is None else read_foreign(level.init).folded.tensors
    found = _converted(trained, mask=mask, init=init)
    return found if mask is None else _masked(found, mask, printable(level.trained))


def _masked(found: Converted, mask: Tensors, source: str) -> Converted:
    weights = dict(found.weights)
    try:
        Mask(mask).require_fits(weights)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    for name, kept in mask.items():
        weights[name] = torch.where(kept, weights[name], torch.zeros_like(weights[name]))
    return Converted(
        weights=weights,
        mask=found.mask,
        init=found.init,
        metadata=found.metadata,
        notes=found.notes,
    )


def _mask(path: Path) -> dict[str, Tensor]:
    masks = {}
    for name, tensor in read_foreign(path).folded.tensors.items():
        entries = as_mask(tensor)
        if entries is None:
            raise InputError(f"{printable(path)}: {name} must hold zeros and ones only")
        masks[name] = entries
    return masks
