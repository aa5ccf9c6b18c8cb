"""A plan becomes one certify for each ticket, each at its share of delta."""

from fractions import Fraction
from pathlib import Path

import click
import pytest

from pacbayes.cli.options import Bytes
from pacbayes.cli.sweep import commands_of
from pacbayes.errors import InputError

PLAN = """
delta = "0.05"
out = "OUT"
[options]
model = "lenet300"
model_args = ["a=1", "b=2"]
[tickets]
dense = { path = "RUN/level_00" }
thin = { path = "RUN/level_14", slack = 0.001, all_data = true, quick = false }
odd = { path = "x.pt" }
"""


def plan_file(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def test_every_ticket_gets_its_share_of_delta(tmp_path: Path) -> None:
    dense, thin, odd = commands_of(plan_file(tmp_path, PLAN))
    common = ["--model", "lenet300", "--model-args", "a=1", "--model-args", "b=2"]
    share = "0.016666666666"
    end = ["--delta", share, "--out", "OUT/dense", "--name", "dense"]
    assert dense == ["certify", "RUN/level_00", *common, *end]
    assert thin[2:-6] == [*common, "--slack", "0.001", "--all-data"]
    assert odd[1] == "x.pt"
    assert 3 * Fraction(share) <= Fraction("0.05") < 3 * (Fraction(share) + Fraction(1, 10**12))


@pytest.mark.parametrize(
    "text",
    [
        "delta =",
        "delta = '0.05'",
        PLAN.replace('"0.05"', '"half"'),
        PLAN.replace('"0.05"', '"2"'),
        PLAN.replace('path = "x.pt"', 'file = "x.pt"'),
        PLAN.replace("slack = 0.001", 'delta = "0.1"'),
        PLAN + "\n[more]\nx = 1",
        PLAN[: PLAN.index("dense")],
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        commands_of(plan_file(tmp_path, text))


@pytest.mark.parametrize(("text", "bytes_"), [("600M", 600_000_000), ("2g", 2 * 10**9), ("7", 7)])
def test_numbers_of_bytes(text: str, bytes_: int) -> None:
    assert Bytes().convert(text, None, None) == bytes_


@pytest.mark.parametrize("text", ["", "M", "1.5G", "-3", "0", "many"])
def test_what_is_no_number_of_bytes(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Bytes().convert(text, None, None)
