"""The two checkers agree, on certificates of every theorem and on what becomes of them."""

import pytest

from pacbayes.certificate import checker, issue
from tests.certificate import flint_checker
from tests.certificate.cases import CASES
from tests.certificate.tampering import get, put, scaled, seal
from tests.evidence.checkers import agreement


@pytest.mark.parametrize("case", CASES)
def test_both_accept_what_is_issued(case: str) -> None:
    data = seal(issue(**CASES[case]()).document)
    checker.check(data)
    assert flint_checker.refusal(data) == ""


@pytest.mark.parametrize("case", CASES)
def test_neither_accepts_a_lower_or_a_higher_claim(case: str) -> None:
    document = issue(**CASES[case]()).document
    path = ("claim", "risk_upper")
    for factor in ("0.999999999", "1.000000001"):
        data = seal(put(document, path, scaled(get(document, path), factor)))
        with pytest.raises(checker.Rejected):
            checker.check(data)
        assert flint_checker.refusal(data)


def test_random_documents_and_their_mutants() -> None:
    """A hundredth of what `make evidence` does."""
    for shard in range(1000, 1004):
        found = agreement(shard)
        assert found["differing"] == []
        assert found["valid"] == found["accepted"] + found["refused"]
        assert found["refused"] > found["accepted"] > 0
