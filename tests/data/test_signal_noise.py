"""Signal on one axis per class, noise on the others: the law, and the rules it implies."""

import pytest
import torch

from pacbayes.data import SignalNoise, load_data
from pacbayes.errors import UsageError


def test_the_signal_is_exact_and_the_noise_stays_off_it() -> None:
    problem = SignalNoise(n=50, dim=20, classes=3, signal=2.0, noise=4.0, seed=1)
    found = problem.sample(50, "train")
    signals = found.inputs[:, :3]
    assert torch.equal(signals.argmax(dim=1), found.labels)
    assert signals.sum(dim=1).tolist() == [2.0] * 50
    noise = problem.noise_of(found)
    assert bool((noise[:, :3] == 0).all())
    assert torch.equal(noise[:, 3:], found.inputs[:, 3:])


def test_the_noise_has_its_length() -> None:
    """The mean square of 200,000 terms has a relative deviation of sqrt(2 / 200,000) = 0.32 %."""
    problem = SignalNoise(n=1000, dim=202, noise=3.0, seed=2)
    squares = problem.noise_of(problem.sample(1000, "train")).square().sum(dim=1)
    assert float(squares.mean()) == pytest.approx(9.0, rel=5 * 0.0032)


def test_streams_keys_and_seeds_are_different_samples() -> None:
    problem = SignalNoise(n=10, dim=5, seed=1)
    samples = [
        problem.sample(10, "train"),
        problem.sample(10, "test"),
        problem.sample(10, "fresh", 1),
        SignalNoise(n=10, dim=5, seed=2).sample(10, "train"),
    ]
    inputs = [sample.inputs for sample in samples]
    assert not any(torch.equal(a, b) for i, a in enumerate(inputs) for b in inputs[:i])
    assert torch.equal(inputs[0], problem.data().train.inputs)


def test_its_text_loads_it_again() -> None:
    problem = SignalNoise(n=10, dim=5, classes=2, signal=2.0, noise=0.5, seed=3, test=7)
    assert load_data(problem.spec).digest == problem.data().digest
    assert len(load_data("signal-noise:n=10,dim=5,test=7").train) == 10


@pytest.mark.parametrize(
    "spec",
    ["signal-noise:n=0", "signal-noise:dim=2", "signal-noise:signal=0", "signal-noise:colour=1",
     "signal-noise:n=x", "signal-noise:n=1,n=2"],
)  # fmt: skip
def test_impossible_problems_are_usage_errors(spec: str) -> None:
    with pytest.raises(UsageError):
        load_data(spec)


def test_normalisation_is_refused() -> None:
    with pytest.raises(UsageError, match="law is known"):
        load_data("signal-noise:n=10,dim=5", normalize="0.5,0.5")
