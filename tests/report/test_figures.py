"""The numbers behind the figures."""

import math
from decimal import Decimal

import pytest

from pacbayes.bounds import binomial_upper, kl_bound
from pacbayes.certificate import Certificate
from pacbayes.certificate.decimals import float_up
from pacbayes.errors import UsageError
from pacbayes.report import (
    bound_by_delta,
    bound_by_density,
    bound_by_n,
    decomposition,
    nats_by_tensor,
    trajectory,
)


def test_bound_by_density(levels: list[Certificate]) -> None:
    figure = bound_by_density(list(reversed(levels)))
    assert figure.column("name") == [c.name for c in levels]
    density = [1.0, (117600 + 1500) / 238200, (9408 + 120) / 238200]
    assert figure.column("density") == pytest.approx(density)
    assert figure.column("bound") == [float_up(c.risk_upper) for c in levels]
    assert figure.column("counted risk") == [0.022, 0.02, 2900 / 150000]
    assert figure.column("test error") == [0.0213] * 3
    assert figure.reference == float_up(levels[0].risk_upper)


def test_no_reference_without_a_dense_network(levels: list[Certificate]) -> None:
    assert bound_by_density(levels[1:]).reference is None


def test_decomposition_adds_up(levels: list[Certificate], others: list[Certificate]) -> None:
    for certificate, row in zip(
        [*levels, *others], decomposition([*levels, *others]).rows, strict=True
    ):
        assert sum(row[1:]) == pytest.approx(float(certificate.risk_upper))  # type: ignore[arg-type]


def test_nats_by_tensor_add_up(levels: list[Certificate]) -> None:
    figure = nats_by_tensor(levels[2])
    total = sum(sum(figure.numbers(name)) for name in ("mask", "mean", "scale"))
    assert total == pytest.approx(float(levels[2].document["posterior"]["kl_upper"]))
    assert figure.column("density") == pytest.approx([9408 / 235200, 1.0, 0.04])


def test_the_bound_at_its_own_delta_is_the_bound(levels: list[Certificate]) -> None:
    figure = bound_by_delta(levels[0], [0.5, 0.05, 0.001])
    bounds = figure.numbers("bound")
    assert bounds == sorted(bounds)
    assert bounds[1] == pytest.approx(float_up(levels[0].risk_upper), rel=1e-12)


def test_a_large_delta_leaves_too_much_for_the_draws(others: list[Certificate]) -> None:
    figure = bound_by_delta(others[0], [0.999])
    assert figure.numbers("bound") == [pytest.approx(float(others[0].risk_upper), rel=0.05)]


@pytest.mark.parametrize("delta", [0.0, 1.0, -1.0, math.nan])
def test_delta_is_a_probability(delta: float, levels: list[Certificate]) -> None:
    with pytest.raises(UsageError, match="delta must lie"):
        bound_by_delta(levels[0], [delta])


def test_bound_by_n(levels: list[Certificate]) -> None:
    figure = bound_by_n(levels[0], [10000, 30000])
    upper = binomial_upper(errors=1100, trials=50000, delta="0.005")
    kl = levels[0].document["posterior"]["kl_upper"]
    small = kl_bound(risk=upper, kl=kl, n=10000, delta="0.045")
    assert figure.numbers("bound") == pytest.approx([small, float_up(levels[0].risk_upper)])
    assert levels[0].n in bound_by_n(levels[0]).column("n")
    with pytest.raises(UsageError, match="n must be"):
        bound_by_n(levels[0], [0])


def test_trajectory(levels: list[Certificate]) -> None:
    swapped = [levels[0], levels[2], levels[1]]
    figure = trajectory({"1": levels, "2": swapped, "3": levels})
    bounds = [float_up(c.risk_upper) for c in levels]
    assert figure.numbers("median") == pytest.approx(bounds)
    assert figure.numbers("least") == [bounds[0], min(bounds[1:]), min(bounds[1:])]
    assert figure.numbers("largest") == [bounds[0], max(bounds[1:]), max(bounds[1:])]
    assert figure.reference == bounds[0]
    assert figure.column("level") == ["level_0", "step 1", "step 2"]
    assert trajectory({"1": levels[1:]}).reference is None
    for runs in ({}, {"1": []}, {"1": levels, "2": levels[1:]}):
        with pytest.raises(UsageError, match="same number of levels"):
            trajectory(runs)


def test_tables_are_text(levels: list[Certificate], others: list[Certificate]) -> None:
    text = bound_by_density([*levels, *others]).table()
    assert text.splitlines()[1].split()[:2] == ["name", "density"]
    assert "dense reference: " in text
    assert " -" in text
    assert len({line.index("1.0000") for line in text.splitlines() if " 1.0000 " in line}) >= 1
    assert nats_by_tensor(others[0]).table().endswith("density is the fraction kept.\n")


def test_no_certificate_is_an_error() -> None:
    for figure in (bound_by_density, decomposition):
        with pytest.raises(UsageError, match="at least one"):
            figure([])


def test_no_bound_is_rounded_down(levels: list[Certificate], others: list[Certificate]) -> None:
    for certificate in [*levels, *others]:
        line = bound_by_density([certificate]).table().splitlines()[2]
        assert Decimal(line.split()[2]) >= Decimal(certificate.risk_upper)
