"""Certificates that a report is made of: a dense network and its tickets."""

from dataclasses import replace

import pytest

from pacbayes.certificate import Certificate, DrawFacts, References, issue
from tests.certificate import cases

HOSTILE = "a&b<script>alert(1)</script>\"'/../toy/https://example.org/x.png"


def level(keep: float, errors: int, *, name: str = "lenet300/toy/ticket") -> Certificate:
    """A certificate of a network of which a fraction of every weight array is kept."""
    tensors = tuple(
        replace(t, n_active=t.n_weights if len(t.shape) == 1 else int(t.n_weights * keep))
        for t in cases.tensors()
    )
    return issue(
        **cases.evidence(
            name=name,
            posterior=cases.posterior_facts(tensors),
            draws=DrawFacts(draws=5, errors=errors, trials=150000),
            references=References(holdout_errors=errors // 5, test=(213, 10000)),
        )
    )


@pytest.fixture(scope="session")
def levels() -> list[Certificate]:
    """Dense first, then two tickets."""
    kept = [(1.0, 3300), (0.5, 3000), (0.04, 2900)]
    return [level(k, e, name=f"lenet300/toy/level_{i}") for i, (k, e) in enumerate(kept)]


@pytest.fixture(scope="session")
def hostile() -> Certificate:
    """A valid certificate with markup wherever text is free."""
    return issue(
        **cases.evidence(
            name=HOSTILE,
            data=cases.data_facts(name=HOSTILE, description=HOSTILE),
            posterior=cases.posterior_facts((cases.tensor_facts(name=HOSTILE),)),
            references=References(holdout_errors=640),
        )
    )


@pytest.fixture(scope="session")
def others() -> list[Certificate]:
    """Certificates of other sorts: a grid and a charged mask, a vacuous claim, all wrong."""
    return [issue(**cases.CASES[name]()) for name in ("grid", "vacuous", "all wrong")]
