"""The page: what was found, in Markdown, and how much of it is still to be done."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from tests.bounds import test_golden
from tests.evidence import arithmetic, checkers, controls, coverage, mutants, synthetic
from tests.evidence.experiments import EXPERIMENTS
from tests.evidence.mutate import mutants as changes_of
from tests.evidence.shards import added

TEMPLATE = Path(__file__).with_suffix(".md")


def write_page(page: Path, results: Path) -> None:
    """Write the page from the results that are there."""
    parts = {
        "unfinished": _unfinished(results),
        "arithmetic": _arithmetic(results),
        "largest": arithmetic.LARGEST_N,
        "deltas": ", ".join(str(delta) for delta in arithmetic.DELTAS),
        "order": _order(results),
        "exact": _exact(results),
        "golden": _golden(),
        "n": coverage.N,
        "delta": coverage.DELTA,
        "choices": f"{coverage.CHOICES:,}",
        "risk": coverage.RISK,
        "allowed": int(coverage.DELTA * coverage.RUNS),
        "coverage": _coverage(results),
        "controls": _controls(results),
        "checkers": _checkers(results),
        "synthetic_delta": synthetic.DELTA,
        "weights": synthetic.WEIGHTS,
        "synthetic": _synthetic(results),
        **_mutants(results),
    }
    page.write_text(Template(TEMPLATE.read_text()).substitute(parts))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def _unfinished(results: Path) -> str:
    told = []
    for experiment in EXPERIMENTS.values():
        done = len(experiment.known(results))
        if done < experiment.shards:
            told.append(f"- `{experiment.name}`: {done} of {experiment.shards} shards are done.")
    if not told:
        return ""
    return "\n".join(["**Not all is done yet**; the next run goes on from here:", "", *told, ""])


def _arithmetic(results: Path) -> str:
    rows = []
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
    return _table(["function", "inputs", "unsafe", "most slack", "slack: inputs"], rows)


def _order(results: Path) -> str:
    found = arithmetic.ORDER.known(results)
    apart = max((result["apart"] for result in found), default=0.0)
    told = [f"{added(found, 'inputs'):,}", added(found, "below"), f"{apart:.1e}"]
    return _table(["inputs", "relaxations below kl", "best tangent away from kl"], [told])


def _exact(results: Path) -> str:
    found = arithmetic.EXACT.known(results)
    triples = f"{added(found, 'inputs'):,}"
    worst = max((result["chernoff_worst"] for result in found), default=0.0)
    most = max((result["most"] for result in found), default=0)
    tail = ["binomial tail", triples, added(found, "unsafe"), "1", f"{most} ulp"]
    chernoff = ["kl-Chernoff", triples, added(found, "chernoff_failures"), f"{worst:.6f}", "-"]
    head = ["layer", "(k, n, delta)", "failures", "largest chance / delta", "most slack"]
    return _table(head, [tail, chernoff])


def _golden() -> str:
    rows = []
    for name, check, vectors in (
        ("PAC-Bayes-kl", test_golden.test_pac_bayes_kl, test_golden.PAC_BAYES_KL),
        ("binomial tail", test_golden.test_binomial_tail_inversion, test_golden.BINOMIAL),
        ("kl-Chernoff over draws", test_golden.test_chernoff_over_draws, test_golden.CHERNOFF),
    ):
        for vector in vectors:
            check(*vector)  # type: ignore[arg-type]
        rows.append([name, len(vectors), "all"])
    return _table(["function", "vectors", "right"], rows)


def _coverage(results: Path) -> str:
    head = ["bound", "worst chance / delta", "failures, paid", "failures, unpaid"]
    found = coverage.EXPERIMENT.known(results)
    of = f"of {coverage.RUNS:,}"
    return _table(
        head,
        [[r["bound"], f"{r['worst']:.3f}", f"{r['paid']} {of}", f"{r['unpaid']} {of}"]
         for r in found],
    )  # fmt: skip


def _controls(results: Path) -> str:
    rows = []
    for found in controls.EXPERIMENT.known(results):
        rates = [f"{found[use] / found['runs']:.3f}" for use in ("right", "wrong")]
        seen = "yes" if found["visible"] and found["sound"] else "**no**"
        refused = found["refused"].replace("|", " or ")[:75]
        told = [found["condition"], found["misuse"], f"`{refused}`", found["delta"]]
        rows.append([*told, *rates, seen])
    head = ["", "misuse", "refused with", "delta", "right", "misused", "visible"]
    return _table(head, rows)


def _checkers(results: Path) -> str:
    found = checkers.EXPERIMENT.known(results)
    head = ["issued, both accept", "changed, both refuse", "changed, both accept", "they differ"]
    fields = ("valid", "refused", "accepted", "differ")
    return _table(head, [[f"{added(found, field):,}" for field in fields]])


def _synthetic(results: Path) -> str:
    found = synthetic.EXPERIMENT.known(results)
    repetitions = added(found, "repetitions")
    slack = sum(r["slack"] * r["repetitions"] for r in found) / max(repetitions, 1)
    told = [repetitions, added(found, "failures"), added(found, "vacuous"), f"{slack:.3f}"]
    head = ["repetitions", "certificates below the true risk", "vacuous", "mean distance"]
    return _table(head, [told])


def _mutants(results: Path) -> dict[str, str]:
    rows: list[list[object]] = []
    told, left, totals = [], [], Counter[int]()
    for target in mutants.TARGETS:
        fates = mutants.load(results, target)
        changes = [change.name for change in changes_of(target.read_text())]
        known = mutants.reasons().get(target.stem, {})
        explained = [name for name in changes if mutants.reason(known, name)]
        faults = [name for name in changes if name not in explained]
        open_ones = ("survived", mutants.LATER)
        killed = sum(fates.get(name, "survived") not in open_ones for name in faults)
        survived = [n for n in changes if fates.get(n) == "survived" and n not in explained]
        tried = killed + len(survived) + len(explained)
        numbers = [len(changes), tried, killed, len(explained), len(survived)]
        totals.update(dict(enumerate(numbers)))
        rows.append([target.stem, *numbers])
        for name, reason in known.items():
            several = sum(change.startswith(f"{name}:") for change in changes)
            what = f"all {several} of `{name}`" if several else f"`{name}`"
            told.append(f"- `{target.stem}`, {what}: {reason}")
        left += [f"- `{target.stem}`, `{name}`" for name in survived]
    rows.append(["**all**", *(totals[position] for position in range(5))])
    head = ["file", "mutants", "tried or explained", "killed", "explained", "unexplained"]
    untried = totals[0] - totals[1]
    return {
        "untried": f"**{untried:,} are not tried yet**; the next run goes on.\n" if untried else "",
        "mutants": _table(head, rows),
        "unexplained": "\n".join(left) or "None.",
        "explained": "\n".join(told) or "None.",
    }
