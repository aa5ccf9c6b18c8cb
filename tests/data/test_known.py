"""Gaussian blobs have the risks that they claim."""

import math

import numpy as np
import pytest
import torch

from pacbayes.data import Blobs, load_data
from pacbayes.errors import UsageError

SAMPLES = 200_000


def nearest_centre(blobs: Blobs) -> object:
    # Centres have equal norms, so the largest inner product is the nearest centre.
    return lambda x: x.double() @ blobs.centres.T


@pytest.mark.parametrize(
    ("classes", "separation"), [(2, 0.5), (2, 2.0), (2, 4.0), (3, 2.0), (10, 3.0)]
)
def test_bayes_risk_agrees_with_fresh_samples(classes: int, separation: float) -> None:
    blobs = Blobs(dim=12, classes=classes, separation=separation)
    fresh = blobs.fresh_risk(nearest_centre(blobs), samples=SAMPLES)  # type: ignore[arg-type]
    assert fresh.trials == SAMPLES
    # Five standard deviations; the stream is fixed, so this can't fail by chance from run to run.
    assert abs(fresh.risk - blobs.bayes_risk()) < 5 * fresh.deviation


def test_bayes_risk_by_hand() -> None:
    assert Blobs(separation=0.0).bayes_risk() == 0.5
    # Phi(-1) = 0.15865525393145707 (tables), for centres two standard deviations apart
    assert math.isclose(Blobs(separation=2.0).bayes_risk(), 0.15865525393145707, rel_tol=1e-14)
    # At separation 0 nothing can be known: the integral must give (K - 1) / K.
    assert math.isclose(Blobs(classes=5, separation=0.0).bayes_risk(), 0.8, rel_tol=1e-10)
    # More classes are harder, larger distances easier.
    risks = [Blobs(classes=k).bayes_risk() for k in (2, 3, 5, 10)]
    assert risks == sorted(risks)


def test_the_integral_agrees_with_the_closed_form_for_two_classes() -> None:
    from scipy.integrate import quad
    from scipy.stats import norm

    for separation in (0.1, 1.0, 3.0):
        a = separation / math.sqrt(2)
        right, _ = quad(lambda t, a=a: norm.pdf(t - a) * norm.cdf(t), a - 12, a + 12)
        # quad's own error estimate is below 1.5e-8
        assert math.isclose(1 - right, Blobs(separation=separation).bayes_risk(), abs_tol=1.5e-8)


def test_linear_risk_agrees_with_fresh_samples_and_never_beats_bayes() -> None:
    blobs = Blobs(dim=5, separation=1.5)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        weight = torch.randn(2, 5, generator=generator) + blobs.centres
        bias = torch.randn(2, generator=generator)
        exact = blobs.linear_risk(weight, bias)
        fresh = blobs.fresh_risk(
            lambda x, w=weight, b=bias: x @ w.T.float() + b,  # type: ignore[misc]
            samples=SAMPLES,
        )
        assert abs(fresh.risk - exact) < 5 * fresh.deviation
        assert exact >= blobs.bayes_risk()
    assert math.isclose(
        blobs.linear_risk(blobs.centres, torch.zeros(2)), blobs.bayes_risk(), rel_tol=1e-12
    )


def test_constant_rules() -> None:
    blobs = Blobs(dim=2)
    zero = torch.zeros(2, 2)
    assert blobs.linear_risk(zero, torch.tensor([0.0, 1.0])) == 0.5
    assert blobs.linear_risk(zero, torch.zeros(2)) == 1.0
    assert blobs.fresh_risk(lambda x: torch.zeros(len(x), 2), samples=1000).risk == 1.0
    with pytest.raises(UsageError, match="two classes"):
        Blobs(classes=3).linear_risk(zero, torch.zeros(2))


def test_moments_of_the_sample() -> None:
    blobs = Blobs(dim=4, classes=3, separation=3.0)
    sample = blobs.sample(60_000, "moments")
    counts = torch.bincount(sample.labels, minlength=3)
    # five standard deviations of a binomial with p = 1/3
    assert (counts - 20_000).abs().max() < 5 * math.sqrt(60_000 * 2 / 9)
    for k in range(3):
        inputs = sample.inputs[sample.labels == k].double()
        assert (inputs.mean(dim=0) - blobs.centres[k]).abs().max() < 5 / math.sqrt(len(inputs))
        assert (inputs.var(dim=0) - 1).abs().max() < 5 * math.sqrt(2 / len(inputs))
    distances = torch.cdist(blobs.centres, blobs.centres)
    assert torch.allclose(distances[~torch.eye(3, dtype=torch.bool)], torch.tensor(3.0).double())


def test_samples_are_named_by_seed_stream_and_key() -> None:
    blobs = Blobs(n=50)
    assert torch.equal(blobs.sample(50, "a").inputs, blobs.sample(50, "a").inputs)
    samples = [
        blobs.sample(50, "a"), blobs.sample(50, "b"), blobs.sample(50, "a", 0),
        blobs.sample(50, "a", 1), Blobs(n=50, seed=1).sample(50, "a"),
    ]  # fmt: skip
    assert len({sample.items.tobytes() for sample in samples}) == 5
    data = blobs.data()
    assert not np.isin(data.train.items.view("S32"), data.test.items.view("S32")).any()


def test_spec() -> None:
    assert Blobs.parse("synthetic") == Blobs()
    assert Blobs.parse("synthetic:") == Blobs()
    text = "synthetic:n=30,dim=4,classes=3,separation=1.5,seed=9,test=7"
    assert Blobs.parse(text) == Blobs(n=30, dim=4, classes=3, separation=1.5, seed=9, test=7)
    data = load_data(text)
    assert (len(data.train), len(data.test), data.shape, data.classes) == (30, 7, (4,), 3)
    assert data.builtin
    assert data.spec == text


@pytest.mark.parametrize(
    "rest",
    ["n=0", "n=1.5", "n=x", "k=1", "n=1,n=2", "classes=1", "classes=30", "separation=nan",
     "separation=-1", "separation=inf", "seed=-1", "test=0", "n", "seeds=1"],
)  # fmt: skip
def test_specs_that_name_no_problem(rest: str) -> None:
    with pytest.raises(UsageError):
        load_data(f"synthetic:{rest}")
