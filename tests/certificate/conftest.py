"""Valid certificates to test with."""

import pytest

from pacbayes.certificate import Certificate, issue
from tests.certificate.cases import CASES


@pytest.fixture(scope="session")
def certificates() -> dict[str, Certificate]:
    """One valid certificate of each sort, by its name in ``CASES``."""
    return {name: issue(**make()) for name, make in CASES.items()}


@pytest.fixture(scope="session", params=sorted(CASES))
def certificate(
    request: pytest.FixtureRequest, certificates: dict[str, Certificate]
) -> Certificate:
    """Each of the valid certificates in turn."""
    return certificates[request.param]


@pytest.fixture(scope="session")
def split_certificate(certificates: dict[str, Certificate]) -> Certificate:
    """A certificate with a split prior and all references."""
    return certificates["split"]


@pytest.fixture(scope="session")
def grid_certificate(certificates: dict[str, Certificate]) -> Certificate:
    """A certificate with a grid, a charged mask and tried priors."""
    return certificates["grid"]
