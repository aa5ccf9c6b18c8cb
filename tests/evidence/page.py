"""The page: what was found, in Markdown, and how much of it is still to be done."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bounds import test_golden
from tests.evidence import arithmetic, checkers, controls, coverage, mutants, synthetic
from tests.evidence.mutate import mutants as changes_of
from tests.evidence.shards import Experiment, added

MUTANTS_HEAD = ["file", "mutants", "tried", "killed", "the same, explained", "unexplained"]

HEAD = """# Evidence

Why believe a number that `pacbayes` prints: what was tried to prove it wrong, and what came out.
This page is written by `make evidence` from results in `build/evidence`; what is missing there
is done first, shard by shard, and what a change of the code has made stale is done again.
"""


def write_page(page: Path, results: Path) -> None:
    """Write the page from the results that are there."""
    sections = (
        _arithmetic(results), _exact(results), _golden(), _coverage(results), _controls(results),
        _checkers(results), _synthetic(results), _mutants(results),
    )  # fmt: skip
    page.write_text("\n".join([HEAD, *sections]))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def _done(experiment: Experiment, results: Path) -> str:
    found = len(experiment.known(results))
    if found == experiment.shards:
        return ""
    told = f"{found} of {experiment.shards} shards of `{experiment.name}` are done"
    return f"*Unfinished: {told}; `make evidence` goes on from there.*\n\n"


def _arithmetic(results: Path) -> str:
    rows, left = [], ""
    for experiment, what in (
        (arithmetic.KL, "inverse of the binary kl"),
        (arithmetic.BINOMIAL, "inverse of the binomial tail"),
    ):
        found = experiment.known(results)
        slacks: Counter[str] = Counter()
        for result in found:
            slacks.update(result["slacks"])
        told = ", ".join(f"{slack}: {slacks[slack]:,}" for slack in sorted(slacks, key=int))
        most = max((result["most"] for result in found), default="-")
        rows.append([what, f"{added(found, 'inputs'):,}", added(found, "unsafe"), most, told])
        left += _done(experiment, results)
    return f"""## Random inputs against Arb

Inputs of eight regimes, from everyday certificates to subnormal numbers and deltas of 1e-300; up
to ten million trials. Arb balls of python-flint decide whether a published value is below the
truth (*unsafe*), and how many doubles below it are still valid (its *slack*, in ulp).

{_table(["function", "inputs", "unsafe", "most slack", "slack: inputs"], rows)}
{left}"""


def _exact(results: Path) -> str:
    found = arithmetic.EXACT.known(results)
    worst = max((result["chernoff_worst"] for result in found), default=math.nan)
    unsafe = added(found, "unsafe") + added(found, "chernoff_failures")
    deltas = ", ".join(str(delta) for delta in arithmetic.DELTAS)
    return f"""## Exact coverage, by enumeration

For every size n up to {arithmetic.LARGEST_N}, every count k below n and delta in {
deltas     }: the chance that the upper value of the count lies below the truth is largest where
the truth passes one of the values, so that it is at most delta for *all* truths if and only if
P(Bin(n, upper(k)) <= k) <= delta for every k.

{
        _table(
            [
                "layer",
                "(k, n, delta)",
                "failures",
                "largest chance / delta",
                "the double below fails",
            ],
            [
                [
                    "binomial tail",
                    f"{added(found, 'inputs'):,}",
                    added(found, "unsafe"),
                    "1",
                    _ulps(max((r["most"] for r in found), default=0)),
                ],
                [
                    "kl-Chernoff",
                    f"{added(found, 'inputs'):,}",
                    added(found, "chernoff_failures"),
                    f"{worst:.6f}",
                    "not demanded",
                ],
            ],
        )
    }
{unsafe} failures in all. {_done(arithmetic.EXACT, results)}"""


def _ulps(most: int) -> str:
    return "always" if most == 0 else f"or the {most + 1}nd below it"


def _golden() -> str:
    vectors = [
        ["PAC-Bayes-kl", len(test_golden.PAC_BAYES_KL)],
        ["binomial tail", len(test_golden.BINOMIAL)],
        ["kl-Chernoff over draws", len(test_golden.CHERNOFF)],
    ]
    for row, checks in zip(
        vectors,
        (
            [test_golden.test_pac_bayes_kl, test_golden.PAC_BAYES_KL],
            [test_golden.test_binomial_tail_inversion, test_golden.BINOMIAL],
            [test_golden.test_chernoff_over_draws, test_golden.CHERNOFF],
        ),
        strict=True,
    ):
        for vector in checks[1]:  # type: ignore[union-attr]
            checks[0](*vector)  # type: ignore[operator]
        row.append("all")
    return f"""## Golden vectors

Digits that Arb rounded correctly, in another program at another time, against the published
doubles; each must be the first double from the true digits on. Just recomputed.

{_table(["function", "vectors", "right"], vectors)}"""


def _coverage(results: Path) -> str:
    found = coverage.EXPERIMENT.known(results)
    rows = [
        [r["bound"], f"{r['worst']:.3f}", f"{r['paid']} of {r['runs']:,}",
         f"{r['unpaid']} of {r['runs']:,}"]
        for r in found
    ]  # fmt: skip
    return f"""## Coverage with a known risk

n = {coverage.N}, delta = {coverage.DELTA}. First, one fixed classifier and no divergence: the
chance of failure at the worst of all risks, exactly, over delta. Then the best of
{coverage.CHOICES:,} classifiers of risk {coverage.RISK}, chosen with the examples: failures when
ln {coverage.CHOICES:,} nats are paid for the choice (at most {float(coverage.DELTA) *
coverage.RUNS:.0f} are allowed), and when they are not.

{_table(["bound", "worst chance / delta", "failures, paid", "failures, unpaid"], rows)}
PAC-Bayes bounds are loose for one classifier, so that coverage alone would not see a forgotten
half of the price; the golden vectors, the exact enumeration and the mutants below would.

{_done(coverage.EXPERIMENT, results)}"""


def _controls(results: Path) -> str:
    found = controls.EXPERIMENT.known(results)
    rows = [
        [r["condition"], r["misuse"], f"`{r['refused'][:70]}`", r["delta"],
         f"{r['right'] / r['runs']:.3f}", f"{r['wrong'] / r['runs']:.3f}",
         "yes" if r["visible"] else "**no**"]
        for r in found
    ]  # fmt: skip
    return f"""## Negative controls

Each misuse is refused by the checker, sealed again by an attacker or not. And if the refusal is
switched off, a coverage test sees it, with a chance of a false alarm below one in a million: so
the tests have the power to notice. Failure rates over {found[0]["runs"] if found else 0:,} runs,
of the right use and of the misuse.

{_table(["", "misuse", "refused with", "delta", "right", "misused", "visible"], rows)}
{_done(controls.EXPERIMENT, results)}"""


def _checkers(results: Path) -> str:
    found = checkers.EXPERIMENT.known(results)
    valid, accepted = added(found, "valid"), added(found, "accepted")
    refused, differ = added(found, "refused"), added(found, "differ")
    return f"""## Two checkers

The checker that ships is decimal arithmetic of the standard library. A second one, on Arb balls
and exact fractions, was written from the schema and shares no code with it. Both judged random
certificates of all theorems, as issued, and the same with one or two random changes, sealed
again or not.

{         _table(             ["issued, both accept", "changed, both refuse", "changed, both
accept", "they differ"],             [[f"{valid:,}", f"{refused:,}", f"{accepted:,}", differ]],
)     } A change that both accept moves nothing that is load-bearing: a label, a digest, a
condition that somebody declares.

{_done(checkers.EXPERIMENT, results)}"""


def _synthetic(results: Path) -> str:
    found = synthetic.EXPERIMENT.known(results)
    repetitions, failures = added(found, "repetitions"), added(found, "failures")
    slack = sum(r["slack"] * r["repetitions"] for r in found) / max(repetitions, 1)
    return f"""## Whole certificates on a problem of known risk

Two Gaussian clouds, a linear network found, pruned and certified by the pipeline itself at delta =
{
        synthetic.DELTA
    }, with a prior from a split and a prior at the initial weights by turns; fresh data each
time. The true Gibbs risk is the mean of exact risks of {
        synthetic.WEIGHTS
    } rules drawn from the posterior.

{
        _table(
            ["repetitions", "certificates below the true risk", "vacuous", "mean distance"],
            [[repetitions, failures, added(found, "vacuous"), f"{slack:.3f}"]],
        )
    }
{_done(synthetic.EXPERIMENT, results)}"""


def _mutants(results: Path) -> str:
    rows, told, left = [], [], []
    reasons = mutants.reasons()
    for target in mutants.TARGETS:
        fates = mutants.load(results, target)
        changes = [change.name for change in changes_of(target.read_text())]
        known = reasons.get(target.stem, {})
        explained = [name for name in changes if name in known]
        killed = sum(fates.get(name, "survived") != "survived" for name in changes)
        survived = [n for n in changes if fates.get(n) == "survived" and n not in known]
        tried = killed + len(survived) + len(explained)
        rows.append([target.stem, len(changes), tried, killed, len(explained), len(survived)])
        told += [f"- `{target.stem}`, `{name}`: {known[name]}" for name in explained]
        left += [f"- `{target.stem}`, `{name}`" for name in survived]
    totals = ["**all**", *(sum(int(str(row[i])) for row in rows) for i in range(1, 6))]
    unexplained = "\n".join(left) or "None."
    return f"""## Mutants

One small wrong change at a time, of the arithmetic and of the checker: a comparison, an
operation, a number, a direction of rounding, a condition, a statement left out. The tests of the
room must fail. A mutant that survives is a fault that nobody would notice, unless it computes
the same.

{_table(MUTANTS_HEAD, [*rows, totals])}
### Unexplained

{unexplained}

### Explained

{chr(10).join(told) or "None."}
"""
