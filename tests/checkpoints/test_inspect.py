"""What ``inspect`` says about every kind of file."""

import json
from pathlib import Path

import pytest
import torch

from pacbayes.checkpoints import TensorFacts, inspect, read_ticket
from pacbayes.errors import InputError
from pacbayes.runtime.files import write_json, write_tensors
from pacbayes.runtime.folders import write_ticket
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket

WEIGHTS = {"fc.weight": torch.tensor([[1.0, 0.0], [0.0, 4.0]]), "fc.bias": torch.ones(2).half()}


def test_checkpoint(tmp_path: Path) -> None:
    state = {"module." + name: tensor for name, tensor in WEIGHTS.items()}
    torch.save({"model": {**state, "module.steps": torch.tensor(3)}}, tmp_path / "a.pt")
    found = inspect(tmp_path / "a.pt")
    assert (found.kind, found.format) == ("checkpoint", "wrapped state dict")
    assert (found.wrapper, found.prefix) == ("model", "module.")
    assert found.tensors == (
        TensorFacts(name="fc.weight", role="parameter", shape=(2, 2), dtype="float32", density=0.5),
        TensorFacts(name="fc.bias", role="parameter", shape=(2,), dtype="float16", density=1.0),
        TensorFacts(name="steps", role="buffer", shape=(), dtype="int64", density=1.0),
    )
    assert found.buffers == ("steps",)
    assert found.problems == ()
    assert len(found.missing) == 2
    text = found.to_text()
    for word in ("module.", "fc.weight", "2x2", "density 0.5000", "provenance is unknown"):
        assert word in text
    value = json.loads(found.to_json_text())
    assert value["tensors"][0]["shape"] == [2, 2]
    assert value["sha256"] == found.sha256


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_values_that_are_not_finite_are_shown_then_refused(
    tmp_path: Path, bad: float, suffix: str
) -> None:
    state = {"a": torch.ones(2), "b": torch.tensor([[1.0, 2.0], [bad, bad]])}
    path = tmp_path / f"a.{suffix}"
    torch.save(state, path) if suffix == "pt" else write_tensors(path, state)
    found = inspect(path)
    assert found.problems == (f"parameter b[1, 0] is {bad}",)
    assert "problem  parameter b[1, 0]" in found.to_text()
    assert json.loads(found.to_json_text())["problems"] == list(found.problems)
    with pytest.raises(InputError, match=r"b\[1, 0\]"):
        found.require_finite()
    with pytest.raises(InputError, match=r"b\[1, 0\]"):
        read_ticket(path)


def test_finite_values_are_fine(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", WEIGHTS)
    found = inspect(tmp_path / "a.safetensors")
    found.require_finite()
    assert found.problems == ()


def test_ticket_folder(tmp_path: Path) -> None:
    mask = Mask({"w": torch.tensor([[True, False]])})
    ticket = Ticket(
        init={"w": torch.ones(1, 2)},
        mask=mask,
        trained={"w": torch.tensor([[2.0, 0.0]])},
        provenance=Provenance(trained=IndexSet.of([1, 2], total=5)),
        level=3,
    )
    write_ticket(tmp_path, ticket)
    found = inspect(tmp_path)
    assert (found.kind, found.sha256) == ("ticket", ticket.digest)
    assert [(t.role, t.density) for t in found.tensors] == [
        ("parameter", 0.5),
        ("init", 1.0),
        ("mask", 0.5),
    ]
    assert found.facts == {"level": 3, "density": "0.500000"}
    assert found.missing == ()
    assert "trained: saw 2 examples" in found.notes
    assert "mask: unknown provenance" in found.notes
    json.loads(found.to_json_text())


def test_posterior(tmp_path: Path) -> None:
    tensors = {"mean/w": torch.zeros(1, 2), "scale/w": torch.ones(1, 2),
               "inclusion/w": torch.tensor([[1.0, 0.0]])}  # fmt: skip
    path = tmp_path / "posterior.safetensors"
    write_tensors(path, tensors, {"schema": "pacbayes/posterior/1"})
    found = inspect(path)
    assert found.kind == "posterior"
    assert {t.role for t in found.tensors} == {"mean", "scale", "mask"}
    with pytest.raises(InputError, match="is a posterior"):
        read_ticket(path)


@pytest.mark.parametrize("kind", ["certificate", "posterior", "ticket", "find"])
def test_documents(tmp_path: Path, kind: str) -> None:
    value = {"schema": f"pacbayes/{kind}/1", "name": "a\x1b[31m", "claim": {"risk_upper": "0.25"}}
    write_json(tmp_path / "a.json", value)
    found = inspect(tmp_path / "a.json")
    assert found.kind == kind
    assert found.facts["claim.risk_upper"] == "0.25"
    assert "\x1b" not in found.to_text()
    assert "\x1b" not in found.to_json_text()
    with pytest.raises(InputError):
        read_ticket(tmp_path / "a.json")


@pytest.mark.parametrize(
    "text", ["{}", '{"schema": 3}', '{"schema": "pacbayes/x/1"}', '{"schema": "other/ticket/1"}',
             "[]", '{"a": 1, "a": 2}', "{", '{"schema": "pacbayes/find/1", "a": Infinity}']
)  # fmt: skip
def test_documents_of_others(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError):
        inspect(tmp_path / "a.json")
