"""Only regular files are opened, and what was hashed is what is read."""

import hashlib
import os
from pathlib import Path

import pytest
import torch

from pacbayes.checkpoints import inspect, read_ticket
from pacbayes.checkpoints.opening import open_file, printable
from pacbayes.errors import InputError


def test_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pt")
    for read in (read_ticket, inspect):
        with pytest.raises(InputError, match="not a regular file"):
            read(tmp_path / "a.pt")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom"])
def test_devices(device: str) -> None:
    with pytest.raises(InputError, match="not a regular file"):
        read_ticket(Path(device))


@pytest.mark.parametrize("name", ["missing.pt", "nul\0.pt", "x" * 300, "bell\a.pt", "line\nbreak"])
def test_paths_that_lead_nowhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_ticket(tmp_path / name)
    assert str(caught.value).isprintable()


def test_folder_as_option(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2, 2)}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="not a regular file"):
        read_ticket(tmp_path / "a.pt", mask=tmp_path)


def test_symbolic_links_are_followed_and_dangling_ones_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2, 2)}, tmp_path / "a.pt")
    (tmp_path / "link.pt").symlink_to(tmp_path / "a.pt")
    (tmp_path / "dangling.pt").symlink_to(tmp_path / "b.pt")
    digest = read_ticket(tmp_path / "a.pt").digest
    assert read_ticket(tmp_path / "link.pt").digest == digest
    with pytest.raises(InputError, match="no such file"):
        read_ticket(tmp_path / "dangling.pt")


def test_digest_is_that_of_the_file(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2, 2)}, tmp_path / "a.pt")
    opened = open_file(tmp_path / "a.pt")
    assert opened.data == (tmp_path / "a.pt").read_bytes()
    assert opened.sha256 == hashlib.sha256(opened.data).hexdigest()
    source = read_ticket(tmp_path / "a.pt").notes["source"]
    assert source["sha256"] == opened.sha256


def test_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"x")
    (tmp_path / "a.pt").chmod(0)
    if os.access(tmp_path / "a.pt", os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InputError, match="permission denied"):
        read_ticket(tmp_path / "a.pt")


def test_printable_leaves_plain_text_alone() -> None:
    assert printable("runs/level_03 (copy).pt") == "runs/level_03 (copy).pt"
    assert printable("a\x1b[31m") == "'a\\x1b[31m'"
