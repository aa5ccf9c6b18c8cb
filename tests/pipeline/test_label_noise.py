"""A ticket found under label noise is certified on the same noisy labels."""

from dataclasses import replace
from pathlib import Path

import pytest

from pacbayes.checkpoints import read_ticket
from pacbayes.errors import InputError
from pacbayes.pipeline import certify
from pacbayes.runtime.folders import write_ticket
from tests.pipeline.requests import find_levels, small_certify


def test_the_recipe_is_applied_again_and_named(tmp_path: Path) -> None:
    clean = find_levels(tmp_path / "clean")
    noisy = find_levels(tmp_path / "noisy", label_noise="0.4")
    (without,) = certify(small_certify(clean / "level_02", tmp_path / "a"))
    (found,) = certify(small_certify(noisy / "level_02", tmp_path / "b"))
    data = found.certificate.document["data"]
    assert data["label_noise"] == {"fraction": "0.4", "seed": 1}
    assert data["items_sha256"] != without.certificate.document["data"]["items_sha256"]
    # 0.36 of the labels are wrong and nobody can predict them: the risk says so.
    counts = found.certificate.document["mc"]
    assert counts["errors"] / counts["trials"] > 0.3


def test_a_ticket_without_its_recipe_is_refused(tmp_path: Path) -> None:
    noisy = find_levels(tmp_path / "noisy", label_noise="0.4")
    ticket = read_ticket(noisy / "level_02")
    write_ticket(tmp_path / "bare", replace(ticket, notes={}))
    with pytest.raises(InputError, match="other training data"):
        certify(small_certify(tmp_path / "bare", tmp_path / "out"))
