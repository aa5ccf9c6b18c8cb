"""Every calculator of `pacbayes bound`, against the function that it is a name of."""

import json

import click.testing
import pytest

from pacbayes import bounds
from pacbayes.cli.bound import bound
from pacbayes.cli.calculators import CALCULATORS
from tests.cli.test_commands import run

GIBBS = "--risk 0.02 --kl 120 --n 30000"
EVIDENCE = {"risk": "0.02", "kl": 120, "n": 30000, "delta": "0.05"}
CHAIN = [
    bounds.Stage(n=60000, kl=900, risks=("0.1",)),
    bounds.Stage(n=30000, kl=50, risks=("0.99", "0.03", "0.01"), gamma="0.5"),
]
DRAWS = {"values": [12, 9, 15, 11], "delta": "0.05", "size": 1000}
DRAWN = {"risk": "3/250", "log_ratio": "-3.5", "n": 10000, "delta": "0.05"}

CASES = {
    "kl": (GIBBS, bounds.kl_bound(**EVIDENCE)),
    "kl ": (f"{GIBBS} --constant xi", bounds.kl_bound(**EVIDENCE, constant="xi")),
    "quad": (GIBBS, bounds.quad_bound(**EVIDENCE)),
    "mcallester": (GIBBS, bounds.mcallester_bound(**EVIDENCE)),
    "thiemann": (GIBBS, bounds.thiemann_bound(**EVIDENCE)),
    "thiemann ": (f"{GIBBS} --lam 0.7", bounds.thiemann_bound(**EVIDENCE, lam="0.7")),
    "rodriguez-galvez": (GIBBS, bounds.rodriguez_galvez_bound(**EVIDENCE)),
    "rodriguez-galvez ": (
        f"{GIBBS} --c 0.9 --gamma 1.5",
        bounds.rodriguez_galvez_bound(**EVIDENCE, c="0.9", gamma="1.5"),
    ),
    "catoni": (f"{GIBBS} --c 2", bounds.catoni_bound(**EVIDENCE, c=2)),
    "catoni-grid": (
        f"{GIBBS} --grid 0.5,1,2,4",
        bounds.catoni_grid_bound(**EVIDENCE, grid=["0.5", 1, 2, 4]),
    ),
    "vote": (GIBBS, bounds.vote_bound(gibbs=bounds.kl_bound(**EVIDENCE))),
    "split-kl": (
        "--values -0.5,0,0.5,1 --risks 0.99,0.02,0.01 --kl 100 --n 30000 --delta 0.025",
        0.025931619196871362,
    ),
    "recursive": (
        "--stage 60000,900,0.1 --stage 30000,50,0.99,0.03,0.01,0.5",
        bounds.recursive_bound(stages=CHAIN, delta="0.05"),
    ),
    "disintegrated": (
        "--errors 120 --n 10000 --log-ratio -3.5",
        bounds.disintegrated_bound(**DRAWN),
    ),
    "disintegrated ": (
        "--risk 0.012 --n 10000 --log-ratio -3.5 --kind catoni --c 3",
        bounds.disintegrated_bound(**DRAWN, kind="catoni", c=3),
    ),
    "occam": (
        "--errors 120 --n 10000 --kl 900",
        bounds.occam_bound(errors=120, n=10000, nats=900, delta="0.05"),
    ),
    "test-set": (
        "--errors 120 --n 10000",
        bounds.test_set_bound(errors=120, n=10000, delta="0.05"),
    ),
    "binomial": (
        "--errors 5 --trials 100",
        bounds.binomial_upper(errors=5, trials=100, delta="0.05"),
    ),
    "chernoff": (
        "--risk 0 --trials 1000 --delta 0.01",
        bounds.chernoff_upper(risk=0, draws=1000, delta="0.01"),
    ),
    "empirical-bernstein": (
        "--values 12,9,15,11 --size 1000",
        bounds.empirical_bernstein_upper(**DRAWS),
    ),
    "betting": ("--values 12,9,15,11 --size 1000", bounds.betting_upper(**DRAWS)),
}


@pytest.mark.parametrize("name", CASES)
def test_names_are_those_of_the_functions(name: str) -> None:
    options, value = CASES[name]
    found = run("bound", "--bound", name.strip(), *options.split(), "--format", "json")
    facts = json.loads(found.stdout)
    assert facts["risk_upper"] == bounds.decimal_up(value)
    assert facts["bound"] == name.strip()


def test_every_name_has_a_case_and_is_in_the_help() -> None:
    assert {name.strip() for name in CASES} == set(CALCULATORS)
    told = click.testing.CliRunner().invoke(bound, ["--help"], terminal_width=100).output
    assert all(name in told for name in CALCULATORS)


def test_counts_pay_for_the_draws() -> None:
    options = "--bound catoni --c 1 --errors 600 --trials 30000 --kl 120 --n 30000 --format json"
    facts = json.loads(run("bound", *options.split()).stdout)
    assert (facts["delta_theorem"], facts["delta_draws"]) == ("9/200", "1/200")


def test_an_excess_loss_may_have_a_negative_bound() -> None:
    options = "--bound split-kl --values -1,0,1 --risks 0,0 --n 10000 --format json"
    assert float(json.loads(run("bound", *options.split()).stdout)["risk_upper"]) < 0


@pytest.mark.parametrize(
    "options",
    [
        "--bound test-set --errors 3",
        "--bound catoni --risk 0.1 --n 100",
        "--bound catoni-grid --risk 0.1 --n 100",
        "--bound catoni-grid --risk 0.1 --n 100 --grid 1,,2",
        "--bound rodriguez-galvez --risk 0.1 --n 100 --c 0.5",
        "--bound disintegrated --errors 1 --n 100",
        "--bound disintegrated --n 100 --log-ratio 1",
        "--bound disintegrated --errors 1 --n 0 --log-ratio 1",
        "--bound split-kl --n 100 --values 0,1",
        "--bound recursive",
        "--bound recursive --stage 100,1",
        "--bound recursive --stage 100.5,1,0.1",
        "--bound betting",
        "--bound chernoff --trials 10",
        "--risk 0.1 --n 100 --kl 1e99999999",
        "--risk 0.1 --kl 1",
    ],
)
def test_what_is_missing_or_malformed_is_named_in_one_line(options: str) -> None:
    found = run("bound", *options.split(), code=2)
    assert found.stderr.count("\n") == 1
