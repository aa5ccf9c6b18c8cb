"""What is in a file: format, names, shapes, densities, and what is missing."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from pacbayes.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFacts:
    """One tensor of a file.

    Attributes:
        name: under its canonical name.
        role: ``parameter``, ``buffer``, ``init`` or ``mask``.
        shape: sizes of the axes.
        dtype: type of the entries in the file.
        density: fraction of entries that are not zero, in [0, 1]; None if they were not read.
        first_bad: index and value of the first NaN or infinite entry, empty if there is none.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    dtype: str
    density: float | None
    first_bad: str = ""

    @classmethod
    def of(cls, name: str, tensor: Tensor, *, role: str) -> "TensorFacts":
        """Return the facts of a tensor."""
        return cls(
            name=name,
            role=role,
            shape=tuple(tensor.shape),
            dtype=str(tensor.dtype).removeprefix("torch."),
            density=int(torch.count_nonzero(tensor)) / max(tensor.numel(), 1),
            first_bad=_first_bad(tensor),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found in a file or folder.

    Attributes:
        source: the path in printable form.
        kind: ``checkpoint``, ``run``, ``ticket``, ``posterior``, ``certificate`` or ``find``.
        format: how it is stored.
        sha256: digest of the file, or of the ticket in a folder.
        wrapper: key that the weights lay under, if any.
        prefix: what all names had before them.
        tensors: every tensor under its canonical name.
        missing: what a certificate would still need.
        notes: what else a reader should know.
        facts: fields of a document of ours.
    """

    source: str
    kind: str
    format: str
    sha256: str
    wrapper: str | None = None
    prefix: str = ""
    tensors: tuple[TensorFacts, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def buffers(self) -> tuple[str, ...]:
        """Names of the tensors that are no parameters."""
        return tuple(facts.name for facts in self.tensors if facts.role == "buffer")

    @property
    def problems(self) -> tuple[str, ...]:
        """Tensors with NaN or infinite entries, each with the first such index."""
        return tuple(f"{t.role} {t.name}{t.first_bad}" for t in self.tensors if t.first_bad)

    def require_finite(self) -> None:
        """Refuse NaN and infinite entries.

        Raises:
            InputError: names the first tensor and index, and how many tensors there are.
        """
        if self.problems:
            more = len(self.problems) - 1
            raise InputError(
                f"{self.source}: {self.problems[0]}" + (f", and {more} more tensors" * bool(more))
            )

    def to_json_text(self) -> str:
        """Return one JSON object with a final newline."""
        value = {**asdict(self), "buffers": self.buffers, "problems": self.problems}
        return json.dumps(value, sort_keys=True, indent=2, allow_nan=False) + "\n"

    def to_text(self) -> str:
        """Return lines for people, with a final newline."""
        head = [("path", self.source), ("kind", self.kind), ("format", self.format)]
        head += [("wrapper", self.wrapper or ""), ("prefix", self.prefix), ("sha256", self.sha256)]
        lines = [f"{label:8} {text}" for label, text in head if text]
        lines += [f"{label:8} {_shown(value)}" for label, value in self.facts.items()]
        lines += _table(self.tensors)
        lines += [f"{'missing':8} {text}" for text in self.missing]
        lines += [f"{'note':8} {text}" for text in self.notes]
        lines += [f"{'problem':8} {text}" for text in self.problems]
        return "\n".join(lines) + "\n"


def _table(tensors: tuple[TensorFacts, ...]) -> list[str]:
    rows = [(t.role, t.name, "x".join(map(str, t.shape)) or "()", t.dtype) for t in tensors]
    if not rows:
        return []
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        + ("  values not read" if facts.density is None else f"  density {facts.density:.4f}")
        for row, facts in zip(rows, tensors, strict=True)
    ]


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if text.isascii() and text.isprintable() else ascii(text)


def _first_bad(tensor: Tensor) -> str:
    if not tensor.is_floating_point():
        return ""
    finite = torch.isfinite(tensor)
    if bool(finite.all()):
        return ""
    where = torch.nonzero(~finite)[0].tolist()
    return f"{where} is {tensor[tuple(where)].item()}"
