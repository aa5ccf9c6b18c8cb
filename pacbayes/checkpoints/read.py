"""From any checkpoint to a ticket."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from pacbayes.checkpoints.contents import Contents
from pacbayes.checkpoints.foreign import (
    Foreign,
    Shapes,
    is_running,
    read_foreign,
    require_names,
    split_roles,
)
from pacbayes.checkpoints.hugging_face import weights_of
from pacbayes.checkpoints.level import Level
from pacbayes.checkpoints.named import FLOATS, as_float32, as_mask
from pacbayes.checkpoints.opening import is_folder, printable
from pacbayes.checkpoints.refused import folder_refusal
from pacbayes.checkpoints.run_folder import levels_in, only_level
from pacbayes.checkpoints.ticket_folder import is_ticket_folder, read_ticket_folder
from pacbayes.errors import InputError, UsageError
from pacbayes.tickets import Mask, Tensors, Ticket, is_prunable, require_finite


def read_ticket(
    path: Path | str,
    *,
    init: Path | str | None = None,
    mask: Path | str | None = None,
    key: str | None = None,
    mask_from_zeros: bool = False,
    parameter_shapes: Shapes | None = None,
    buffer_names: Collection[str] = (),
    unsaved_buffer_names: Collection[str] = (),
) -> Ticket:
    """Return the ticket in a checkpoint: trained weights, mask, and initial weights if given.

    Reads a ticket folder of ours; a state dict saved by ``torch.save``, as safetensors or by
    ``numpy.savez``, plain or under a usual key, with masks beside the weights or in a file of their
    own; a Hugging Face folder; one level of an open_lth or lth-pacbayes run. Weights become
    float32. A foreign checkpoint says nothing about what it has seen, so its provenance is unknown.
    No code in a file is ever run, and no tensor is ever filled in.

    Args:
        path: ticket folder, checkpoint file, Hugging Face folder or level of a run.
        init: file with the initial weights, unmasked.
        mask: file with zeros and ones by parameter name, one where an entry is kept.
        key: entry of a wrapped checkpoint that holds the weights.
        mask_from_zeros: take the exact zeros of weight arrays as removed.
        parameter_shapes: shapes by the names of ``named_parameters()``; names and shapes must then
            fit exactly. Without them, floating tensors count as parameters.
        buffer_names: names of the network's tensors in ``state_dict()`` that are no parameters.
        unsaved_buffer_names: names of its buffers that are not persistent, so that only a ticket
            of ours may have them.

    Raises:
        InputError: a file is missing, unsafe, malformed, or does not fit the others or the model.
        UsageError: options contradict each other.
    """
    path = Path(path)
    if mask is not None and mask_from_zeros:
        raise UsageError("give --mask or --mask-from-zeros, not both")
    known = Network(shapes=parameter_shapes, buffer_names=frozenset(buffer_names))
    asked = [flag for flag, given in (("--init", init), ("--mask", mask), ("--key", key),
                                      ("--mask-from-zeros", mask_from_zeros)) if given]  # fmt: skip
    if is_folder(path) and is_ticket_folder(path):
        _refuse_options(path, asked)
        return _own(path, known, unsaved=unsaved_buffer_names)
    levels = levels_in(path) if is_folder(path) else []
    if levels:
        _refuse_options(path, asked)
        return _from_level(only_level(path, levels), known)
    if is_folder(path) and weights_of(path) is None:
        raise InputError(folder_refusal(path))
    source = read_foreign(path, key=key, expected=known.names)
    return _from_files(
        source, known, init=init, mask=mask, from_zeros=mask_from_zeros, apply_mask=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What is known of the network that the weights belong to.

    Attributes:
        shapes: shapes by parameter name, or None if nothing is known.
        buffer_names: names of the tensors in ``state_dict()`` that are no parameters.
    """

    shapes: Shapes | None
    buffer_names: frozenset[str]

    @property
    def names(self) -> set[str]:
        """All names that a state dict should have; empty if nothing is known."""
        return {*(self.shapes or ()), *self.buffer_names}


def _refuse_options(folder: Path, options: list[str]) -> None:
    if options:
        raise UsageError(
            f"{', '.join(options)}: goes with a file, but {printable(folder)} is a folder that "
            "holds weights, mask and initial weights"
        )


def _from_level(level: Level, known: Network) -> Ticket:
    """Return the ticket of one level of a run directory; the init is that of level 0."""
    ticket = _from_files(
        read_foreign(level.trained, expected=known.names),
        known,
        init=level.init,
        mask=level.mask,
        from_zeros=False,
        apply_mask=True,
    )
    facts = {"format": f"{level.tool} run", "replicate": level.replicate, **level.notes}
    return replace(ticket, level=level.number, notes={**ticket.notes, "run": facts})


def _from_files(
    trained: Foreign,
    known: Network,
    *,
    init: Path | str | None,
    mask: Path | str | None,
    from_zeros: bool,
    apply_mask: bool,
) -> Ticket:
    """Return the ticket of trained weights and, in files of their own, mask and initial weights.

    Args:
        trained: the trained weights.
        known: what is known of the network.
        init: file with the initial weights.
        mask: file with the mask.
        from_zeros: take exact zeros as removed.
        apply_mask: set removed entries to zero, as the tool that wrote the files does on every
            forward pass, instead of refusing those that are not.
    """
    source = trained.contents.source
    _refuse_posterior(trained.contents)
    parameters, buffers = split_roles(
        trained.folded.tensors,
        shapes=known.shapes,
        buffer_names=known.buffer_names,
        source=source,
    )
    weights, rounded = _weights(parameters, source)
    notes: dict[str, object] = {"source": trained.notes}
    if rounded:
        notes["rounded_to_float32"] = rounded
    kept, mask_notes = _mask(trained, weights, mask=mask, from_zeros=from_zeros)
    notes.update(mask_notes)
    if not apply_mask:
        _require_masked(weights, kept, source)
    # Products with a mask leave -0.0 where the weight was negative; one network, one digest.
    weights = _fitting(weights, kept, source)
    start = None
    if init is not None:
        start, notes["init"] = _init(Path(init), weights, kept, buffers)
    return Ticket(
        init=start,
        mask=kept,
        trained=weights,
        buffers={name: _buffer(name, tensor) for name, tensor in buffers.items()},
        notes=notes,
    )


def _own(folder: Path, known: Network, *, unsaved: Collection[str]) -> Ticket:
    ticket = read_ticket_folder(folder)
    if known.shapes is not None:
        listed = {name: t for name, t in ticket.buffers.items() if name not in unsaved}
        require_names(
            {**ticket.trained, **listed},
            shapes=known.shapes,
            buffer_names=known.buffer_names,
            source=printable(folder),
        )
    return ticket


def _fitting(weights: Tensors, mask: Mask, source: str) -> dict[str, Tensor]:
    try:
        return mask.apply(weights)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def _refuse_posterior(contents: Contents) -> None:
    if contents.metadata.get("schema", "").startswith("pacbayes/posterior/"):
        raise InputError(f"{contents.source} is a posterior; give the ticket that it was fitted to")


def _buffer(name: str, tensor: Tensor) -> Tensor:
    """Return a copy; running statistics meet float32 activations, so they are float32 as well."""
    copy = tensor.contiguous().clone()
    return copy.float() if is_running(name) and tensor.dtype in FLOATS else copy


def _weights(parameters: Tensors, source: str) -> tuple[dict[str, Tensor], list[str]]:
    require_finite(parameters, source=source)
    weights, rounded = as_float32(parameters)
    require_finite(weights, source=f"{source} in float32")
    return weights, rounded


def _mask(
    trained: Foreign, weights: Tensors, *, mask: Path | str | None, from_zeros: bool
) -> tuple[Mask, dict[str, object]]:
    """Return the mask over all prunable weights, and where it came from."""
    beside = trained.folded.masks
    if beside and (mask is not None or from_zeros):
        raise UsageError(
            f"{trained.contents.source} has masks of its own; "
            "leave out --mask and --mask-from-zeros"
        )
    if from_zeros:
        return Mask.from_zeros(weights), {"mask": "exact zeros"}
    named: dict[str, Tensor] = beside
    notes: dict[str, object] = {"mask": "in the checkpoint"} if beside else {}
    if mask is not None:
        named, notes["mask"] = _mask_file(Path(mask), weights)
    unnamed = [k for k, t in weights.items() if is_prunable(t) and k not in named]
    if named and unnamed:
        notes["kept_whole"] = unnamed
    full = {k: torch.ones(weights[k].shape, dtype=torch.bool) for k in unnamed}
    return Mask({**full, **named}), notes


def _mask_file(path: Path, weights: Tensors) -> tuple[dict[str, Tensor], object]:
    found = read_foreign(path, expected=set(weights))
    source, masks = found.contents.source, {}
    # One all-ones tensor may stand for several masks, so ties mean nothing here.
    tensors = dict(found.folded.tensors)
    tensors.update({name: tensors[stays] for name, stays in found.aliases.items()})
    for name, tensor in tensors.items():
        entries = as_mask(tensor)
        if entries is None:
            raise InputError(f"{source}: {name} must hold zeros and ones only")
        masks[name] = entries
    try:
        Mask(masks).require_fits(weights)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    return masks, found.notes


def _require_masked(weights: Tensors, mask: Mask, source: str) -> None:
    try:
        mask.require_fits(weights)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    wrong = {name: int((weights[name][~kept] != 0).sum()) for name, kept in mask.items()}
    wrong = {name: count for name, count in wrong.items() if count}
    if wrong:
        listed = ", ".join(f"{name} ({count})" for name, count in list(wrong.items())[:20])
        raise InputError(
            f"{source} has weights that are not zero where the mask removes: {listed}; "
            "give the mask of these weights, or multiply the weights by the mask before saving"
        )


def _init(
    path: Path, weights: Tensors, mask: Mask, buffers: Tensors
) -> tuple[dict[str, Tensor], object]:
    """Return the unmasked initial weights in a file."""
    found = read_foreign(path, expected={*weights, *buffers})
    source = found.contents.source
    tensors = {**found.folded.tensors, **found.folded.unmasked}
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    here = {name: tensor for name, tensor in tensors.items() if name not in buffers}
    require_names(here, shapes=shapes, buffer_names=(), source=source)
    integers = [name for name, tensor in here.items() if tensor.dtype not in FLOATS]
    if integers:
        raise InputError(f"{source}: {integers[0]} must be floating point")
    start, _ = _weights({name: here[name] for name in weights}, source)
    _refuse_masked_init(start, mask, source)
    return start, found.notes


def _refuse_masked_init(init: Tensors, mask: Mask, source: str) -> None:
    """Refuse initial weights that already carry the mask.

    A prior centred there has seen whatever the mask has seen, whatever its provenance says. A
    tensor that is zero throughout was initialised so and tells nothing.
    """
    masked = [
        name
        for name, kept in mask.items()
        if not bool(kept.all())
        and bool((init[name][kept] != 0).any())
        and not bool((init[name][~kept] != 0).any())
    ]
    if masked:
        raise InputError(
            f"the init file {source} is already masked ({masked[0]} is zero wherever the mask "
            "removes): give the unmasked one (level_0)"
        )
