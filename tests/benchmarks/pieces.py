"""The pieces of the table, each of them done in two minutes and a half."""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import torch

from pacbayes.bounds import binomial_upper, kl_inverse_upper
from pacbayes.runtime.memory import keep_freed_memory
from tests.benchmarks import others, scaling, work
from tests.benchmarks.scaling import Case
from tests.benchmarks.turns import Call, Row, against, duration, medians
from tests.benchmarks.work import (
    DELTA,
    DRAWS,
    RISK,
    SLACK,
    blocks_of,
    fit_step,
    plain_passes,
    plain_step,
)
from tests.peaks import GIB, peak

STEP_BARS = {"mlp": 2.2, "ticket of 2 %": 0.6, "lenet5": 1.1}
DRAW_BARS = {"mlp": 2.2, "ticket of 2 %": 1.3, "lenet5": 1.5, "resnet20": 2.0}
SLACK_BARS = {"mlp": 12, "lenet5": 10}
RECORDS = Path(__file__).resolve().parents[2] / "notebooks" / "records"


def steps() -> list[Row]:
    """A fitting step, bayesian-torch's, and a plain SGD step of the same dense network."""
    keep_freed_memory()
    calls = {"ours": fit_step, "plain SGD step": plain_step}
    return _beside("fit step", calls, others.bayesian_step, STEP_BARS, rounds=15)


def draws() -> list[Row]:
    """One draw for each example, bayesian-torch's one for all, and a plain forward pass."""
    rows = []
    for name, bar in DRAW_BARS.items():
        blocks, what = blocks_of(name), f"draw per example, {name}"
        calls = {"ours": work.draws(name), "plain forward": plain_passes(name)}
        if others.BAYESIAN_TORCH:
            calls["bayesian-torch"] = partial(_several, others.bayesian_draw(name), blocks)
        found = {key: seconds / blocks for key, seconds in medians(calls, rounds=7).items()}
        ours = found.pop("ours") / DRAWS
        for key, seconds in found.items():
            rows.append(
                against(what, ours, key, seconds, bar=bar if key == "plain forward" else None)
            )
        if not others.BAYESIAN_TORCH:
            rows.append(Row(what=what, ours="", beside=others.ABSENT))
    return rows


def _beside(
    what: str,
    makers: dict[str, Callable[[str], Call]],
    bayesian: Callable[[str], Call],
    bars: dict[str, float],
    *,
    rounds: int,
) -> list[Row]:
    """Return, for each network, ours against both others, which take turns."""
    rows = []
    ours, plain = makers
    for name, bar in bars.items():
        calls = {kind: make(name) for kind, make in makers.items()}
        if others.BAYESIAN_TORCH:
            calls["bayesian-torch"] = bayesian(name)
        found = medians(calls, rounds=rounds)
        rows.append(against(f"{what}, {name}", found[ours], plain, found[plain], bar=bar))
        if others.BAYESIAN_TORCH:
            theirs = found["bayesian-torch"]
            rows.append(against(f"{what}, {name}", found[ours], "bayesian-torch", theirs))
        else:
            rows.append(Row(what=f"{what}, {name}", ours="", beside=others.ABSENT))
    return rows


def slack() -> list[Row]:
    """The passes that a slack of 0.001 at a risk of 0.02 takes, ours and with one draw a pass."""
    whole = others.whole_passes_for(SLACK, risk=RISK, delta=DELTA)
    rows = []
    for name, bar in SLACK_BARS.items():
        calls = {
            "ours": work.draws(name),
            "plain": plain_passes(name),
            "whole": partial(_several, others.whole_pass(name), blocks_of(name)),
        }
        found = medians(calls, rounds=7)
        ours, theirs = found["ours"] / found["plain"], whole * found["whole"] / found["plain"]
        rows.append(
            Row(
                what=f"slack {SLACK} at risk {RISK}, {name}: {DRAWS} draws per example",
                ours=f"{ours:.2f} plain passes",
                beside=f"one draw a pass, {whole} of them: {theirs:.0f} plain passes, extrapolated",
                ratio=f"{ours / theirs:.1e}",
                bar=f"{bar} plain passes",
            )
        )
    return rows


def _several(call: Call, times: int) -> None:
    for _ in range(times):
        call()


def by_weights() -> list[Row]:
    """Step and draws by the width of a perceptron."""
    return _growth("weights", [Case(width=width) for width in scaling.WIDTHS], rounds=5)


def by_sparsity() -> list[Row]:
    """Step and draws by the fraction of weights that are kept."""
    return _growth("density", [Case(density=density) for density in scaling.DENSITIES], rounds=5)


def _growth(what: str, cases: list[Case], *, rounds: int) -> list[Row]:
    rows = []
    for kind, make in (("fit step", scaling.step), ("draws", scaling.evaluation)):
        found = medians({str(c): make(c) for c in cases}, rounds=rounds)
        first = cases[0]
        for case in cases[1:]:
            text = f"{kind} by {what}: {case.weights:,} kept weights"
            name = f"{first.weights:,} kept weights"
            rows.append(against(text, found[str(case)], name, found[str(first)]))
    return rows


def by_examples_and_draws() -> list[Row]:
    """Draws by the number of examples, and by the number of draws."""
    rows = []
    for what, cases in (
        ("examples", [Case(examples=count) for count in scaling.EXAMPLES]),
        ("draws", [Case(draws=count) for count in scaling.DRAWS]),
    ):
        found = medians({str(c): scaling.evaluation(c) for c in cases}, rounds=3)
        first = cases[0]
        for case in cases[1:]:
            text = f"draws by {what}: {getattr(case, what):,}"
            name = f"{getattr(first, what):,}"
            rows.append(against(text, found[str(case)], name, found[str(first)]))
    return rows


def by_processes() -> list[Row]:
    """The same draws by one process of one thread, and shared by two."""
    one, two = (
        statistics.median(scaling.processes_seconds(count, rounds=5)) for count in scaling.PROCESSES
    )
    return [against("draws by processes: 2", two, "1", one)]


def arithmetic() -> list[Row]:
    """Certified inverses at n = 60,000."""
    calls = {
        "kl inverse": lambda: _drop(kl_inverse_upper(q=0.02, c=0.01)),
        "binomial inverse, 1,200 of 60,000": lambda: _drop(
            binomial_upper(errors=1200, trials=60_000, delta="0.005")
        ),
    }
    bars = {"kl inverse": "1 ms"}
    found = medians(calls, rounds=30)
    return [
        Row(what=name, ours=duration(seconds), bar=bars.get(name, "10 ms"))
        for name, seconds in found.items()
    ]


def start() -> list[Row]:
    """How soon commands that need no torch are done."""
    one, other = sorted(str(path) for path in RECORDS.glob("*.json"))[:2]
    with tempfile.TemporaryDirectory() as folder:
        baseline = str(Path(folder) / "baseline.json")
        check = ["check", one, "--baseline", baseline]
        peak("-m", "pacbayes", *check, "--update-baseline")
        commands = {
            "--help": ["--help"],
            "bound": "bound --errors 600 --trials 30000 --kl 120 --n 30000 --delta 0.05".split(),
            "verify": ["verify", one],
            "check": check,
            "compare": ["compare", one, other],
        }
        calls = {name: partial(_run, command) for name, command in commands.items()}
        found = medians(calls, rounds=10)
    return [
        Row(what=f"pacbayes {name}", ours=duration(seconds), bar="0.4 s")
        for name, seconds in found.items()
    ]


def _run(arguments: list[str]) -> None:
    done = peak("-m", "pacbayes", *arguments)
    if done.code != 0:
        raise RuntimeError(done.output)


def divergence() -> list[Row]:
    """10^8 weights from a file, by one process."""
    program = "tests.posterior.large_divergence"
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "posterior.safetensors")
        written = peak("-m", program, "write", path)
        done = peak("-m", program, "read", path)
    if written.code or done.code:
        raise RuntimeError(written.output + done.output)
    seconds = json.loads(done.output)["seconds"]
    return [
        Row(what="divergence of 1e8 weights", ours=duration(seconds), bar="60 s"),
        Row(
            what="divergence of 1e8 weights, whole process",
            ours=f"{done.memory / 1e9:.2f} GB",
            bar="2 GB",
        ),
    ]


def large_network() -> list[Row]:
    """ResNet-50 of 1,000 classes: 10 steps of 4 images of 32 x 32, then one draw for each of 40."""
    from tests.pipeline.test_large_networks import certified_resnet50

    with tempfile.TemporaryDirectory() as folder:
        done = certified_resnet50(Path(folder))
    what = "25,557,032 weights, 10 steps and a certificate"
    return [
        Row(what=what, ours=f"{done.memory / GIB:.2f} GiB", bar="8 GiB"),
        Row(what=what, ours=duration(done.seconds)),
    ]


def certificate(level: int) -> list[Row]:
    """LeNet-300-100 on MNIST, prior split: from a checkpoint to its certificate, by defaults."""
    kind = "ticket of 10 %" if level else "dense"
    what = f"lenet300 on MNIST, {kind}, prior split: checkpoint to certificate"
    if "PACBAYES_DATA" not in os.environ:
        return [Row(what=what, ours="", beside="PACBAYES_DATA is not set", bar="90 s")]
    network_options = ["--model", "lenet300", "--data", "mnist", "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        run, out = Path(folder) / "run", Path(folder) / "out"
        found = peak(
            *["-m", "pacbayes", "find", *network_options, "--method", "one-shot", "--levels", "1"],
            *["--fraction", "0.9", "--epochs", "1", "--split", "0.5", "--out", str(run)],
        )
        ticket = str(run / f"level_{level:02d}")
        done = peak("-m", "pacbayes", "certify", ticket, *network_options, "--out", str(out))
    if found.code or done.code:
        raise RuntimeError(found.output + done.output)
    return [Row(what=what, ours=duration(done.seconds), bar="90 s")]


def _drop(_: float) -> None:
    """Leave a value alone."""


PIECES: Final[dict[str, Callable[[], list[Row]]]] = {
    "steps": steps,
    "draws": draws,
    "slack": slack,
    "weights": by_weights,
    "sparsity": by_sparsity,
    "examples": by_examples_and_draws,
    "processes": by_processes,
    "arithmetic": arithmetic,
    "start": start,
    "divergence": divergence,
    "network": large_network,
    "dense": partial(certificate, 0),
    "ticket": partial(certificate, 1),
}


def measured(name: str, *, threads: int) -> list[Row]:
    """Return the rows of one piece, measured now."""
    torch.set_num_threads(threads)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    sys.stderr.write(f"{name} ...\n")
    return PIECES[name]()
