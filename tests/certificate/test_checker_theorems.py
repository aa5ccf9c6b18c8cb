"""Six theorems: what belongs to each of them, and to no other."""

import copy
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from pacbayes.bounds import binomial_upper, count_prior_upper, decimal_up
from pacbayes.certificate import Certificate, Choice, DrawFacts, References, Seen, checker, issue
from pacbayes.certificate.decimals import plain
from pacbayes.certificate.document import canonical, self_hash
from pacbayes.certificate.pricing import Pricing
from pacbayes.errors import InputError, UnsoundError
from tests.certificate.cases import (
    CASES,
    all_conditions,
    data_facts,
    evidence,
    gates,
    prior_facts,
    recursive,
    sha,
)
from tests.certificate.tampering import Path, propagate, put, seal

Document = dict[str, Any]
Change = Callable[[Document], None]


def field_of(document: Document) -> str:
    with pytest.raises(checker.Rejected) as caught:
        checker.check(seal(document))
    assert caught.value.verdict == "rejected"
    return caught.value.field


def resealed(document: Document) -> bytes:
    """Bytes with another self-hash, the sentence as it is."""
    body = {key: value for key, value in document.items() if key != "self_sha256"}
    return canonical({**body, "self_sha256": self_hash(body)})


GIBBS, SINGLE = ("catoni", "gates", "recursive", "split"), ("disintegrated", "occam", "test-set")


# --- the predictor


@pytest.mark.parametrize("case", GIBBS)
def test_a_gibbs_bound_is_about_no_single_network(
    certificates: dict[str, Certificate], case: str
) -> None:
    document = certificates[case].document
    named = put(document, ("posterior", "network_sha256"), "0" * 64)
    assert field_of(named) == "predictor"
    assert field_of(put(named, ("predictor",), "single")) == "predictor"
    with pytest.raises(checker.Rejected, match="predictor"):
        checker.check(resealed(put(document, ("predictor",), "single")))


@pytest.mark.parametrize("case", SINGLE)
def test_a_bound_on_one_network_names_it(certificates: dict[str, Certificate], case: str) -> None:
    document = certificates[case].document
    assert field_of(put(document, ("predictor",), "gibbs")) == "predictor"
    for predictor in ("single", "gibbs"):
        nameless = put(document, ("posterior", "network_sha256"), None)
        with pytest.raises(checker.Rejected, match="predictor"):
            checker.check(resealed(put(nameless, ("predictor",), predictor)))


@pytest.mark.parametrize("case", SINGLE)
def test_the_sentence_names_the_network_and_what_is_random(
    certificates: dict[str, Certificate], case: str
) -> None:
    sentence = certificates[case].claim.statement
    assert f"the network with weights {sha('network')[:16]} of lenet300/toy/one errs" in sentence
    assert ("and of the random weights" in sentence) == (case == "disintegrated")
    assert "Gibbs" not in sentence


@pytest.mark.parametrize("case", [*GIBBS, *SINGLE])
def test_the_family_fits_the_theorem(certificates: dict[str, Certificate], case: str) -> None:
    document = certificates[case].document
    family = document["posterior"]["family"]
    assert (family == "point") == (case in SINGLE)
    other = "spike-and-slab" if family == "point" else "point"
    assert field_of(put(document, ("posterior", "family"), other)) == "predictor"


def test_one_network_has_one_share_one_draw_and_exact_counts(
    certificates: dict[str, Certificate],
) -> None:
    for case in SINGLE:
        document = certificates[case].document
        halves = [{"purpose": p, "share": "1/40"} for p in ("theorem", "draws")]
        assert field_of(put(document, ("delta_shares",), halves)) == "delta_shares"
        for key, other in (("design", "fresh-weights"), ("method", "binomial")):
            assert field_of(propagate(put(document, ("mc", key), other))) == "mc.design"
        twice = put(document, ("mc", "draws"), 2)
        assert field_of(propagate(twice)) == "mc.design"


def test_a_gibbs_classifier_needs_a_share_for_its_draws(split_certificate: Certificate) -> None:
    document = split_certificate.document
    whole = [{"purpose": "theorem", "share": "1/20"}]
    assert field_of(put(document, ("delta_shares",), whole)) == "delta_shares"
    exact = put(document, ("mc", "method"), "exact")
    assert field_of(propagate(exact)) == "mc.design"


@pytest.mark.parametrize("case", SINGLE)
def test_all_and_no_errors_of_one_network(case: str) -> None:
    document = issue(**CASES[case]()).document
    for errors, risk in ((0, "0"), (document["data"]["n"], "1")):
        draws = DrawFacts(draws=1, errors=errors, trials=document["data"]["n"])
        found = issue(**CASES[case](draws=draws)).document
        assert found["mc"]["risk_upper"] == risk
        assert (found["claim"]["risk_upper"] == "1") == (risk == "1")


# --- the bound

BOUNDS = ("pb-kl-maurer", "catoni", "recursive", "disintegrated", "occam", "test-set")


@pytest.mark.parametrize("case", [*GIBBS, *SINGLE])
def test_no_theorem_is_replaced_by_another(certificates: dict[str, Certificate], case: str) -> None:
    document = certificates[case].document
    for bound in BOUNDS:
        if bound == document["bound"]["id"]:
            continue
        for parameter in (None, "1.5"):
            changed = put(document, ("bound",), {"id": bound, "parameter": parameter})
            with pytest.raises(checker.Rejected):
                checker.check(seal(propagate(changed)))


def test_the_constant_is_catonis(certificates: dict[str, Certificate]) -> None:
    for case in (*GIBBS, *SINGLE):
        document = certificates[case].document
        other = None if case == "catoni" else "1.5"
        assert field_of(put(document, ("bound", "parameter"), other)) == "bound.parameter"
    for hopeless in ("0", "1e-999", "1e999"):
        document = put(certificates["catoni"].document, ("bound", "parameter"), hopeless)
        assert field_of(document) == "claim.risk_upper"
        assert checker.check(seal(put(document, ("claim", "risk_upper"), "1")))


def to_code(document: Document) -> None:
    document["prior"]["mask"]["price"] = "code"


def of_code(document: Document) -> None:
    document["prior"]["kind"] = "code"


def not_of_code(document: Document) -> None:
    document["prior"]["kind"] = "given"


def to_free(document: Document) -> None:
    document["prior"]["mask"]["price"] = "free"
    for tensor in document["posterior"]["tensors"]:
        tensor["kl"]["mask"] = "0"


def to_count(document: Document) -> None:
    document["prior"]["mask"]["price"] = "count"
    for tensor in document["posterior"]["tensors"]:
        n, kept = tensor["n_weights"], tensor["n_active"]
        tensor["kl"]["mask"] = count_prior_upper(n, kept) if kept < n else "0"


def keep_all(document: Document) -> None:
    document["prior"]["mask"]["price"] = "count"
    for tensor in document["posterior"]["tensors"]:
        tensor["n_active"] = tensor["n_weights"]


def to_gates(document: Document) -> None:
    """Learned gates that always include, at no price."""
    document["prior"]["mask"]["price"] = "gates"
    document["prior"]["inclusion_grid"] = {"top": "1", "steps_per_octave": 1, "size": 1}
    for tensor in document["posterior"]["tensors"]:
        tensor["inclusion_index"], tensor["n_active"] = 0, tensor["n_weights"]
        purpose = f"prior inclusion of {tensor['name']}"
        document["union"].append({"purpose": purpose, "choices": 1, "weight": "1/1"})


@pytest.mark.parametrize(
    ("case", "change", "field"),
    [
        ("vacuous", to_code, "prior"),
        ("vacuous", of_code, "prior"),
        ("split", of_code, "prior"),
        ("catoni", of_code, "prior"),
        ("disintegrated", to_code, "prior"),
        ("disintegrated", to_gates, "prior"),
        ("recursive", to_code, "prior"),
        ("recursive", keep_all, "prior"),
        ("recursive", to_gates, "prior"),
        ("test-set", to_code, "prior"),
        ("test-set", keep_all, "prior"),
        ("test-set", to_gates, "prior"),
        ("test-set", to_count, "posterior.tensors"),
        ("occam", not_of_code, "prior"),
        ("occam", to_free, "prior"),
        ("occam", to_count, "prior"),
    ],
)
def test_priors_and_masks_fit_the_theorem(
    certificates: dict[str, Certificate], case: str, change: Change, field: str
) -> None:
    document = copy.deepcopy(certificates[case].document)
    change(document)
    assert field_of(propagate(document)) == field


def test_only_a_density_ratio_has_negative_nats(certificates: dict[str, Certificate]) -> None:
    for case in (*GIBBS, "occam", "test-set"):
        for item in ("mean", "scale"):
            path = ("posterior", "tensors", 0, "kl", item)
            negative = put(certificates[case].document, path, "-1e-9")
            assert field_of(propagate(negative)) == "posterior.tensors"


def test_a_ratio_far_below_zero_contradicts_the_theorem(
    certificates: dict[str, Certificate],
) -> None:
    """Its event forbids a negative kl, so nothing but 1 can be claimed."""
    document = certificates["disintegrated"].document
    low = propagate(put(document, ("posterior", "tensors", 0, "kl", "scale"), "-1e6"))
    for text in ("0", "0.02", "0.020000000000000004", "0.9"):
        assert field_of(put(low, ("claim", "risk_upper"), text)) == "claim.risk_upper"
    assert checker.check(seal(put(low, ("claim", "risk_upper"), "1")))


@pytest.mark.parametrize("item", ["mean", "scale"])
def test_a_network_that_was_fixed_before_has_no_nats(
    certificates: dict[str, Certificate], item: str
) -> None:
    path = ("posterior", "tensors", 0, "kl", item)
    document = propagate(put(certificates["test-set"].document, path, "1e-9"))
    assert field_of(document) == "posterior.tensors"


def test_scales_belong_to_priors_on_weights(certificates: dict[str, Certificate]) -> None:
    for case in ("split", "catoni", "gates", "disintegrated"):
        path = ("posterior", "tensors", 0, "prior_scale")
        assert field_of(put(certificates[case].document, path, None)) == ".".join(
            ["posterior", "tensors[0]", "prior_scale"]
        )


# --- learned gates


def no_grid(document: Document) -> None:
    document["prior"]["inclusion_grid"] = None


def no_price(document: Document) -> None:
    document["prior"]["mask"]["price"] = "count"


def free_gates(document: Document) -> None:
    document["prior"]["mask"]["price"] = "free"


def unpaid_grid(document: Document) -> None:
    document["union"] = [u for u in document["union"] if "inclusion of fc2" not in u["purpose"]]


def ungated_tensor(document: Document) -> None:
    """A pruned tensor leaves the grid and keeps the price of its gates."""
    document["posterior"]["tensors"][2]["inclusion_index"] = None
    unpaid_grid(document)


def outside(document: Document) -> None:
    document["posterior"]["tensors"][2]["inclusion_index"] = 64


def unpaid_tensor(document: Document) -> None:
    document["posterior"]["tensors"][0]["kl"]["mask"] = "0"


def less_than_the_removed(document: Document) -> None:
    """211,680 entries are never included; at a rate of 2^-10 each costs 0.000977 nats."""
    document["posterior"]["tensors"][0]["kl"]["mask"] = "206.819"


def never_left_out(document: Document) -> None:
    document["posterior"]["tensors"][0]["inclusion_index"] = 0


def above_one(document: Document) -> None:
    document["prior"]["inclusion_grid"]["top"] = "1e6"
    tensor = document["posterior"]["tensors"][0]
    tensor["n_active"] = tensor["n_weights"]


def below_everything(document: Document) -> None:
    document["prior"]["inclusion_grid"]["top"] = "1e-999"
    tensor = document["posterior"]["tensors"][0]
    tensor["n_active"] = tensor["n_weights"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (no_grid, "prior.inclusion_grid"),
        (no_price, "prior.inclusion_grid"),
        (free_gates, "prior.inclusion_grid"),
        (unpaid_grid, "union"),
        (ungated_tensor, "posterior.tensors[2].kl.mask"),
        (outside, "posterior.tensors[2].inclusion_index"),
        (unpaid_tensor, "posterior.tensors[0].kl.mask"),
        (less_than_the_removed, "posterior.tensors[0].kl.mask"),
        (never_left_out, "posterior.tensors[0].kl.mask"),
        (above_one, "posterior.tensors[0].kl.mask"),
        (below_everything, "posterior.tensors[0].kl.mask"),
    ],
)
def test_gates_are_paid_for(
    certificates: dict[str, Certificate], change: Change, field: str
) -> None:
    document = copy.deepcopy(certificates["gates"].document)
    change(document)
    assert field_of(propagate(document)) == field


def test_gates_without_a_grid_of_their_own_are_refused(split_certificate: Certificate) -> None:
    path = ("posterior", "tensors", 0, "inclusion_index")
    assert field_of(put(split_certificate.document, path, 0)) == (
        "posterior.tensors[0].inclusion_index"
    )
    path = ("prior", "inclusion_grid")
    grid = {"top": "1", "steps_per_octave": 4, "size": 64}
    assert field_of(put(split_certificate.document, path, grid)) == "prior.inclusion_grid"


def test_a_gate_that_is_always_open_is_free_and_needs_everything_kept() -> None:
    document = copy.deepcopy(issue(**gates()).document)
    tensor = document["posterior"]["tensors"][0]
    tensor["inclusion_index"], tensor["n_active"] = 0, tensor["n_weights"]
    tensor["kl"]["mask"] = "0"
    assert field_of(propagate(document)) == "claim.risk_upper"


# --- a chain of posteriors


def swapped(document: Document) -> None:
    stages = document["stages"]
    stages[1], stages[2] = stages[2], stages[1]


def first_dropped(document: Document) -> None:
    del document["stages"][0]


def middle_dropped(document: Document) -> None:
    del document["stages"][1]


def last_dropped(document: Document) -> None:
    del document["stages"][2]


def all_dropped(document: Document) -> None:
    document["stages"] = []


def repeated(document: Document) -> None:
    document["stages"].append(copy.deepcopy(document["stages"][2]))


def first_with_gamma(document: Document) -> None:
    document["stages"][0]["gamma"] = "0.5"


def gamma_zero(document: Document) -> None:
    document["stages"][1]["gamma"] = "0"


def gamma_one(document: Document) -> None:
    document["stages"][1]["gamma"] = "1"


def fewer_parts(document: Document) -> None:
    del document["stages"][1]["parts"][0]


def more_parts(document: Document) -> None:
    document["stages"][0]["parts"] *= 2


def parts_swapped(document: Document) -> None:
    document["stages"][1]["parts"].reverse()


def odd_trials(document: Document) -> None:
    document["stages"][1]["trials"] += 1


def no_trials(document: Document) -> None:
    document["stages"][1]["trials"] = 0


def no_examples(document: Document) -> None:
    document["stages"][2]["n"] = 0


def growing(document: Document) -> None:
    document["stages"][2]["n"] = 30000


def other_examples(document: Document) -> None:
    document["stages"][0]["indices_sha256"] = sha("others")


def other_posterior(document: Document) -> None:
    document["stages"][2]["posterior_sha256"] = sha("another")


def other_divergence(document: Document) -> None:
    document["stages"][2]["kl_upper"] = "155.64583333333433"


def too_many_errors(document: Document) -> None:
    document["stages"][1]["parts"][0]["errors"] = 60001


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (swapped, "stages[2]"),
        (first_dropped, "stages[0]"),
        (middle_dropped, "stages[0].parts[0].mc_risk_upper"),
        (last_dropped, "stages[0].parts[0].mc_risk_upper"),
        (all_dropped, "stages"),
        (repeated, "stages[0].parts[0].mc_risk_upper"),
        (first_with_gamma, "stages[0]"),
        (gamma_zero, "stages[1]"),
        (gamma_one, "stages[1]"),
        (fewer_parts, "stages[1]"),
        (more_parts, "stages[0]"),
        (parts_swapped, "stages[1]"),
        (odd_trials, "stages[1]"),
        (no_trials, "stages[1].parts[0].errors"),
        (no_examples, "stages[2]"),
        (growing, "stages[2]"),
        (other_examples, "stages"),
        (other_posterior, "stages"),
        (other_divergence, "stages"),
        (too_many_errors, "stages[1].parts[0].errors"),
    ],
)
def test_a_chain_is_whole_and_in_order(
    certificates: dict[str, Certificate], change: Change, field: str
) -> None:
    document = copy.deepcopy(certificates["recursive"].document)
    change(document)
    counts, pricing = document["mc"], Pricing.of(certificates["recursive"])
    pricing = replace(pricing, counts=max(1, 3 * len(document["stages"]) - 2))
    counts["risk_upper"] = pricing.draws_upper(counts["errors"], counts["trials"])
    document["evidence"]["risk_upper"] = counts["risk_upper"]
    assert field_of(document) == field


def test_stages_belong_to_the_recursive_bound(certificates: dict[str, Certificate]) -> None:
    stages = certificates["recursive"].document["stages"]
    for case in ("split", "catoni"):
        document = put(certificates[case].document, ("stages",), stages[:1])
        # one stage has one count, so that the draws' share of the document is the same
        assert field_of(document) == "stages"
    for case in SINGLE:
        assert field_of(put(certificates[case].document, ("stages",), stages)) == "stages"


def test_a_chain_of_one_stage_is_the_kl_bound() -> None:
    base = recursive()
    (first, *_), last = base["stages"], base["stages"][-1]
    only = replace(first, posterior_sha256=last.posterior_sha256, kl_upper=last.kl_upper)
    chain = issue(**recursive(stages=[only])).document
    direct = issue(
        **recursive(
            bound="pb-kl-maurer",
            stages=[],
            draws=DrawFacts(draws=2, errors=6000, trials=120000),
            posterior=evidence()["posterior"],
        )
    ).document
    assert chain["claim"]["risk_upper"] == direct["claim"]["risk_upper"]


def test_a_bound_below_zero_cannot_be_issued() -> None:
    """The event of the theorem is then false; a claim of 0 would say otherwise."""
    first, *others = recursive()["stages"]
    never = [replace(stage, gamma="0.9", errors=(0, 0, 0)) for stage in others]
    fewer = replace(first, errors=(0,))
    with pytest.raises(InputError, match=r"claim\.risk_upper"):
        issue(**recursive(stages=[fewer, *never]))


# --- hold-out, constants, sizes


@pytest.mark.parametrize("case", ["split", "catoni", "disintegrated"])
@pytest.mark.parametrize("kind", ["split", "given"])
def test_the_hold_out_bound_stands_beside_a_prior_that_was_trained(
    certificates: dict[str, Certificate], case: str, kind: str
) -> None:
    document = put(certificates[case].document, ("prior", "kind"), kind)
    assert checker.check(seal(document))
    assert field_of(put(document, ("reference", "holdout"), None)) == "reference.holdout"


@pytest.mark.parametrize("kind", ["init", "zero"])
def test_a_prior_that_was_not_trained_has_no_hold_out(
    split_certificate: Certificate, kind: str
) -> None:
    document = put(split_certificate.document, ("prior", "kind"), kind)
    assert checker.check(seal(put(document, ("reference", "holdout"), None)))


@pytest.mark.parametrize("case", ["occam", "test-set"])
def test_a_code_and_a_test_set_need_no_hold_out_beside_them(
    certificates: dict[str, Certificate], case: str
) -> None:
    assert certificates[case].document["reference"]["holdout"] is None


def normalised(choices: list[int], mean: str = "0.1307", std: str = "0.3081") -> dict[str, Any]:
    facts = data_facts(
        transform="standardize",
        transform_mean=(mean,) * len(choices),
        transform_std=(std,) * len(choices),
        transform_source="declared",
    )
    union = [
        Choice(purpose=f"normalisation of channel {place}", choices=count)
        for place, count in enumerate(choices)
    ]
    return evidence(data=facts, union=union)


def test_normalisation_pays_for_every_digit() -> None:
    assert issue(**normalised([10**8]))
    assert issue(**normalised([10**8, 10**8]))
    document = issue(**normalised([10**8])).document
    for choices in (1, 10**6):
        entry = {
            "purpose": "normalisation of channel 0",
            "choices": choices,
            "weight": f"1/{choices}",
        }
        assert field_of(put(document, ("union",), [entry])) == "data.transform"
    for path, value in ((("mean",), ["0.130712345"]), (("std",), ["3081234567e-10"])):
        longer = put(document, ("data", "transform", *path), value)
        assert field_of(longer) == "data.transform"
    assert field_of(put(document, ("union",), [])) == "data.transform"


def test_constants_without_digits_are_not_free() -> None:
    document = issue(**normalised([10**8])).document
    document["data"]["transform"] |= {"mean": [], "std": []}
    nothing = {"purpose": "normalisation of channel 0", "choices": 1, "weight": "1/1"}
    assert field_of(put(document, ("union",), [nothing])) == "data.transform"


def test_a_union_that_takes_minutes_to_multiply_is_refused(
    split_certificate: Certificate,
) -> None:
    many = 10**35
    union = [
        {"purpose": f"choice {i}", "choices": many, "weight": f"1/{many}"} for i in range(2000)
    ]
    assert field_of(put(split_certificate.document, ("union",), union)) == "union"


def test_tensors_beyond_the_precision_of_the_prices_are_refused(
    grid_certificate: Certificate,
) -> None:
    document = copy.deepcopy(grid_certificate.document)
    tensor = document["posterior"]["tensors"][0]
    tensor["shape"], tensor["n_weights"] = [10**11], 10**11
    assert field_of(propagate(document)) == "posterior.tensors[0].n_weights"


@pytest.mark.parametrize("position", [0, 13, 31])
def test_no_condition_says_something_else(split_certificate: Certificate, position: int) -> None:
    path: Path = ("conditions", position, "title")
    assert field_of(put(split_certificate.document, path, "everything is fine")) == "conditions"


def test_shares_above_one_half_gain_nothing(certificates: dict[str, Certificate]) -> None:
    """A tail inverted at more than 1/2 would lie below the counted rate."""
    document = copy.deepcopy(certificates["test-set"].document)
    document["claim"]["delta_total"] = "0.9"
    document["delta_shares"] = [{"purpose": "theorem", "share": "9/10"}]
    rate = document["mc"]["errors"] / document["mc"]["trials"]
    for text in (f"{rate * 0.999:.17g}", f"{rate:.17g}"):
        assert field_of(put(document, ("claim", "risk_upper"), text)) == "claim.risk_upper"
    half = binomial_upper(errors=document["mc"]["errors"], trials=30000, delta=Fraction(1, 2))
    assert checker.check(seal(put(document, ("claim", "risk_upper"), plain(decimal_up(half)))))


def test_the_draws_of_a_chain_share_their_delta() -> None:
    """Seven counts at a seventh of 1/200 each."""
    document = issue(**recursive()).document
    part = document["stages"][2]["parts"][1]
    upper = binomial_upper(errors=part["errors"], trials=30000, delta=Fraction(1, 1400))
    assert part["mc_risk_upper"] == plain(decimal_up(upper))


def test_a_chain_pays_for_the_priors_tried() -> None:
    once, thrice = (issue(**recursive(priors_tried=tried)) for tried in (1, 3))
    assert float(thrice.risk_upper) > float(once.risk_upper)
    parts = [c.document["stages"][1]["parts"][1] for c in (once, thrice)]
    assert float(parts[1]["mc_risk_upper"]) > float(parts[0]["mc_risk_upper"])


def test_facts_of_a_chain_about_a_prior_that_saw_its_examples_are_refused() -> None:
    saw = Seen(count=1, indices_sha256=sha("one"))
    prior = prior_facts(kind="init", seen=saw, mask_seen=saw)
    with pytest.raises(UnsoundError, match="V1"):
        issue(**recursive(prior=prior, conditions=all_conditions(), references=References()))
