"""Real networks from search to certificate, on small pictures."""

import json
from pathlib import Path
from typing import Any

import pytest

from pacbayes.certificate import verify
from pacbayes.checkpoints import read_ticket
from pacbayes.models import build_model
from pacbayes.pipeline import certify
from pacbayes.pruning import FindPlan, TrainPlan
from tests.pipeline.requests import find_levels, small_certify

CHANCE = 0.9


def certificates(
    tmp_path: Path, model: str, *, epochs: int, args: dict[str, str] | None = None, **changes: Any
) -> dict[str, dict[str, Any]]:
    """Return the certificates of a ticket at density 0.3 and of its dense twin."""
    plan = FindPlan(
        train=TrainPlan(epochs=epochs, lr=0.1, batch_size=25, warmup=30),
        method="one-shot",
        levels=1,
        fraction=0.7,
    )
    options = {"model": model, "model_args": args or {}}
    run = find_levels(tmp_path / "run", plan=plan, **options)
    out = tmp_path / "out"
    request = {"dense": True, "epochs": 1, "draws": 1, **options, **changes}
    certify(small_certify(run / "level_01", out, **request))
    found = {}
    for role, name in (("ticket", "certificate.json"), ("dense", "dense.certificate.json")):
        assert verify(out / name).accepted
        found[role] = json.loads((out / name).read_text())
    return found


def check(found: dict[str, dict[str, Any]], model: str, **args: str) -> None:
    """Every parameter is charged, the mask is free, and the bound beats guessing."""
    network = build_model(model, in_shape=(1, 8, 8), classes=10, args=args, seed=1)
    names = {name for name, _ in network.named_parameters()}
    for document in found.values():
        assert {t["name"] for t in document["posterior"]["tensors"]} == names
        assert document["prior"]["mask"]["price"] == "free"
        assert document["data"]["n"] == 750
        assert float(document["claim"]["risk_upper"]) < CHANCE
    kept = {
        role: sum(t["n_active"] for t in document["posterior"]["tensors"])
        for role, document in found.items()
    }
    assert kept["ticket"] < 0.35 * kept["dense"]


@pytest.mark.slow
def test_conv2(tmp_path: Path) -> None:
    check(certificates(tmp_path, "conv2", epochs=3), "conv2")


@pytest.mark.slow
def test_a_ticket_of_resnet20_with_batch_norm(tmp_path: Path) -> None:
    found = certificates(tmp_path, "resnet20", epochs=8)
    check(found, "resnet20")
    shortcuts = [t for t in found["ticket"]["posterior"]["tensors"] if "shortcut" in t["name"]]
    assert len(shortcuts) == 6
    ticket = read_ticket(tmp_path / "run" / "level_01")
    assert len([name for name in ticket.buffers if name.endswith("running_var")]) == 21


@pytest.mark.slow
def test_resnet20_with_group_norm(tmp_path: Path) -> None:
    args = {"norm": "group"}
    found = certificates(tmp_path, "resnet20", epochs=8, args=args)
    check(found, "resnet20", **args)
    assert all(
        entry["status"] == "n/a" for d in found.values() for entry in d["conditions"]
        if entry["id"] == "V5"
    )  # fmt: skip


@pytest.mark.slow
def test_resnet20_folded(tmp_path: Path) -> None:
    found = certificates(tmp_path, "resnet20", epochs=8, batchnorm="fold", prior="split")
    names = {t["name"] for t in found["ticket"]["posterior"]["tensors"]}
    # 22 weights, as many biases, and no gain or shift of its own
    assert len(names) == 44
    assert not any(".bn" in name or name.startswith("bn") for name in names)
    assert float(found["ticket"]["claim"]["risk_upper"]) < CHANCE
