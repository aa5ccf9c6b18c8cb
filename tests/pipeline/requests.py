"""Small real requests: digits, a small network, a few epochs."""

from pathlib import Path
from typing import Any

import torch

from pacbayes.checkpoints import read_ticket
from pacbayes.models import build_model
from pacbayes.pipeline import CertifyRequest, FindRequest, find
from pacbayes.pruning import FindPlan, TrainPlan

MODEL, DATA = "mlp:64-20-10", "digits"


def small_find(out: Path, **changes: Any) -> FindRequest:
    plan = FindPlan(train=TrainPlan(epochs=8, lr=0.1, batch_size=50), levels=2)
    options = {"model": MODEL, "data": DATA, "out": out, "plan": plan, "quiet": True}
    return FindRequest(**{**options, **changes})


def small_certify(path: Path, out: Path, **changes: Any) -> CertifyRequest:
    options = {
        "path": path,
        "model": MODEL,
        "data": DATA,
        "out": out,
        "epochs": 2,
        "prior_epochs": 8,
        "draws": 2,
        "quiet": True,
    }
    return CertifyRequest(**{**options, **changes})


def foreign_files(folder: Path, run: Path) -> dict[str, Path]:
    """Write weights, init and mask of a ticket as another tool would: plain state dicts."""
    ticket = read_ticket(run / "level_02")
    files = {name: folder / f"{name}.pt" for name in ("model", "init", "mask")}
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(ticket.trained, files["model"])
    torch.save(ticket.init, files["init"])
    torch.save({name: m.to(torch.int32) for name, m in ticket.mask.items()}, files["mask"])
    return files


def find_levels(out: Path, **changes: Any) -> Path:
    find(small_find(out, **changes))
    return out


def network() -> torch.nn.Module:
    return build_model(MODEL, in_shape=(1, 8, 8), classes=10, args={}, seed=1)
