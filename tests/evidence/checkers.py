"""Two checkers on random certificates of every theorem, valid and mutated: do they agree?"""

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from pacbayes.bounds import Confidence, add_upper, count_prior_upper
from pacbayes.certificate import Choice, DrawFacts, References, TensorFacts, checker, issue
from pacbayes.certificate.checker import canonical
from pacbayes.errors import PacBayesError
from tests.certificate import flint_checker
from tests.certificate.cases import CASES
from tests.certificate.tampering import Path, get, propagate, put, scaled, seal
from tests.evidence.shards import Experiment, Result

SHARDS, DOCUMENTS = 400, 50
Dice = random.Random  # noqa: S311
Evidence = dict[str, Any]


def documents(dice: Dice) -> Iterator[dict[str, Any]]:
    """Yield certificates without end, of all theorems by turns, issued from random evidence."""
    while True:
        for case in CASES:
            try:
                yield issue(**randomised(dice, case)).document
            except PacBayesError:
                continue  # a random chain may break the order that stages need, for instance


def randomised(dice: Dice, case: str) -> Evidence:
    """Return evidence of a case with other numbers, from everyday to extreme."""
    evidence = CASES[case]()
    sizes, single = evidence.get("stages"), evidence["posterior"].network_sha256 is not None
    n = evidence["data"].n if sizes else int(10 ** dice.uniform(0, 7))
    draws = 1 if single else dice.randint(1, 9)
    errors = int(draws * n * dice.random() ** dice.choice([1, 9]))
    evidence["data"] = replace(
        evidence["data"], n=n, total=max(n, evidence["data"].total) + evidence["prior"].seen.count
    )
    evidence["draws"] = DrawFacts(draws=draws, errors=errors, trials=draws * n)
    held = evidence["references"].holdout_errors
    evidence["references"] = References(holdout_errors=None if held is None else dice.randint(0, n))
    evidence["confidence"] = Confidence(dice.choice(["0.05", "0.5", "0.9", "0.000001", 0.05]))
    if sizes:
        evidence["stages"] = [_stage(dice, stage) for stage in sizes]
        return evidence
    parts = [_tensor(dice, part, case) for part in evidence["posterior"].tensors]
    evidence["posterior"] = replace(evidence["posterior"], tensors=tuple(parts))
    if dice.random() < 0.5:
        choice = Choice(purpose="anything", choices=10 ** dice.randint(0, 12))
        evidence["union"] = [*evidence.get("union", []), choice]
    if case == "catoni":
        evidence["parameter"] = repr(10 ** dice.uniform(-3, 2))
    return evidence


def _stage(dice: Dice, stage: Any) -> Any:
    trials, most = stage.trials, stage.trials
    found = []
    for _ in stage.errors:
        most = dice.randint(0, most)
        found.append(most)
    return replace(stage, errors=tuple(found), trials=trials)


def _tensor(dice: Dice, part: TensorFacts, case: str) -> TensorFacts:
    if case == "test-set":
        return part
    nats = [add_upper([repr(10 ** dice.uniform(-30, 3.5))]) for _ in range(3)]
    changes: dict[str, Any] = {"mean": nats[0], "scale": nats[1]}
    if case == "disintegrated" and dice.random() < 0.5:
        changes["scale"] = f"-{nats[1]}"
    if case == "grid":
        kept = dice.randint(0, part.n_weights)
        price = count_prior_upper(part.n_weights, kept) if kept < part.n_weights else "0"
        changes |= {"n_active": kept, "mask": price}
    elif case in ("occam", "gates") and part.mask != "0":
        changes["mask"] = nats[2] if case == "occam" else add_upper([part.mask, nats[2]])
    return replace(part, **changes)


# --- mutations


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all values that are no dicts, lists included."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    else:
        yield path
        if isinstance(value, list):
            for position, part in enumerate(value):
                yield from leaves(part, (*path, position))


def mutated(dice: Dice, document: dict[str, Any]) -> bytes:
    """Return a document with a change or two, sealed by an attacker or not."""
    changed = copy.deepcopy(document)
    for _ in range(dice.choice([1, 1, 1, 2])):
        changed = _changed(dice, changed)
    for finish in dice.choice([(propagate, seal), (seal,), (canonical,)]):
        try:
            changed = finish(changed)  # type: ignore[operator]
        except Exception:  # what cannot be carried through is judged as it is
            return json.dumps(document | {"name": 1}).encode()
    return changed if isinstance(changed, bytes) else canonical(changed)


def _changed(dice: Dice, document: dict[str, Any]) -> dict[str, Any]:
    path = dice.choice(list(leaves(document)))
    value = get(document, path)
    if dice.random() < 0.03:
        changed = copy.deepcopy(document)
        holder = get(changed, path[:-1])
        holder.pop(path[-1])
        if isinstance(holder, dict) and dice.random() < 0.5:
            holder["more"] = value
        return changed
    return put(document, path, _other(dice, value))


def _other(dice: Dice, value: Any) -> Any:
    """Return another value of the same kind, mostly."""
    if dice.random() < 0.03:
        return dice.choice([None, True, 1.5, "", "x", [], {}, -1, "1e5", "0", "NaN", 10**36])
    if isinstance(value, bool) or value is None:
        return dice.choice([0, 1, "0.5", "a" * 64])
    if isinstance(value, int):
        steps: list[Callable[[int], int]] = [
            lambda x: x + 1, lambda x: x - 1, lambda x: 2 * x, lambda x: x // 2, lambda _: 0,
        ]  # fmt: skip
        return dice.choice(steps)(value)
    if isinstance(value, list):
        return value[:-1] if dice.random() < 0.5 else value + value[:1]
    return _other_text(dice, value)


def _other_text(dice: Dice, text: str) -> str:
    words = ["init", "split", "free", "count", "gates", "code", "declared", "checked", "violated"]
    words += ["n/a", "user", "code", "catoni", "occam", "pb-kl-maurer", "single", "gibbs", "fixed"]
    try:
        number = Fraction(text)
    except ValueError:
        return dice.choice([dice.choice(words), text[:-1], f"{text}a", text.upper()])
    if "/" in text:
        above, below = number.as_integer_ratio()
        return dice.choice(
            [f"{above + 1}/{below}", f"{above}/{below + 1}", f"{2 * above}/{2 * below}"]
        )
    if "e" in text.lower() and abs(number) < Fraction(1, 10**60):
        return dice.choice(["0", "1", f"-{text}"])
    factor = dice.choice(["1.000000001", "0.999999999", "1.000000000000001", "2", "0.5", "0"])
    other = scaled(text, factor).lower()
    return dice.choice([other, other, f"{text}0", f"-{text}", "0", "1"])


def agreement(shard: int) -> Result:
    """Return how many documents both checkers accept, both refuse, or judge differently."""
    dice = random.Random(f"checkers {shard}")  # noqa: S311
    found = {"valid": 0, "accepted": 0, "refused": 0, "differ": 0}
    source, differing = documents(dice), []
    for _ in range(DOCUMENTS):
        document = next(source)
        for data, kind in ((canonical(document), "valid"), (mutated(dice, document), "")):
            first, second = _verdict(data), flint_checker.refusal(data)
            if bool(first) != bool(second) or (kind and first):
                found["differ"] += 1
                differing.append([first, second, data.decode()])
            else:
                found[kind or ("refused" if first else "accepted")] += 1
    return {**found, "differing": differing[:5]}


def _verdict(data: bytes) -> str:
    try:
        checker.check(data)
    except checker.Rejected as error:
        return str(error)
    return ""


EXPERIMENT = Experiment(
    name="checkers",
    shards=SHARDS,
    work=agreement,
    depends=(
        "pacbayes/bounds/*.py", "pacbayes/certificate/checker.py", "pacbayes/certificate/issue.py",
        "tests/certificate/cases.py", "tests/certificate/flint_*.py", "tests/evidence/checkers.py",
    ),
)  # fmt: skip
