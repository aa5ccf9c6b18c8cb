"""Costs beside named baselines, measured in one run; read the ratios, not the seconds.

``make bench`` prints one table per group. Nothing here is asserted about time.
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pacbayes.bounds import binomial_upper, kl_inverse_upper
from pacbayes.runtime.memory import keep_freed_memory
from tests.benchmarks.work import BATCH, DRAWS, NETWORKS, draws, fit_step, plain_passes, plain_step

pytestmark = pytest.mark.slow

STEPS = {"plain SGD step": plain_step, "fit step": fit_step}
COUNTS = {"plain passes": plain_passes, "draws per example": draws}


@pytest.mark.parametrize("kind", COUNTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_draw(benchmark: BenchmarkFixture, name: str, kind: str) -> None:
    benchmark.group = f"{DRAWS} draws for each example, {name}, the same examples"
    benchmark(COUNTS[kind](name))


@pytest.mark.parametrize("n", [60_000, 1_000_000])
def test_arithmetic(benchmark: BenchmarkFixture, n: int) -> None:
    benchmark.group = "binomial tail inversion"
    upper = benchmark(binomial_upper, errors=n // 50, trials=n, delta="0.005")
    assert 0.02 < upper < 0.03


def test_kl_inverse(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "kl inverse"
    upper = benchmark(kl_inverse_upper, q=0.02, c=0.01)
    assert 0.046515921 < upper < 0.046515922


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("name", NETWORKS)
def test_step(benchmark: BenchmarkFixture, name: str, kind: str) -> None:
    keep_freed_memory()  # as the program does; last in this file, for it changes the process
    benchmark.group = f"step, {name}, batch {BATCH}"
    benchmark(STEPS[kind](name))
