"""Our own folders: read back whole, or refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pacbayes.checkpoints import inspect, read_ticket
from pacbayes.errors import InputError, UsageError
from pacbayes.runtime.folders import write_ticket
from pacbayes.tickets import IndexSet, Mask, Provenance, Ticket


def make_ticket(**changes: Any) -> Ticket:
    init = {"fc.weight": torch.arange(6.0).reshape(2, 3) + 1, "fc.bias": torch.zeros(2)}
    mask = Mask({"fc.weight": torch.tensor([[True, False, True], [True, True, False]])})
    seen = IndexSet.of([0, 3, 4], total=10)
    fields: dict[str, Any] = {
        "init": init,
        "mask": mask,
        "trained": mask.apply({name: 2 * tensor for name, tensor in init.items()}),
        "buffers": {"table": torch.arange(3)},
        "provenance": Provenance(data="d" * 64, init=IndexSet.none(10), mask=seen, trained=seen),
        "model": "mlp:3-2",
        "level": 2,
        "dense": "e" * 64,
        "notes": {"seed": 1, "method": "iterative"},
    }
    return Ticket(**{**fields, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_ticket(tmp_path / "level_02", make_ticket())
    return tmp_path / "level_02"


@pytest.mark.parametrize(
    "changes",
    [{}, {"init": None}, {"buffers": {}}, {"model": None, "dense": None, "level": 0, "notes": {}},
     {"provenance": Provenance()}],
)  # fmt: skip
def test_round_trip(tmp_path: Path, changes: dict[str, Any]) -> None:
    ticket = make_ticket(**changes)
    write_ticket(tmp_path / "t", ticket)
    found = read_ticket(tmp_path / "t")
    assert found.digest == ticket.digest
    for name in ("provenance", "model", "level", "dense", "notes", "mask"):
        assert getattr(found, name) == getattr(ticket, name)


def test_fits_its_network(folder: Path) -> None:
    shapes = {"fc.weight": (2, 3), "fc.bias": (2,)}
    read_ticket(folder, parameter_shapes=shapes, buffer_names=["table"])
    with pytest.raises(InputError, match="unexpected table"):
        read_ticket(folder, parameter_shapes=shapes)
    with pytest.raises(InputError, match=r"missing head\.weight"):
        read_ticket(folder, parameter_shapes={**shapes, "head.weight": (2, 2)})


@pytest.mark.parametrize("part", ["init", "mask", "trained", "buffers"])
def test_a_changed_file_is_refused(folder: Path, part: str) -> None:
    path = folder / f"{part}.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=rf"{part}\.safetensors has changed"):
        read_ticket(folder)
    path.unlink()
    with pytest.raises(InputError, match=rf"{part}\.safetensors cannot be read"):
        inspect(folder)


def test_files_of_two_tickets_do_not_mix(tmp_path: Path, folder: Path) -> None:
    other = make_ticket(init={"fc.weight": torch.ones(2, 3), "fc.bias": torch.zeros(2)})
    write_ticket(tmp_path / "other", other)
    (folder / "init.safetensors").write_bytes((tmp_path / "other/init.safetensors").read_bytes())
    with pytest.raises(InputError, match="has changed"):
        read_ticket(folder)


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "schema": lambda r: r.update(schema="pacbayes/ticket/2"),
    "no schema": lambda r: r.pop("schema"),
    "digest": lambda r: r.update(digest="0" * 64),
    "level": lambda r: r.update(level=-1),
    "level true": lambda r: r.update(level=True),
    "level text": lambda r: r.update(level="2"),
    "model": lambda r: r.update(model=3),
    "dense": lambda r: r.update(dense=[]),
    "notes": lambda r: r.update(notes=[]),
    "files": lambda r: r.update(files=[]),
    "files without mask": lambda r: r["files"].pop("mask.safetensors"),
    "files without init": lambda r: r["files"].pop("init.safetensors"),
    "file elsewhere": lambda r: r["files"].update({"../trained.safetensors": "0" * 64}),
    "file digest": lambda r: r["files"].update({"init.safetensors": 3}),
    "unknown field": lambda r: r.update(extra=1),
    "missing field": lambda r: r.pop("provenance"),
    "provenance": lambda r: r.update(provenance=None),
    "provenance data": lambda r: r["provenance"].update(data=3),
    "provenance unknown": lambda r: r["provenance"].update(labels=None),
    "provenance totals": lambda r: r["provenance"].update(init=IndexSet.none(9).to_json()),
    "provenance count": lambda r: r["provenance"]["mask"].update(count=4),
    "provenance digest": lambda r: r["provenance"]["mask"].update(sha256="0" * 64),
    "provenance list": lambda r: r["provenance"].update(mask=[0, 3, 4]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_record_is_refused(folder: Path, name: str) -> None:
    record = json.loads((folder / "ticket.json").read_text())
    CHANGES[name](record)
    (folder / "ticket.json").write_text(json.dumps(record))
    with pytest.raises(InputError) as caught:
        read_ticket(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"schema": 1, "schema": 1}', '{"level": NaN}', "\ufeff{}", "{} {}",
             '{"a":' * 100_000]
)  # fmt: skip
def test_a_malformed_record_is_refused(folder: Path, text: str) -> None:
    (folder / "ticket.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read_ticket(folder)
    assert str(caught.value).isprintable()


def test_an_interrupted_folder_is_refused(folder: Path) -> None:
    (folder / "ticket.json").unlink()
    with pytest.raises(InputError, match="interrupted"):
        read_ticket(folder)


def test_a_run_is_not_a_ticket(folder: Path) -> None:
    with pytest.raises(InputError, match="level_02"):
        read_ticket(folder.parent)


def test_options_for_files_do_not_go_with_a_folder(folder: Path) -> None:
    for option in ({"init": folder}, {"mask": folder}, {"key": "m"}, {"mask_from_zeros": True}):
        with pytest.raises(UsageError):
            read_ticket(folder, **option)


def test_running_statistics_in_a_folder(tmp_path: Path) -> None:
    ticket = make_ticket(buffers={"bn.running_mean": torch.arange(2.0)})
    write_ticket(tmp_path / "t", ticket)
    assert torch.equal(read_ticket(tmp_path / "t").buffers["bn.running_mean"], torch.arange(2.0))


def test_parts_of_a_folder_serve_as_foreign_files(folder: Path) -> None:
    whole = read_ticket(folder)
    ticket = read_ticket(
        folder / "trained.safetensors",
        init=folder / "init.safetensors",
        mask=folder / "mask.safetensors",
    )
    assert ticket.mask == whole.mask
    assert ticket.provenance == Provenance()
    assert ticket.init is not None
    assert torch.equal(ticket.init["fc.weight"], make_ticket().init["fc.weight"])  # type: ignore[index]
