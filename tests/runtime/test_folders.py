"""Ticket folders are written whole, the record last."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pacbayes.errors import WriteError
from pacbayes.runtime import folders
from pacbayes.runtime.files import sha256_file
from pacbayes.runtime.folders import ticket_exists, write_ticket
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket


def make_ticket(*, init: bool = True, buffers: bool = True, level: int = 3) -> Ticket:
    weights = {"fc.weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "fc.bias": torch.ones(2)}
    mask = Mask({"fc.weight": torch.tensor([[True, False], [True, True]])})
    return Ticket(
        init=weights if init else None,
        mask=mask,
        trained=mask.apply({k: 2 * t for k, t in weights.items()}),
        buffers={"bn.running_mean": torch.zeros(2)} if buffers else {},
        provenance=Provenance(
            data="ab" * 32, init=IndexSet.none(6), mask=IndexSet.of([4, 1], total=6)
        ),
        model="mlp:2-2",
        level=level,
        dense="cd" * 32,
        notes={"epochs": 2},
    )


def test_all_parts_and_their_digests_are_there(tmp_path: Path) -> None:
    ticket = make_ticket()
    folder = tmp_path / "run" / "level_03"
    assert not ticket_exists(folder)
    write_ticket(folder, ticket)
    assert ticket_exists(folder)
    assert sorted(os.listdir(folder)) == [
        "buffers.safetensors",
        "init.safetensors",
        "mask.safetensors",
        "ticket.json",
        "trained.safetensors",
    ]
    record = json.loads((folder / "ticket.json").read_text())
    assert set(record["files"]) == set(os.listdir(folder)) - {"ticket.json"}
    assert all(sha256_file(folder / name) == digest for name, digest in record["files"].items())
    assert record["digest"] == ticket.digest
    assert (record["level"], record["dense"], record["model"]) == (3, "cd" * 32, "mlp:2-2")
    assert record["notes"] == {"epochs": 2}
    seen = record["provenance"]
    assert seen["data"] == "ab" * 32
    assert IndexSet.from_json(seen["mask"]) == IndexSet.of([1, 4], total=6)
    assert IndexSet.from_json(seen["init"]) == IndexSet.none(6)
    assert seen["trained"] is None
    assert seen["buffers"] is None
    mask = load_file(folder / "mask.safetensors")
    assert mask["fc.weight"].dtype == torch.bool
    assert mask["fc.weight"].tolist() == [[True, False], [True, True]]


def test_a_new_ticket_leaves_no_part_of_the_old_one(tmp_path: Path) -> None:
    write_ticket(tmp_path, make_ticket())
    write_ticket(tmp_path, make_ticket(init=False, buffers=False))
    assert sorted(os.listdir(tmp_path)) == [
        "mask.safetensors",
        "ticket.json",
        "trained.safetensors",
    ]


def test_the_same_ticket_leaves_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_ticket(tmp_path / name, make_ticket())
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_fault_at_any_file_leaves_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = folders.write_tensors
    for fail_at in range(4):
        write_ticket(tmp_path, make_ticket(level=1))
        written: list[str] = []

        def faulty(
            path: Path, *args: object, written: list[str] = written, fail_at: int = fail_at
        ) -> None:
            if len(written) == fail_at:
                raise WriteError("disk full")
            written.append(path.name)
            real(path, *args)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(folders, "write_tensors", faulty)
            with pytest.raises(WriteError):
                write_ticket(tmp_path, make_ticket(level=2))
        assert not ticket_exists(tmp_path)
