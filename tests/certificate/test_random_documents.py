"""Random evidence: what bounds proposes, the checker accepts, and nothing lower."""

import copy
import math
import random
from typing import Any

from pacbayes.bounds import Confidence, add_upper, count_prior_upper
from pacbayes.certificate import (
    Choice,
    DrawFacts,
    References,
    Seen,
    TensorFacts,
    checker,
    issue,
)
from pacbayes.certificate.decimals import kl_total
from tests.certificate.cases import (
    GRID,
    data_facts,
    evidence,
    posterior_facts,
    prior_facts,
    sha,
    tensor_facts,
)
from tests.certificate.tampering import put, seal


def random_tensor(dice: random.Random, name: str, *, on_grid: bool, charged: bool) -> TensorFacts:
    shape = (int(10 ** dice.uniform(0, 4)), int(10 ** dice.uniform(0, 3)))
    weights = math.prod(shape)
    active, index = dice.randint(0, weights), dice.randrange(320)
    return tensor_facts(
        name=name,
        shape=shape,
        n_weights=weights,
        n_active=active,
        prior_scale=repr(2.0 ** (-index / 32)) if on_grid else repr(10 ** dice.uniform(-6, 1)),
        grid_index=index if on_grid else None,
        mask=count_prior_upper(weights, active) if charged else "0",
        mean=add_upper([repr(10 ** dice.uniform(-40, 4))]),
        scale=add_upper([repr(10 ** dice.uniform(-3, 3))]),
    )


def random_evidence(dice: random.Random) -> dict[str, Any]:
    on_grid, charged, n = dice.random() < 0.5, dice.random() < 0.3, int(10 ** dice.uniform(0, 8))
    draws = dice.randint(1, 20)
    trials = draws * n
    seen = Seen(count=0, indices_sha256=sha("nothing"))
    names = [f"layer{i}.weight" for i in range(dice.randint(1, 5))]
    parts = [random_tensor(dice, name, on_grid=on_grid, charged=charged) for name in names]
    return evidence(
        confidence=Confidence(dice.choice(["0.05", "0.5", "0.9", "0.000001", 0.05])),
        data=data_facts(n=n, total=n),
        prior=prior_facts(
            kind="init",
            seen=seen,
            mask_seen=seen,
            mask_price="count" if charged else "free",
            grid=GRID if on_grid else None,
        ),
        posterior=posterior_facts(tuple(parts)),
        draws=DrawFacts(
            draws=draws, errors=int(trials * dice.random() ** dice.choice([1, 9])), trials=trials
        ),
        references=References(holdout_errors=dice.randint(0, n)),
        union=[Choice(purpose="anything", choices=10 ** dice.randint(0, 12))],
    )


def test_every_random_document_is_accepted_and_tight() -> None:
    dice = random.Random(6)  # noqa: S311
    claims = set()
    for _ in range(80):
        document = issue(**random_evidence(dice)).document
        claims.add(document["claim"]["risk_upper"])
        lower = float(document["claim"]["risk_upper"])
        for _ in range(9):
            lower = math.nextafter(lower, 0.0)
        text = f"{lower:.17g}"
        try:
            checker.check(seal(put(document, ("claim", "risk_upper"), text)))
        except checker.Rejected as error:
            assert (error.field, error.move) == ("claim.risk_upper", 1)  # noqa: PT017
        else:
            raise AssertionError(f"{text} was accepted")
    assert len(claims) > 25
    assert "1" in claims


def test_sums_agree_with_those_of_the_divergence() -> None:
    dice = random.Random(7)  # noqa: S311
    for _ in range(300):
        items = [repr(10 ** dice.uniform(-30, 9)) for _ in range(dice.randint(1, 30))]
        assert kl_total(items) == add_upper(items)


def test_the_count_code_of_any_mask_is_accepted() -> None:
    dice = random.Random(8)  # noqa: S311
    for _ in range(300):
        weights = int(10 ** dice.uniform(0, 9))
        active = dice.choice([0, weights, dice.randint(0, weights)])
        price = checker.UP.add(checker.log(weights + 1)[1], checker.log_choose(weights, active))
        told = checker.Decimal(count_prior_upper(weights, active))
        assert price <= told <= price * checker.ROOM


def test_no_errors_and_a_moved_error_are_told_apart() -> None:
    """The smallest change of evidence moves the claim by more than the slack of 8 ulp."""
    dice = random.Random(9)  # noqa: S311
    for _ in range(20):
        document = issue(**random_evidence(dice)).document
        counts = document["mc"]
        if counts["risk_upper"] == "1":
            continue
        for step in (1, -1):
            changed = copy.deepcopy(document)
            changed["mc"]["errors"] = changed["evidence"]["errors"] = counts["errors"] + step
            try:
                checker.check(seal(changed))
            except checker.Rejected as error:
                assert error.field in ("mc.risk_upper", "mc.errors")  # noqa: PT017
            else:
                raise AssertionError("a changed count was accepted")
