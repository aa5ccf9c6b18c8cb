"""Choices on the prior's side are paid for in every number that they touch."""

from fractions import Fraction

import pytest

from pacbayes.bounds import binomial_upper, decimal_up
from pacbayes.certificate import Choice, checker, issue
from pacbayes.certificate.decimals import plain
from pacbayes.certificate.document import canonical, self_hash
from tests.certificate.cases import data_facts, evidence


def test_the_best_of_several_priors_pays_for_its_draws_and_its_hold_out() -> None:
    tried = issue(**evidence(priors_tried=50)).document
    counts, held = tried["mc"], tried["reference"]["holdout"]
    share = Fraction(1, 200) / 50
    upper = binomial_upper(errors=counts["errors"], trials=counts["trials"], delta=share)
    assert counts["risk_upper"] == plain(decimal_up(upper))
    upper = binomial_upper(errors=held["errors"], trials=held["n"], delta=Fraction(1, 20) / 50)
    assert held["risk_upper"] == plain(decimal_up(upper))


def test_the_hold_out_pays_for_every_union_entry() -> None:
    plain_one = issue(**evidence()).document["reference"]["holdout"]
    choice = Choice(purpose="normalisation of channel 0", choices=10**8)
    paid = issue(**evidence(union=[choice])).document["reference"]["holdout"]
    assert float(paid["risk_upper"]) > float(plain_one["risk_upper"])


def sealed(document: dict) -> bytes:
    body = {key: value for key, value in document.items() if key != "self_sha256"}
    return canonical({**body, "self_sha256": self_hash(body)})


def test_constants_that_are_neither_paid_nor_declared_are_refused() -> None:
    choice = Choice(purpose="normalisation of channel 0", choices=10**8)
    facts = data_facts(
        transform="standardize",
        transform_mean=("0.1307",),
        transform_std=("0.3081",),
        transform_source="declared",
    )
    document = issue(**evidence(data=facts, union=[choice])).document
    checker.check(sealed(document))
    with pytest.raises(checker.Rejected, match="V6"):
        checker.check(sealed({**document, "union": []}))


@pytest.mark.parametrize("name", ["V8", "V11", "V14", "V16", "V28"])
def test_what_no_file_shows_is_never_checked(name: str) -> None:
    document = issue(**evidence()).document
    entries = [
        {**c, "status": "checked", "by": "code"} if c["id"] == name else c
        for c in document["conditions"]
    ]
    with pytest.raises(checker.Rejected, match=name):
        checker.check(sealed({**document, "conditions": entries}))


@pytest.mark.parametrize("name", ["V1", "V15", "V23", "V26", "V29"])
def test_conditions_that_always_apply_cannot_be_waived(name: str) -> None:
    document = issue(**evidence()).document
    entries = [{**c, "status": "n/a"} if c["id"] == name else c for c in document["conditions"]]
    with pytest.raises(checker.Rejected, match=name):
        checker.check(sealed({**document, "conditions": entries}))
