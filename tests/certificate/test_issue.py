"""Issuing: only what the checker accepts leaves, and all problems come at once."""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from pacbayes.bounds import Confidence
from pacbayes.certificate import (
    Choice,
    DrawFacts,
    Estimate,
    References,
    Seen,
    checker,
    declared,
    evaluation_root,
    issue,
    violated,
)
from pacbayes.certificate.decimals import decimal_text, kl_total, plain, ratio_text
from pacbayes.certificate.pricing import Pricing
from pacbayes.certificate.tool import source_sha256, this_tool
from pacbayes.errors import InputError, Problem, UnsoundError, UsageError, VerificationError
from tests.certificate.cases import (
    CASES,
    all_conditions,
    data_facts,
    evidence,
    on_grid,
    plain_prior,
    posterior_facts,
    prior_facts,
    sha,
    tensor_facts,
    tensors,
)


@pytest.mark.parametrize("case", sorted(CASES))
def test_issues_what_the_checker_accepts(case: str) -> None:
    certificate = issue(**CASES[case]())
    assert checker.check(certificate.to_bytes()) == certificate.document
    assert issue(**CASES[case]()).to_bytes() == certificate.to_bytes()


def test_the_claim_is_above_what_was_counted() -> None:
    document = issue(**evidence()).document
    counted, risk = Decimal(3312) / 150000, Decimal(document["mc"]["risk_upper"])
    assert counted < risk < Decimal(document["claim"]["risk_upper"]) < 1
    assert document["claim"]["delta_total"] == "0.05"
    shares = [(s["purpose"], s["share"]) for s in document["delta_shares"]]
    assert shares == [("theorem", "9/200"), ("draws", "1/200")]
    assert document["union"] == []
    assert document["environment"] == {"python": "3.11.7", "threads": 1}


def test_the_grid_pays_once_per_tensor() -> None:
    document = issue(**on_grid()).document
    assert [(u["purpose"], u["choices"]) for u in document["union"]] == [
        ("prior scale of fc1.weight", 320),
        ("prior scale of fc1.bias", 320),
        ("prior scale of fc2.weight", 320),
        ("priors tried", 3),
        ("learning rate of the prior", 7),
    ]


def test_more_choices_cost_their_logarithm() -> None:
    """ln 1000 more nats of divergence are as good as a choice among 1000."""
    plainly = issue(**plain_prior())
    chosen = issue(**plain_prior(union=[Choice(purpose="seeds", choices=1000)]))
    paid = posterior_facts(
        (*tensors(), tensor_facts(name="x", mean=repr(math.log(1000)), scale="0"))
    )
    charged = issue(**plain_prior(posterior=paid))
    assert float(chosen.risk_upper) > float(plainly.risk_upper)
    assert float(chosen.risk_upper) == pytest.approx(float(charged.risk_upper), rel=1e-13)


def test_a_choice_among_one_is_free() -> None:
    one = issue(**evidence(union=[Choice(purpose="nothing", choices=1)]))
    assert one.risk_upper == issue(**evidence()).risk_upper


def test_all_problems_come_at_once() -> None:
    conditions = [violated("V5", "buffers differ"), *all_conditions()[5:]]
    with pytest.raises(UnsoundError) as caught:
        issue(
            **evidence(
                data=data_facts(n=40000, duplicates_within=41, description=""),
                conditions=conditions,
            )
        )
    found = [p.condition for p in caught.value.problems]
    assert found == ["V5", "V1", "V2", "V3", "V4", "V1", "V4", "V9", "V32"]
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(("within", "across"), [(31, 0), (0, 1)])
def test_duplicates_must_be_declared(within: int, across: int) -> None:
    data = data_facts(duplicates_within=within, duplicates_across=across)
    with pytest.raises(UnsoundError, match=r"\[V9\]"):
        issue(**evidence(data=data))
    told = [declared("V9", "twins") if c.id == "V9" else c for c in all_conditions()]
    assert issue(**evidence(data=data, conditions=told))


def test_few_duplicates_within_are_only_reported() -> None:
    document = issue(**evidence(data=data_facts(duplicates_within=30))).document
    assert document["data"]["duplicates"] == {"within": 30, "across": 0}


def test_a_mask_that_saw_the_sample_must_be_charged() -> None:
    saw = Seen(count=60000, indices_sha256=sha("all"))
    with pytest.raises(UnsoundError, match=r"\[V4\]"):
        issue(**evidence(prior=prior_facts(mask_seen=saw)))
    charged = prior_facts(mask_seen=saw, mask_price="count")
    parts = posterior_facts(tensors(charged=True))
    free, beside = issue(**evidence()), References(holdout_errors=640)
    paid = issue(**evidence(prior=charged, posterior=parts, references=beside))
    assert paid.risk_upper > free.risk_upper
    with pytest.raises(VerificationError, match=r"reference\.mask_price"):
        issue(**evidence(prior=charged, posterior=parts))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"environment": {"threads": 1.5}}, "environment.threads"),
        ({"data": data_facts(items_sha256="ABC")}, "data.items_sha256"),
        ({"data": data_facts(transform_mean=("a",))}, "data.transform.mean[0]"),
    ],
)
def test_wrong_forms_name_their_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        issue(**evidence(**changes))
    assert f": {field}: " in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"draws": DrawFacts(draws=4, errors=3312, trials=150000)}, "mc.trials"),
        ({"posterior": posterior_facts((tensor_facts(n_weights=7),))}, "posterior.tensors[0]"),
        ({"posterior": posterior_facts((tensor_facts(mask="1"),))}, "posterior.tensors[0].kl.mask"),
        ({"references": References(mask_price="1")}, "reference.mask_price"),
        ({"references": References(holdout_errors=1, test=(2, 1))}, "reference.test"),
        ({"references": References()}, "reference.holdout"),
        (
            {"posterior": posterior_facts((tensor_facts(), tensor_facts()))},
            "posterior.tensors",
        ),
    ],
)
def test_contradictions_name_their_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(VerificationError) as caught:
        issue(**evidence(**changes))
    assert f": {field}" in str(caught.value)


def test_delta_must_be_a_finite_decimal() -> None:
    with pytest.raises(UsageError, match="finite decimal"):
        issue(**evidence(confidence=Confidence(Fraction(1, 3))))


def test_impossible_numbers_of_priors() -> None:
    with pytest.raises(UsageError, match="priors_tried"):
        issue(**evidence(priors_tried=0))


def test_too_many_trials_for_a_tight_tail() -> None:
    with pytest.raises(UsageError, match="fewer draws"):
        issue(**evidence(draws=DrawFacts(draws=10**6, errors=1, trials=30000 * 10**6)))


def test_label_noise_is_carried() -> None:
    noise = {"rate": "0.2", "seed": 3}
    assert issue(**evidence(data=data_facts(label_noise=noise))).document["data"][
        "label_noise"
    ] == dict(noise)


def off_by(steps: int) -> Callable[..., str]:
    honest = Pricing.theorem_upper

    def proposal(self: Pricing, **evidence: Any) -> str:
        value = float(honest(self, **evidence))
        for _ in range(abs(steps)):
            value = math.nextafter(value, 1.0 if steps > 0 else 0.0)
        return plain(Decimal(value))

    return proposal


@pytest.mark.parametrize("steps", [-6, -1, 1, 13])
def test_a_wrong_proposal_is_moved_until_it_is_accepted(
    monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    honest = issue(**plain_prior())
    monkeypatch.setattr(Pricing, "theorem_upper", off_by(steps))
    moved = issue(**plain_prior())
    assert checker.check(moved.to_bytes())
    distance = float(moved.risk_upper) - float(honest.risk_upper)
    assert abs(distance) <= 9 * math.ulp(float(honest.risk_upper))


@pytest.mark.parametrize("steps", [-100, 100])
def test_a_hopeless_proposal_is_refused(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    monkeypatch.setattr(Pricing, "theorem_upper", off_by(steps))
    with pytest.raises(VerificationError, match=r"no value fits \['claim\.risk_upper'\]"):
        issue(**plain_prior())


def test_evaluation_root_depends_on_everything() -> None:
    base: dict[str, Any] = {
        "posterior_sha256": sha("a"),
        "prior_sha256": sha("b"),
        "certificate_sha256": sha("c"),
        "draws": 5,
    }
    roots = {evaluation_root(**base)}
    for key in base:
        changed = base | {key: 6 if key == "draws" else sha("other")}
        roots.add(evaluation_root(**changed))
    roots.add(evaluation_root(**base, design="shared-draw"))
    assert len(roots) == 6
    # by hand: sha256 of the six lines joined by newlines
    text = "\n".join(["pacbayes/evaluate/1", sha("a"), sha("b"), sha("c"), "fresh-weights", "5"])
    assert evaluation_root(**base) == sha(text)


def test_decimals() -> None:
    assert kl_total(["1", "1e-30"]) == "1.0000000000000001"
    assert kl_total([]) == "0"
    assert plain("100") == "100"
    assert plain("1E+3") == "1000"
    assert plain("0.500") == "0.5"
    assert plain("0") == "0"
    assert plain("1e-30") == "1E-30"
    assert ratio_text(Fraction(2)) == "2/1"
    assert decimal_text(Fraction(1, 8)) == "0.125"


def test_tool_names_the_source() -> None:
    tool = this_tool()
    assert tool.source_sha256 == source_sha256()
    assert tool.to_json()["name"] == "pacbayes"
    assert len(tool.source_sha256) == 64


def test_tool_without_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert this_tool().version == "uninstalled"
    monkeypatch.setattr(metadata, "version", lambda _: "9.9")
    assert this_tool().version == "9.9"


def test_an_estimate_is_no_certificate() -> None:
    estimate = Estimate(
        value=0.0213, what="test set", problems=(Problem(condition="V8", message="unknown"),)
    )
    assert str(estimate) == "estimate, not certified: 0.0213 (test set)"
    assert not hasattr(estimate, "to_json")
    assert not hasattr(estimate, "document")
