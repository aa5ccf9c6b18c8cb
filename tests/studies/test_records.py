"""The committed records: accepted, below what was published, each with its recipe."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from pacbayes.certificate import verify
from pacbayes.cli.study import study
from pacbayes.errors import UsageError
from pacbayes.studies.records import RECORDS, RecordRequest, run_records

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "records"
FILES = sorted(FOLDER.glob("*.json"))

# The best published number for the same task; the lowest sparsity that the record is claimed at.
PUBLISHED = {
    "mnist-init-sparse": (Decimal("0.3155"), 0.8),
    "mnist-init-dense": (Decimal("0.3155"), 0.0),
    "mnist-hard-mask": (Decimal("0.31"), 0.9),
    "cifar10-init": (Decimal("0.7412"), 0.9),
    # As printed (dense), which is not valid; a rerun with valid shares found 0.3881.
    "cifar10-split": (Decimal("0.1667"), 0.9),
    "mnist-code": (Decimal("0.116"), 0.0),
    "mnist-split": (Decimal("0.0155"), 0.95),
    "mnist-split-one": (Decimal("0.0123"), 0.95),
}


def test_every_record_has_a_recipe_and_a_published_number() -> None:
    made = {target for recipe in RECORDS.values() for target in recipe.files.values()}
    assert made == set(PUBLISHED)
    assert {path.stem for path in FILES} <= made
    assert len(FILES) >= 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_record_is_accepted_and_below_what_was_published(path: Path) -> None:
    assert verify(path).accepted
    document = json.loads(path.read_text(encoding="utf-8"))
    published, sparsity = PUBLISHED[path.stem]
    assert Decimal(document["claim"]["risk_upper"]) < published
    assert Decimal(document["claim"]["delta_total"]) <= Decimal("0.05")
    paid = {entry["purpose"]: entry["choices"] for entry in document["union"]}
    assert paid["priors tried"] == 1000
    weights = [t for t in document["posterior"]["tensors"] if len(t["shape"]) > 1]
    kept = sum(t["n_active"] for t in weights) / sum(t["n_weights"] for t in weights)
    assert kept <= 1 - sparsity


def test_what_was_compared_is_declared_in_every_record() -> None:
    for path in FILES:
        conditions = json.loads(path.read_text(encoding="utf-8"))["conditions"]
        note = next(c for c in conditions if c["id"] == "V11")
        assert "compared" in note["note"]
        earlier = next(c for c in conditions if c["id"] == "V16")
        assert earlier["by"] == "user"
        assert "other certificates" in earlier["note"]


def test_an_unknown_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no record 'mnits'"):
        run_records(RecordRequest(out=tmp_path), only=("mnits",))


def test_the_command_lists_its_options() -> None:
    shown = CliRunner().invoke(study, ["records", "--help"])
    assert shown.exit_code == 0
    assert "--only" in shown.output
