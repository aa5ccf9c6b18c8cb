"""Random evidence: what bounds proposes, the checker accepts, and nothing lower."""

import copy
import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pacbayes.bounds import Confidence, add_upper, count_prior_upper
from pacbayes.certificate import (
    Choice,
    DrawFacts,
    References,
    Seen,
    StageFacts,
    TensorFacts,
    checker,
    issue,
)
from pacbayes.certificate.decimals import kl_total
from tests.certificate.cases import (
    GRID,
    data_facts,
    evidence,
    gates,
    one_network,
    posterior_facts,
    prior_facts,
    recursive,
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


def random_single(dice: random.Random, bound: str) -> dict[str, Any]:
    """Evidence on one network."""
    n, negative = int(10 ** dice.uniform(0, 8)), bound == "disintegrated"
    signs = (lambda: dice.choice(["", "-"])) if negative else (lambda: "")
    parts = []
    for i in range(dice.randint(1, 4)):
        tensor = random_tensor(dice, f"layer{i}.weight", on_grid=False, charged=False)
        amounts = [add_upper([repr(10 ** dice.uniform(-9, 4))]) for _ in range(3)]
        if bound == "test-set":
            amounts = ["0", "0", "0"]
        parts.append(
            replace(
                tensor,
                prior_scale=tensor.prior_scale if negative else None,
                mask=amounts[0] if bound == "occam" else "0",
                mean=signs() + amounts[1],
                scale=signs() + amounts[2],
            )
        )
    seen = Seen(count=0, indices_sha256=sha("nothing"))
    kinds = {"occam": "code", "test-set": "given", "disintegrated": "init"}
    price = "code" if bound == "occam" else "free"
    return one_network(
        tuple(parts),
        bound=bound,
        confidence=Confidence(dice.choice(["0.05", "0.5", "0.9", "0.000001"])),
        data=data_facts(n=n, total=n),
        prior=prior_facts(kind=kinds[bound], seen=seen, mask_seen=seen, mask_price=price),
        draws=DrawFacts(draws=1, errors=int(n * dice.random() ** dice.choice([1, 9])), trials=n),
        union=[Choice(purpose="anything", choices=10 ** dice.randint(0, 12))],
    )


def random_chain(dice: random.Random) -> dict[str, Any]:
    """Evidence on a chain of one to four posteriors."""
    n, stages = int(10 ** dice.uniform(2, 6)), []
    posterior = posterior_facts((random_tensor(dice, "w", on_grid=False, charged=False),))
    last = kl_total([item for part in posterior.tensors for item in part.items])
    count = dice.randint(1, 4)
    for place in range(count):
        size = n >> place
        trials = size * dice.randint(1, 5)
        rate = dice.uniform(0, 0.3)
        later = sorted((rate * dice.random(), rate * dice.random()), reverse=True)
        shares = [dice.uniform(0.9, 1), *later] if place else [rate]
        stages.append(
            StageFacts(
                n=size,
                indices_sha256=sha("indices") if place == 0 else sha(f"part {place}"),
                posterior_sha256=sha("posterior" if place == count - 1 else f"posterior {place}"),
                kl_upper=last if place == count - 1 else repr(10 ** dice.uniform(-3, 3)),
                gamma=f"{dice.uniform(0.1, 0.9):.3f}" if place else "0",
                trials=trials,
                errors=tuple(int(trials * share) for share in shares),
            )
        )
    seen = Seen(count=0, indices_sha256=sha("nothing"))
    return recursive(
        data=data_facts(n=n, total=n),
        prior=prior_facts(kind="init", seen=seen, mask_seen=seen),
        posterior=posterior,
        draws=DrawFacts(draws=1, errors=n // 9, trials=n),
        union=[Choice(purpose="anything", choices=10 ** dice.randint(0, 3))],
        stages=stages,
    )


def random_gates(dice: random.Random) -> dict[str, Any]:
    """Evidence on learned gates, some tensors without them."""
    base, n = gates(), int(10 ** dice.uniform(2, 7))
    parts = []
    for part in base["posterior"].tensors:
        index = dice.randrange(1, 64)
        left = (part.n_weights - part.n_active) * -math.log1p(-(2.0 ** (-index / 4)))
        nats = add_upper([repr(left * (1 + dice.random())), "0.001"])
        gated = part.inclusion_index is not None
        parts.append(replace(part, inclusion_index=index, mask=nats) if gated else part)
    return gates(
        confidence=Confidence("0.05"),
        data=data_facts(n=n, total=n),
        posterior=posterior_facts(tuple(parts)),
        draws=DrawFacts(draws=2, errors=int(2 * n * dice.random() ** 3), trials=2 * n),
    )


@pytest.mark.parametrize(
    ("bound", "make"),
    [
        ("catoni", None),
        ("recursive", random_chain),
        ("gates", random_gates),
        *((bound, None) for bound in ("disintegrated", "occam", "test-set")),
    ],
)
def test_random_documents_of_every_theorem(
    bound: str, make: Callable[[random.Random], dict[str, Any]] | None
) -> None:
    """Accepted, and one ulp more than the slack lower is refused."""
    dice, claims = random.Random(bound), set()  # noqa: S311
    for _ in range(15):
        if bound == "catoni":
            constant = f"{10 ** dice.uniform(-2, 1):.4g}"
            arguments = random_evidence(dice) | {"bound": "catoni", "parameter": constant}
        else:
            arguments = random_single(dice, bound) if make is None else make(dice)
        document = issue(**arguments).document
        claims.add(document["claim"]["risk_upper"])
        assert_tight(document)
    assert len(claims) > 5


def assert_tight(document: dict[str, Any]) -> None:
    lower = float(document["claim"]["risk_upper"])
    for _ in range(9):
        lower = math.nextafter(lower, 0.0)
    with pytest.raises(checker.Rejected) as caught:
        checker.check(seal(put(document, ("claim", "risk_upper"), f"{lower:.17g}")))
    assert caught.value.field == "claim.risk_upper"
    assert caught.value.move == (0 if document["stages"] else 1)


def test_every_random_document_is_accepted_and_tight() -> None:
    dice = random.Random(6)  # noqa: S311
    claims = set()
    for _ in range(80):
        document = issue(**random_evidence(dice)).document
        claims.add(document["claim"]["risk_upper"])
        assert_tight(document)
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
