"""What the prior takes from the certificate part is paid for, refused, or somebody's word."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pacbayes.data import load_data
from pacbayes.errors import UnsoundError
from pacbayes.models import build_model
from pacbayes.pipeline import certify
from tests.pipeline.requests import find_levels, foreign_files, small_certify


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tickets that have seen all examples."""
    return find_levels(tmp_path_factory.mktemp("everything"), split=0.0)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as a user's own file, in numbers from 0 to 100."""
    path = tmp_path_factory.mktemp("archive") / "digits.npz"
    train = load_data("digits").train
    pixels = (100 * train.inputs).reshape(len(train), 64).numpy().astype(np.float32)
    np.savez(path, x=pixels, y=train.labels.numpy())
    return path


def document(path: Path, out: Path, **changes: Any) -> dict[str, Any]:
    certify(small_certify(path, out, epochs=1, **changes))
    found: dict[str, Any] = json.loads((out / "certificate.json").read_text())
    return found


def status(found: dict[str, Any], *conditions: str) -> list[str]:
    by_id = {entry["id"]: entry["status"] for entry in found["conditions"]}
    return [by_id[condition] for condition in conditions]


def test_the_density_of_a_foreign_mask_is_paid_for(everything: Path, tmp_path: Path) -> None:
    """A fresh prior takes its density from a mask that has seen everything."""
    files = foreign_files(tmp_path / "files", everything)
    options = {"split": 0.5, "prior": "split"}
    masked = document(files["model"], tmp_path / "a", mask=files["mask"], **options)
    entries = 64 * 20 + 20 * 10
    assert [entry["choices"] for entry in masked["union"]] == [entries + 1]
    torch.save(
        build_model("mlp:64-20-10", in_shape=(1, 8, 8), classes=10, seed=2).state_dict(),
        tmp_path / "dense.pt",
    )
    assert document(tmp_path / "dense.pt", tmp_path / "b", **options)["union"] == []


def test_what_rests_on_the_users_word_is_not_called_checked(
    everything: Path, tmp_path: Path
) -> None:
    files = foreign_files(tmp_path / "files", everything)
    found = document(
        files["model"], tmp_path / "a", mask=files["mask"], trained_on="none", prior="split"
    )
    assert status(found, "V1", "V2", "V3", "V4") == ["declared"] * 4
    known = document(everything / "level_02", tmp_path / "b", split=0.5, prior="split")
    assert status(known, "V1", "V2", "V3", "V4") == ["checked"] * 4


def test_a_number_of_draws_given_by_the_user_is_declared(everything: Path, tmp_path: Path) -> None:
    """Nothing shows that it was not chosen after the counts of another number."""
    level = everything / "level_00"
    assert status(document(level, tmp_path / "a", draws=2), "V15") == ["declared"]
    assert status(document(level, tmp_path / "b", draws=None), "V15") == ["checked"]


def test_preprocessing_of_the_users_own_data_is_declared(archive: Path, tmp_path: Path) -> None:
    data = f"npz:{archive}"
    run = find_levels(tmp_path / "run", data=data)
    found = document(run / "level_02", tmp_path / "out", data=data)
    assert status(found, "V6", "V10") == ["declared"] * 2


def test_constants_of_the_search_cannot_be_dropped_unpaid(archive: Path, tmp_path: Path) -> None:
    """Statistics of all examples shape the prior's weights, whatever is certified later."""
    data = f"npz:{archive}"
    run = find_levels(tmp_path / "run", data=data, normalize="30.5,37.6")
    with pytest.raises(UnsoundError, match="normalize") as caught:
        document(run / "level_02", tmp_path / "a", data=data)
    assert {problem.condition for problem in caught.value.problems} == {"V6"}
    found = document(run / "level_02", tmp_path / "b", data=data, normalize="30.5,37.6")
    assert [entry["choices"] for entry in found["union"]] == [1000 * 1000]


def test_one_constant_for_many_features_can_be_declared(archive: Path, tmp_path: Path) -> None:
    data = f"npz:{archive}"
    run = find_levels(tmp_path / "run", data=data, normalize="30,40")
    word = {"V6": "as the paper has them"}
    found = document(run / "level_02", tmp_path / "out", data=data, normalize="30,40", declare=word)
    assert found["union"] == []
    assert status(found, "V6") == ["declared"]


def test_a_fresh_prior_of_other_initial_weights_is_not_reused(
    everything: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same words may name another network in a later run."""
    module = tmp_path / "mynet.py"
    source = """
import torch
from torch import nn

def net():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    with torch.no_grad():
        model[1].weight.mul_(FACTOR)
    return model
"""
    monkeypatch.syspath_prepend(tmp_path)
    digests = []
    for factor in ("1.0", "2.25"):
        module.write_text(source.replace("FACTOR", factor))
        monkeypatch.delitem(sys.modules, "mynet", raising=False)
        options = {"model": "mynet:net", "split": 0.5, "prior": "split", "force": True}
        checkpoint = tmp_path / "weights.pt"
        if not checkpoint.exists():
            net = build_model("mynet:net", in_shape=(1, 8, 8), classes=10, seed=3)
            torch.save(net.state_dict(), checkpoint)
        found = document(checkpoint, tmp_path / "out", **options)
        digests.append(found["prior"]["sha256"])
    assert digests[0] != digests[1]


def test_buffers_that_no_file_records_are_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shifted.py").write_text("""
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.register_buffer("shift", torch.full((64,), 0.3), persistent=False)
    def forward(self, x):
        return self.layer(x.flatten(1) - self.shift)
""")
    monkeypatch.syspath_prepend(tmp_path)
    model = build_model("shifted:Net", in_shape=(1, 8, 8), classes=10, seed=1)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    found = document(tmp_path / "weights.pt", tmp_path / "out", model="shifted:Net", prior="zero")
    entry = next(entry for entry in found["conditions"] if entry["id"] == "V5")
    assert entry["status"] == "declared"
    assert "shift" in entry["note"]


def test_a_refused_run_leaves_no_certificate_of_an_earlier_one(
    everything: Path, tmp_path: Path
) -> None:
    level, out = everything / "level_02", tmp_path / "out"
    document(level, out, dense=True)
    assert (out / "dense.certificate.json").exists()
    with pytest.raises(UnsoundError):
        document(level, out, prior="split", force=True)
    assert not list(out.glob("*certificate.json"))
