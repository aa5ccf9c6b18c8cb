"""A foreign file as a flat dict of tensors, whatever container and wrapper it came in."""

from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from pacbayes.checkpoints.hugging_face import is_index, read_shards, weights_of
from pacbayes.checkpoints.named import require_flat
from pacbayes.checkpoints.npz_file import load_npz, looks_like_npz
from pacbayes.checkpoints.opening import Opened, is_folder, open_file, printable
from pacbayes.checkpoints.pickled import REMEDY, load_pickled
from pacbayes.checkpoints.safetensors_file import load_safetensors, looks_like_safetensors
from pacbayes.checkpoints.wrapped import unwrap
from pacbayes.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What one file holds, names and values as they are in the file.

    Attributes:
        source: the path in printable form.
        sha256: digest of the file, or of index and shards.
        container: ``torch``, ``safetensors``, ``npz`` or ``shards``.
        wrapper: key that the state dict lay under, if any.
        tensors: the state dict.
        metadata: texts in the header of a safetensors file.
        notes: what was left out.
    """

    source: str
    sha256: str
    container: str
    wrapper: str | None
    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_contents(path: Path, *, key: str | None = None) -> Contents:
    """Return the tensors of a checkpoint file, of a Hugging Face folder or of an index of shards.

    Raises:
        InputError: the file is missing, malformed, unsafe, or of a format that is not read.
    """
    if is_folder(path):
        path = weights_of(path) or path
    return _shards(path, key) if is_index(path) else contents_of(open_file(path), key=key)


def _shards(index: Path, key: str | None) -> Contents:
    if key is not None:
        raise InputError(f"{printable(index)} is an index of shards and has no {printable(key)}")

    def read(shard: Path) -> tuple[dict[str, Tensor], str]:
        found = contents_of(open_file(shard))
        return found.tensors, found.sha256

    tensors, sha256 = read_shards(index, read)
    return Contents(
        source=printable(index), sha256=sha256, container="shards", wrapper=None, tensors=tensors
    )


def contents_of(opened: Opened, *, key: str | None = None) -> Contents:
    """Return the tensors of an opened checkpoint file.

    Raises:
        InputError: as for :func:`read_contents`.
    """
    source, data = opened.source, opened.data
    if data.startswith(b"PK") and looks_like_npz(opened):
        _refuse_key(source, key, "an archive of arrays")
        return Contents(
            source=source,
            sha256=opened.sha256,
            container="npz",
            wrapper=None,
            tensors=require_flat(_some(load_npz(opened), source), source=source),
        )
    if data.startswith(b"PK"):
        tensors, wrapper, notes = unwrap(load_pickled(opened), key=key, source=source)
        return Contents(
            source=source,
            sha256=opened.sha256,
            container="torch",
            wrapper=wrapper,
            tensors=tensors,
            notes=notes,
        )
    if not source.endswith(".safetensors") and not looks_like_safetensors(data):
        raise InputError(_refusal(source, data))
    found, metadata = load_safetensors(opened)
    _refuse_key(source, key, "a safetensors file")
    return Contents(
        source=source,
        sha256=opened.sha256,
        container="safetensors",
        wrapper=None,
        tensors=require_flat(_some(found, source), source=source),
        metadata=metadata,
    )


def _refuse_key(source: str, key: str | None, what: str) -> None:
    if key is not None:
        raise InputError(f"{source} is {what} and has no entry {printable(key)}")


def _some(tensors: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    if not tensors:
        raise InputError(f"{source} holds no tensors")
    return tensors


def _refusal(source: str, data: bytes) -> str:
    if not data:
        return f"{source} is empty"
    if source.endswith(".onnx"):
        return f"{source} is an ONNX graph, which names no parameters of a torch module; {REMEDY}"
    # A pickle starts with its protocol; an archive of torch before 1.0 is a tar file.
    if data[:1] == b"\x80" or data[257:262] == b"ustar":
        return (
            f"{source} is a bare pickle or a file of torch before 1.6; load it where you trust it "
            f"and {REMEDY}"
        )
    return f"{source} is neither a file of torch.save nor safetensors nor .npz; {REMEDY}"
