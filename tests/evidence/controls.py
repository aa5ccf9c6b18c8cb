"""Misuses of a bound: what refuses each, and what would happen if nothing did.

The true risk is .2 for every classifier, n = 200 and delta = .05 unless said otherwise.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from pacbayes.bounds import binomial_upper, chernoff_upper, decimal_up, kl_bound
from pacbayes.certificate import checker, issue
from tests.certificate.cases import CASES
from tests.certificate.tampering import Path, get, propagate, put, seal
from tests.evidence.shards import Experiment, Result

RISK, N, DELTA = 0.2, 200, Fraction(1, 20)
FALSE_ALARM = Fraction(1, 10**6)

Rng = np.random.Generator
Rates = tuple[int, int]
"""How many of the runs fail when used rightly, and when misused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One misuse."""

    condition: str
    misuse: str
    refused: Callable[[], str]
    rates: Callable[[Rng, int], Rates]
    delta: Fraction = DELTA


@cache
def tail(n: int = N, delta: Fraction = DELTA) -> np.ndarray:
    """Upper values of the binomial tail for all counts."""
    return np.array([binomial_upper(errors=k, trials=n, delta=delta) for k in range(n + 1)])


def tails_at(counts: np.ndarray, n: int, delta: Fraction = DELTA) -> np.ndarray:
    """Upper values of the binomial tail for some counts of many."""
    different, places = np.unique(counts, return_inverse=True)
    values = [binomial_upper(errors=k, trials=n, delta=delta) for k in different.tolist()]
    return np.array(values)[places]


@cache
def maurer(n: int = N, delta: Fraction = DELTA, choices: int = 1) -> np.ndarray:
    """PAC-Bayes-kl bounds for all counts, without a divergence, for one of several priors."""
    weight = Fraction(1, choices)
    return np.array(
        [kl_bound(risk=Fraction(k, n), kl=0, n=n, delta=delta, weight=weight) for k in range(n + 1)]
    )


def fails(bounds: np.ndarray, counts: np.ndarray, risk: float = RISK) -> int:
    """Return how often the bound of a count lies below the risk."""
    return int((bounds[counts] < risk).sum())


@cache
def document(case: str = "split") -> dict[str, Any]:
    return issue(**CASES[case]()).document


def rejection(changed: dict[str, Any]) -> str:
    """Return what the checker says of a document sealed again; an empty text if it accepts."""
    try:
        checker.check(seal(changed))
    except checker.Rejected as error:
        return str(error)
    return ""


def changed(path: Path, value: Any, case: str = "split") -> Callable[[], str]:
    """Return a check that a document with another value is refused."""
    return lambda: rejection(put(document(case), path, value))


# --- choices on the prior's side


def best_of(rng: Rng, runs: int, choices: int) -> np.ndarray:
    """Fewest errors among many classifiers; the minimum of independent counts, by inversion."""
    chances = np.cumsum(_masses(N, RISK))
    smallest = 1 - (1 - chances) ** choices
    return np.searchsorted(smallest, rng.random(runs)).clip(0, N)


def _masses(n: int, p: float) -> np.ndarray:
    from scipy.stats import binom

    return binom.pmf(np.arange(n + 1), n, p)


def prior_picked(rng: Rng, runs: int) -> Rates:
    counts = best_of(rng, runs, 10**4)
    return fails(maurer(choices=10**4), counts), fails(maurer(), counts)


def saw_the_sample() -> str:
    path = ("prior", "seen", "count")
    return rejection(put(document(), path, get(document(), path) + 1))


def mask_saw_the_sample() -> str:
    path = ("prior", "mask", "source_seen", "count")
    return rejection(put(document(), path, get(document(), path) + 1))


def mask_chosen(rng: Rng, runs: int) -> Rates:
    """The best of the C(14, 7) = 3432 masks that keep half of 14 weights."""
    counts = best_of(rng, runs, 3432)
    return fails(maurer(choices=3432 * 15), counts), fails(maurer(), counts)


def grid_not_paid(rng: Rng, runs: int) -> Rates:
    """The best of 20 scales for each of 3 tensors."""
    counts = best_of(rng, runs, 20**3)
    return fails(maurer(choices=20**3), counts), fails(maurer(), counts)


def grid_dropped() -> str:
    unpaid = [entry for entry in document("grid")["union"] if "scale" not in entry["purpose"]]
    return rejection(put(document("grid"), ("union",), unpaid))


def scale_off_the_grid() -> str:
    """A prior scale chosen per tensor after training, between two points of the grid."""
    path = ("posterior", "tensors", 0, "prior_scale")
    return rejection(put(document("grid"), path, repr(float(get(document("grid"), path)) * 1.01)))


def oracle_scale(rng: Rng, runs: int) -> Rates:
    """Priors with all their mass on one of 8192 classifiers, the best of them taken last.

    As with the best scale of a weight, nothing of the divergence is left, and nothing is paid.
    """
    counts = best_of(rng, runs, 2**13)
    return fails(maurer(choices=2**13), counts), fails(maurer(), counts)


# --- the sample


def duplicated(rng: Rng, runs: int) -> Rates:
    """Every example is there ten times."""
    few = rng.binomial(N // 10, RISK, runs)
    return fails(maurer(N // 10), few), fails(maurer(), few * 10)


def more_examples_told(rng: Rng, runs: int) -> Rates:
    """n is said to be five times what it is; the binomial layer shows it."""
    counts = rng.binomial(N, RISK, runs)
    return fails(tail(), counts), int((tails_at(counts * 5, 5 * N) < RISK).sum())


def n_overstated() -> str:
    data = put(document(), ("data", "n"), 5 * document()["data"]["n"])
    return rejection(data)


def batch_means(rng: Rng, runs: int) -> Rates:
    """The mean of two batch means, of which the second has one example: 200 and 1."""
    first, last = rng.binomial(N, 0.3, runs), np.zeros(runs, dtype=int)
    right = tail(N + 1)[first + last] < 0.3 * N / (N + 1)
    wrong = tail(N)[np.floor((first / N + last) / 2 * N).astype(int)] < 0.3 * N / (N + 1)
    return int(right.sum()), int(wrong.sum())


def rate_below_the_counts() -> str:
    errors = document()["mc"]["errors"] // 2
    return rejection(propagate(put(document(), ("mc", "errors"), errors)))


# --- draws of weights


def draws_as_exact(rng: Rng, runs: int) -> Rates:
    """Each draw has risk 0 or .4 on a sample that is the truth; five draws, their mean as exact."""
    hits = rng.binomial(5, 0.5, runs)
    upper = np.array([chernoff_upper(risk=Fraction(k, 5), draws=5, delta=DELTA) for k in range(6)])
    right = 0.4 * upper[hits] < RISK
    wrong = maurer()[np.round(0.4 * hits / 5 * N).astype(int)] < RISK
    return int(right.sum()), int(wrong.sum())


def mean_as_upper() -> str:
    counts = document()["mc"]
    told = decimal_up(counts["errors"] / counts["trials"])
    return rejection(propagate(put(document(), ("mc", "risk_upper"), told)))


def shared_draws(rng: Rng, runs: int) -> Rates:
    """Twenty draws, each wrong everywhere or nowhere, counted as 20 x 200 independent trials."""
    hits = rng.binomial(20, RISK, runs)
    wrong = tails_at(hits * N, 20 * N) < RISK
    return fails(tail(20), hits), int(wrong.sum())


def seeds_tried(rng: Rng, runs: int) -> Rates:
    """The best of a hundred seeds of 1000 draws each, at a share of .01."""
    share = Fraction(1, 100)
    counts = rng.binomial(1000, RISK, (runs, 100)).min(axis=1)
    right = tails_at(counts, 1000, share / 100) < RISK
    return int(right.sum()), int((tails_at(counts, 1000, share) < RISK).sum())


# --- confidence and reporting


def best_of_tickets(rng: Rng, runs: int) -> Rates:
    """The best of ten hold-out bounds, all at the full delta."""
    counts = rng.binomial(N, RISK, (runs, 10)).min(axis=1)
    return fails(tail(delta=DELTA / 10), counts), fails(tail(), counts)


def hold_out_at_full_delta() -> str:
    """Seven priors were tried, but the hold-out bound beside them is at the full delta."""
    evidence = CASES["split"]()
    evidence["priors_tried"] = 7
    tried = issue(**evidence).document
    held = tried["reference"]["holdout"]
    full = binomial_upper(errors=held["errors"], trials=held["n"], delta=DELTA)
    return rejection(put(tried, ("reference", "holdout", "risk_upper"), decimal_up(full)))


def delta_spent_twice(rng: Rng, runs: int) -> Rates:
    """Two events, each at the full delta, at a risk where 24 errors of 200 just fail."""
    risk = float(tail()[24]) + 1e-9
    counts = rng.binomial(N, risk, runs)
    other = rng.binomial(N, risk, runs)
    right = (tail(delta=DELTA / 2)[counts] < risk) | (tail(delta=DELTA / 2)[other] < risk)
    wrong = (tail()[counts] < risk) | (tail()[other] < risk)
    return int(right.sum()), int(wrong.sum())


def shares_above_delta() -> str:
    shares = [{"purpose": "theorem", "share": "1/20"}, {"purpose": "draws", "share": "1/20"}]
    return rejection(put(document(), ("delta_shares",), shares))


def rounded_down(rng: Rng, runs: int) -> Rates:
    """The bound is cut after two digits, at a risk a hair above .2."""
    cut, risk = np.floor(tail() * 100) / 100, RISK + 1e-9
    counts = rng.binomial(N, risk, runs)
    return fails(tail(), counts, risk), fails(cut, counts, risk)


def cut_to_four_digits() -> str:
    told = document()["claim"]["risk_upper"][:6]
    return rejection(put(document(), ("claim", "risk_upper"), told))


def vote_for_gibbs(rng: Rng, runs: int) -> Rates:
    """Two of three voters err on 60 % of the examples: Gibbs risk .4, majority vote .6."""
    counts = rng.binomial(N, 0.6, runs)
    gibbs = np.array(
        [kl_bound(risk=Fraction(2 * k, 3 * N), kl=0, n=N, delta=DELTA) for k in range(N + 1)]
    )
    return fails(gibbs, counts, 0.4), fails(gibbs, counts, 0.6)


CONTROLS = (
    Control(condition="V1", misuse="prior picked on the sample, 10,000 of them, as if fixed",
            refused=saw_the_sample, rates=prior_picked),
    Control(condition="V2", misuse="prior scale chosen per tensor after training",
            refused=scale_off_the_grid, rates=oracle_scale),
    Control(condition="V4", misuse="mask chosen on the sample, as if given",
            refused=mask_saw_the_sample, rates=mask_chosen),
    Control(condition="V9", misuse="every example ten times",
            refused=changed(("data", "duplicates", "within"), 27000), rates=duplicated),
    Control(condition="V12", misuse="grid of 20 scales on 3 tensors, not paid",
            refused=grid_dropped, rates=grid_not_paid),
    Control(condition="V14", misuse="best of ten hold-out bounds, each at the full delta",
            refused=hold_out_at_full_delta, rates=best_of_tickets),
    Control(condition="V15", misuse="best of a hundred seeds of the draws",
            refused=changed(("mc", "root_sha256"), hashlib.sha256(b"lucky").hexdigest()),
            rates=seeds_tried, delta=Fraction(1, 100)),
    Control(condition="V17", misuse="mean of five draws taken as exact",
            refused=mean_as_upper, rates=draws_as_exact),
    Control(condition="V17", misuse="shared draws counted once per example",
            refused=changed(("mc", "design"), "shared-draws"), rates=shared_draws),
    Control(condition="V18", misuse="examples and draws each at the full delta",
            refused=shares_above_delta, rates=delta_spent_twice),
    Control(condition="V19", misuse="bound cut to fewer digits",
            refused=cut_to_four_digits, rates=rounded_down),
    Control(condition="V21", misuse="n said to be five times what it is",
            refused=n_overstated, rates=more_examples_told),
    Control(condition="V21", misuse="mean of batch means with a short last batch",
            refused=rate_below_the_counts, rates=batch_means),
    Control(condition="V27", misuse="a Gibbs bound quoted for the vote",
            refused=changed(("predictor",), "vote"), rates=vote_for_gibbs),
)  # fmt: skip


def visible(control: Control, failures: int, runs: int) -> bool:
    """Return whether so many failures are, if delta held, less likely than one in a million."""
    if failures == 0:
        return False
    right = binomial_upper(errors=runs - failures, trials=runs, delta=FALSE_ALARM)
    return Fraction(right) < 1 - control.delta


def judged(position: int, runs: int = 4000) -> Result:
    """Return what becomes of one misuse."""
    control = CONTROLS[position]
    right, wrong = control.rates(np.random.default_rng(position), runs)
    return {
        "condition": control.condition,
        "misuse": control.misuse,
        "refused": control.refused(),
        "delta": str(control.delta),
        "runs": runs,
        "right": right,
        "wrong": wrong,
        "visible": visible(control, wrong, runs),
        "sound": not visible(control, right, runs),
    }


EXPERIMENT = Experiment(
    name="controls",
    shards=len(CONTROLS),
    work=judged,
    depends=("pacbayes/bounds/*.py", "pacbayes/certificate/*.py", "tests/evidence/controls.py"),
)
