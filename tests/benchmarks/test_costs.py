"""What a piece of the table of ratios is made of, one call at a time, by pytest-benchmark.

``make bench`` runs this behind the table. Nothing here is asserted about time.
"""

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pacbayes.posterior import StoredPosterior
from tests.benchmarks import others, scaling
from tests.benchmarks.scaling import Case
from tests.posterior import large_divergence

pytestmark = pytest.mark.slow

with_bayesian_torch = pytest.mark.skipif(not others.BAYESIAN_TORCH, reason=others.ABSENT)
GROWING = {
    "weights": [Case(width=width) for width in scaling.WIDTHS],
    "density": [Case(density=density) for density in scaling.DENSITIES],
    "examples": [Case(examples=count) for count in scaling.EXAMPLES],
    "draws": [Case(draws=count) for count in scaling.DRAWS],
}
CASES = [pytest.param(what, case, id=str(case)) for what in GROWING for case in GROWING[what]]


@with_bayesian_torch
@pytest.mark.parametrize("name", ["mlp", "lenet5"])
def test_bayesian_torch_step(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark.group = f"step, {name}, batch 250"
    benchmark(others.bayesian_step(name))


@with_bayesian_torch
@pytest.mark.parametrize("name", ["mlp", "lenet5", "resnet20"])
def test_bayesian_torch_draw(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark.group = f"draw, {name}, 250 examples"
    benchmark(others.bayesian_draw(name))


@pytest.mark.parametrize(("what", "case"), CASES)
def test_draws_grow(benchmark: BenchmarkFixture, what: str, case: Case) -> None:
    benchmark.group = f"draws by {what}"
    benchmark.pedantic(scaling.evaluation(case), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("case", GROWING["weights"] + GROWING["density"], ids=str)
def test_steps_grow(benchmark: BenchmarkFixture, case: Case) -> None:
    benchmark.group = "fit step by kept weights"
    benchmark.pedantic(scaling.step(case), rounds=5, warmup_rounds=1)


def test_divergence_of_1e8_weights(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    path = tmp_path / "posterior.safetensors"
    large_divergence.write(path)
    assert StoredPosterior(path=path).shapes["layer0.weight"].numel() == 10_000_000
    found = benchmark.pedantic(lambda: large_divergence.read(path), rounds=1)
    assert float(found["nats"]) > 3e7
