"""Counting: every example once per draw, the same integers whatever the order."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pacbayes.bounds import binomial_upper
from pacbayes.data import Examples
from pacbayes.data.loss import is_right
from pacbayes.errors import InputError, UsageError
from pacbayes.posterior import SpikeAndSlab
from pacbayes.risk import (
    MEMORY,
    Counts,
    count_errors,
    default_draws,
    draws_for_slack,
    evaluate,
    evaluate_shard,
)
from pacbayes.risk.journal import merge
from pacbayes.runtime.processes import Shard
from tests.networks import EVERY, build, mlp
from tests.posterior.laws import posterior_around, weights_of


def sample(n: int, shape: tuple[int, ...] = (6,)) -> Examples:
    generator = torch.Generator().manual_seed(5)
    return Examples(
        inputs=torch.randn(n, *shape, generator=generator),
        labels=torch.randint(0, 3, (n,), generator=generator),
        items=np.arange(32 * n, dtype=np.uint8).reshape(n, 32),
    )


def law(kind: str = "mlp") -> tuple[torch.nn.Module, SpikeAndSlab]:
    model = build(EVERY[kind][0])
    return model, posterior_around(weights_of(model))


@pytest.mark.parametrize("n", [1, 249, 250, 251, 600])
def test_trials_are_draws_times_examples(n: int) -> None:
    model, posterior = law()
    counts = evaluate(posterior, model, sample(n), draws=3, root=1, quiet=True)
    assert counts.trials == 3 * n


def test_counts_depend_on_the_root_and_on_nothing_else() -> None:
    model, posterior = law()
    first = evaluate(posterior, model, sample(400), draws=2, root=1, quiet=True)
    again = evaluate(posterior, model, sample(400), draws=2, root=1, quiet=True)
    other = evaluate(posterior, model, sample(400), draws=2, root=2, quiet=True)
    assert first == again
    assert first != other


@pytest.mark.parametrize("kind", EVERY)
def test_counts_do_not_depend_on_threads_or_memory(kind: str) -> None:
    """One block after another, or several at a time in chunks of a few examples."""
    model, posterior = law(kind)
    few = sample(700, EVERY[kind][1])
    before, found = torch.get_num_threads(), []
    try:
        for threads, memory in ((1, MEMORY), (2, MEMORY), (3, 20_000), (1, 5_000)):
            torch.set_num_threads(threads)
            found.append(
                evaluate_shard(
                    posterior, model, few, Shard(), draws=2, root=1, memory=memory, quiet=True
                )
            )
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.parametrize("kind", EVERY)
def test_risk_is_the_one_of_really_drawn_networks(kind: str) -> None:
    """Against 4,000 whole networks: both average Bernoulli variables, 6 standard errors apart."""
    model, posterior = law(kind)
    few = sample(20, EVERY[kind][1])
    ours = evaluate(posterior, model, few, draws=2000, root=3, quiet=True)
    generator = torch.Generator().manual_seed(9)
    risks = []
    for _ in range(4000):
        weights = {
            name: m + posterior.scale[name] * torch.randn(m.shape, generator=generator)
            for name, m in posterior.mean.items()
        }
        logits = torch.func.functional_call(model, weights, (few.inputs,))
        risks.append(1 - is_right(logits, few.labels).double().mean())
    slow = torch.stack(risks)
    risk = ours.errors / ours.trials
    error = (float(slow.var()) / len(slow) + risk * (1 - risk) / ours.trials) ** 0.5
    assert abs(float(slow.mean()) - risk) < 6 * error


def test_a_killed_evaluation_goes_on(tmp_path: Path) -> None:
    model, posterior = law()
    journal = tmp_path / "draws.json"
    evaluate(posterior, model, sample(300), draws=5, root=1, journal=journal, quiet=True)
    text = journal.read_text()
    whole = evaluate(posterior, model, sample(300), draws=5, root=1, quiet=True)
    stored = json.loads(text)
    assert sum(stored["errors"].values()) == whole.errors
    del stored["errors"]["1"]
    journal.write_text(json.dumps(stored))
    again = evaluate(posterior, model, sample(300), draws=5, root=1, journal=journal, quiet=True)
    assert again == whole


def test_a_journal_of_another_evaluation_is_not_used(tmp_path: Path) -> None:
    model, posterior = law()
    journal = tmp_path / "draws.json"
    evaluate(posterior, model, sample(300), draws=5, root=1, journal=journal, quiet=True)
    other = evaluate(posterior, model, sample(300), draws=5, root=2, journal=journal, quiet=True)
    assert other == evaluate(posterior, model, sample(300), draws=5, root=2, quiet=True)


@pytest.mark.parametrize("change", ["activation", "constant", "inputs"])
def test_a_journal_of_another_network_or_other_inputs_is_not_used(
    tmp_path: Path, change: str
) -> None:
    """Posterior and root are the same: neither knows the network's code nor the preprocessing."""

    class Net(nn.Module):
        def __init__(self, *, activation: Callable[[Tensor], Tensor], factor: float) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(6, 5), nn.Linear(5, 3)
            self.activation, self.factor = activation, factor

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.activation(self.first(x * self.factor)))

    torch.manual_seed(0)  # at one start in thirty the two networks err equally often
    old, new = Net(activation=torch.relu, factor=1.0), Net(activation=torch.relu, factor=1.0)
    examples = sample(300)
    if change == "activation":
        new.activation = torch.sign
    elif change == "constant":
        new.factor = -3.0
    posterior = posterior_around(weights_of(old))
    journal = tmp_path / "draws.json"
    before = evaluate(posterior, old, examples, draws=5, root=1, journal=journal, quiet=True)
    if change == "inputs":
        examples = replace(examples, inputs=-examples.inputs)
    after = evaluate(posterior, new, examples, draws=5, root=1, journal=journal, quiet=True)
    assert after == evaluate(posterior, new, examples, draws=5, root=1, quiet=True)
    assert after != before


def test_the_model_is_not_touched() -> None:
    model, posterior = law()
    model.train()
    before = weights_of(model)
    evaluate(posterior, model, sample(10), draws=1, root=1, quiet=True)
    assert model.training
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_a_constant_network_gets_everything_wrong() -> None:
    """All logits equal is a tie, and ties are errors: a dead network earns nothing."""
    model = build(mlp)
    dead = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    counts = count_errors(model, dead, {}, sample(50))
    assert counts == Counts(errors=50, trials=50)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_logits_are_errors(bad: float) -> None:
    model = build(mlp)
    weights = weights_of(model)
    weights["2.bias"] = torch.tensor([bad, 0.0, 0.0])
    assert count_errors(model, weights, {}, sample(50)).errors == 50


def test_default_draws_come_from_shapes() -> None:
    model, posterior = law()
    assert default_draws(model, posterior, sample(600)) == 1000
    assert default_draws(model, posterior, sample(601)) == 999


def test_shards_count_what_one_process_counts(tmp_path: Path) -> None:
    model, posterior = law()
    journal, examples = tmp_path / "posterior-draws.json", sample(1300)
    given = {"draws": 2, "root": 1, "quiet": True}
    whole = evaluate(posterior, model, examples, **given)
    for index in (1, 0, 2):
        evaluate_shard(posterior, model, examples, Shard(index, 3), journal=journal, **given)
    paths = sorted(tmp_path.glob("posterior-draws.*-of-3.json"))
    assert len(paths) == 3
    assert sum(merge(paths)["errors"].values()) == whole.errors
    found = evaluate(posterior, model, examples, journal=journal, **given)
    assert found == whole
    assert json.loads(journal.read_text()) == merge(paths)


def spoiled(document: dict[str, Any], how: str) -> dict[str, Any]:
    if how == "another root":
        return {**document, "root": "0" * 64}
    if how == "another network":
        return {**document, "counted_by": "0" * 64}
    if how == "a block of another shard":
        return {**document, "errors": {**document["errors"], "0": 1}}
    if how == "no block":
        return {**document, "errors": {}}
    if how == "a block that is not there":
        return {**document, "errors": {"7": 1}}
    return {"schema": "pacbayes/draws/1"}


@pytest.mark.parametrize(
    "how",
    [
        "another root",
        "another network",
        "a block of another shard",
        "no block",
        "a block that is not there",
        "another document",
    ],
)
def test_shards_that_are_no_whole_are_refused(tmp_path: Path, how: str) -> None:
    model, posterior = law()
    journal, examples = tmp_path / "draws.json", sample(600)
    for index in (0, 1):
        evaluate_shard(
            posterior,
            model,
            examples,
            Shard(index, 2),
            journal=journal,
            draws=1,
            root=1,
            quiet=True,
        )
    paths = [tmp_path / "draws.1-of-2.json", tmp_path / "draws.2-of-2.json"]
    merge(paths)
    paths[1].write_text(json.dumps(spoiled(json.loads(paths[1].read_text()), how)))
    with pytest.raises(InputError):
        merge(paths)


def test_one_shard_twice_and_one_shard_alone_are_refused(tmp_path: Path) -> None:
    model, posterior = law()
    journal = tmp_path / "draws.json"
    given = {"journal": journal, "draws": 1, "root": 1, "quiet": True}
    evaluate_shard(posterior, model, sample(600), Shard(0, 2), **given)
    path = tmp_path / "draws.1-of-2.json"
    with pytest.raises(InputError, match="in another shard too"):
        merge([path, path])
    with pytest.raises(InputError, match="in no shard"):
        merge([path])


@pytest.mark.parametrize("risk", [0.0, 0.005, 0.02, 0.3])
@pytest.mark.parametrize("slack", [0.01, 0.001])
def test_draws_for_a_slack_are_the_fewest_that_reach_it(risk: float, slack: float) -> None:
    n, delta = 30_000, Fraction(1, 100)

    def added(draws: int) -> float:
        errors = math.ceil(risk * n * draws)
        return binomial_upper(errors=errors, trials=n * draws, delta=delta) - risk

    draws = draws_for_slack(slack, risk_guess=risk, n=n, delta=delta)
    assert added(draws) <= slack
    assert draws == 1 or added(draws - 1) > slack


def test_a_slack_out_of_reach_is_refused() -> None:
    with pytest.raises(UsageError, match="larger"):
        draws_for_slack(1e-7, risk_guess=0.02, n=10, delta=Fraction(1, 100))
    with pytest.raises(UsageError, match="slack"):
        draws_for_slack(1.0, risk_guess=0.02, n=10, delta=Fraction(1, 100))


def test_little_memory_changes_no_count() -> None:
    model, posterior = law("convnet")
    examples = sample(30, (2, 6, 6))
    given = {"draws": 3, "root": 1, "quiet": True}
    few = evaluate(posterior, model, examples, memory=1, **given)
    assert few == evaluate(posterior, model, examples, **given)


def test_nothing_to_count_is_refused() -> None:
    model, posterior = law()
    with pytest.raises(UsageError):
        evaluate(posterior, model, sample(10), draws=0, root=1, quiet=True)
    with pytest.raises(UsageError):
        Counts(errors=3, trials=2)
