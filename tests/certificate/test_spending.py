"""What each nat was spent on."""

import pytest

from pacbayes.certificate import Certificate
from pacbayes.certificate.spending import kl_items, parts, prices, total_nats


def test_parts_add_up_to_the_bound(certificate: Certificate) -> None:
    found = parts(certificate)
    assert min(part.risk for part in found) >= 0
    assert sum(part.risk for part in found) == pytest.approx(float(certificate.risk_upper))


def test_nats_of_the_parts_are_all_nats(certificate: Certificate) -> None:
    nats = sum(part.nats for part in parts(certificate) if part.nats is not None)
    assert nats == pytest.approx(total_nats(certificate))


def test_kl_items_are_sums_over_tensors(split_certificate: Certificate) -> None:
    assert kl_items(split_certificate.document) == {
        "mask": "0",
        "mean": "42.250000000000001",
        "scale": "113.39583333333434",
    }


def test_prices_name_grid_and_choices(grid_certificate: Certificate) -> None:
    found = {price.label: price.source for price in prices(grid_certificate)}
    assert found == {
        "ln(2 sqrt(n))": "constant",
        "ln(1/delta) with delta share 9/200": "delta",
        "prior scales: 3 tensors, grid of 320": "choice",
        "priors tried: 3 choices": "choice",
        "learning rate of the prior: 7 choices": "choice",
    }


@pytest.mark.parametrize("case", ["catoni", "occam", "test-set"])
def test_some_theorems_have_no_constant(certificates: dict[str, Certificate], case: str) -> None:
    assert {price.source for price in prices(certificates[case])} <= {"delta", "choice"}


def test_a_negative_item_lowers_the_nats_and_no_bar(certificates: dict[str, Certificate]) -> None:
    heights = {part.name: part for part in parts(certificates["disintegrated"])}
    assert heights["kl of scale"].nats == pytest.approx(-12.5 + 1 / 3)
    assert heights["kl of scale"].risk == 0
