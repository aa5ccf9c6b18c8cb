"""Cases of the corpus: what goes on the command line, and what must come back."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pacbayes.cli.main import run

MODEL = "mlp:4-3-2"
Net = dict[str, Tensor]


def weights(seed: int = 0) -> Net:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"fc1.weight": (3, 4), "fc1.bias": (3,), "fc2.weight": (2, 3), "fc2.bias": (2,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def arrays(count: int = 80) -> dict[str, np.ndarray]:
    """Two clusters that a small network tells apart."""
    rng = np.random.default_rng(0)
    y = np.arange(count) % 2
    return {"x": (rng.normal(size=(count, 4)) + 3 * y[:, None]).astype(np.float32), "y": y}


@dataclass(frozen=True, kw_only=True)
class Site:
    """Good files that every case may use, and a folder of its own for the bad ones.

    Attributes:
        good: folder with ``data.npz``, ``run/level_01``, ``out/certificate.json``, ``model.pt``.
        folder: empty folder of the case.
    """

    good: Path
    folder: Path

    def write(self, name: str, data: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    @property
    def network(self) -> list[Any]:
        return ["--model", MODEL, "--data", f"npz:{self.good / 'data.npz'}", "-q"]

    def certify(self, path: Any, *options: Any, network: list[Any] | None = None) -> list[Any]:
        used = self.network if network is None else network
        out = ["--out", self.folder / "out", "--epochs", "1", "--draws", "1"]
        return ["certify", path, *used, *out, *options]

    def find(self, *options: Any, network: list[Any] | None = None) -> list[Any]:
        used = self.network if network is None else network
        return ["find", *used, "--levels", "1", "--epochs", "1", "--out", self.folder / "run",
                *options]  # fmt: skip


Make = Callable[[Site], list[Any]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One bad input.

    Attributes:
        kind: checkpoints, masks, data, parameters, models or certificates.
        name: what is wrong.
        make: writes the bad files and returns the command line.
        code: exit code that must come of it.
        match: pattern that the reason must contain.
    """

    kind: str
    name: str
    make: Make
    code: int
    match: str

    def says(self, text: str) -> bool:
        return re.search(self.match, text) is not None


class Corpus:
    """Collects the cases of one kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.cases: list[Case] = []

    def add(self, name: str, code: int, match: str, make: Make) -> None:
        self.cases.append(Case(kind=self.kind, name=name, make=make, code=code, match=match))


def make_good(folder: Path) -> None:
    """Fill a folder with good files, made by the program itself."""
    np.savez(folder / "data.npz", **arrays())
    torch.save(weights(), folder / "model.pt")
    site = Site(good=folder, folder=folder)
    level = folder / "run" / "level_01"
    for argv in (site.find("--momentum", "0"), site.certify(level)):
        if run([str(argument) for argument in argv]):
            raise RuntimeError(f"the good files could not be made: {argv}")
