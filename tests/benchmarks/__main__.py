"""Tables of ratios: ``python -m tests.benchmarks [--rounds N] [--threads N] [--network NAME]``.

Ours and the baseline take turns in one process, so that what else the machine does meets both; a
ratio is the quotient of the two medians. With one thread the processor's time is taken, which other
programs disturb least. ``--what`` restricts the tables to fit steps, draws or the slack.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch

from pacbayes.runtime.memory import keep_freed_memory
from tests.benchmarks import others
from tests.benchmarks.work import (
    BATCH,
    DELTA,
    DRAWS,
    NETWORKS,
    RISK,
    SLACK,
    N,
    blocks_of,
    draws,
    fit_step,
    plain_passes,
    plain_step,
)

STEP_BARS = {"mlp": 2.2, "ticket of 2 %": 0.6, "lenet5": 1.1}
DRAW_BARS = {"mlp": 2.2, "ticket of 2 %": 1.3, "lenet5": 1.5, "resnet20": 2.0}
SLACK_BARS = {"mlp": 12.0, "lenet5": 10.0}
HEAD = "\n| {} | network | ours, ms | plain dense, ms | ratio | bar |\n|{}\n"


def medians(*calls: Callable[[], None], rounds: int, clock: Callable[[], float]) -> list[float]:
    """Return the median milliseconds of calls that take turns."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(rounds + 1):
        for spent, call in zip(times, calls, strict=True):
            begin = clock()
            call()
            if turn:
                spent.append(1e3 * (clock() - begin))
    return [statistics.median(spent) for spent in times]


def steps(names: list[str], *, rounds: int, clock: Callable[[], float]) -> None:
    """Print what a step of fitting costs beside one of plain SGD, both with memory kept."""
    keep_freed_memory()
    sys.stdout.write(HEAD.format("step", " --- |" * 6))
    for name in names:
        if name != "resnet20":  # minutes, and no bar
            found = medians(fit_step(name), plain_step(name), rounds=rounds, clock=clock)
            row("fit", name, found[0], found[1], STEP_BARS.get(name))


def one_draw(names: list[str], *, rounds: int, clock: Callable[[], float]) -> None:
    """Print what a block of examples costs in one draw beside a plain pass."""
    sys.stdout.write(HEAD.format("block", " --- |" * 6))
    for name in names:
        found = medians(draws(name), plain_passes(name), rounds=rounds, clock=clock)
        blocks = blocks_of(name)
        ours, plain = found[0] / blocks / DRAWS, found[1] / blocks
        row("draw", name, ours, plain, DRAW_BARS.get(name))


def passes(names: list[str], *, rounds: int, clock: Callable[[], float]) -> None:
    """Print what the whole evaluation for the slack costs in plain passes."""
    what = f"slack of {SLACK} at risk {RISK}, n = {N}"
    whole = others.whole_passes_for(SLACK, risk=RISK, delta=DELTA)
    sys.stdout.write(HEAD.format(what, " --- |" * 6))
    for name in [name for name in names if name in SLACK_BARS]:
        calls = draws(name, N), plain_passes(name, N), others.whole_pass(name)
        found = medians(*calls, rounds=max(1, rounds // 4), clock=clock)
        row(f"{DRAWS} draws per example", name, found[0], found[1], SLACK_BARS[name])
        theirs = whole * found[2] * N / BATCH
        row(f"{whole} whole passes, extrapolated from a batch", name, theirs, found[1], None)


def row(what: str, name: str, ours: float, plain: float, bar: float | None) -> None:
    """Print one row."""
    cells = f"{ours:.2f} | {plain:.2f} | {ours / plain:.2f} | {'' if bar is None else bar}"
    sys.stdout.write(f"| {what} | {name} | {cells} |\n")
    sys.stdout.flush()


TABLES = {"draw": one_draw, "slack": passes, "step": steps}
"""By ``--what``; steps last, since they change what becomes of freed memory."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--network", choices=NETWORKS, action="append")
    parser.add_argument("--what", choices=TABLES, action="append")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    for what in options.what or TABLES:
        TABLES[what](options.network or list(NETWORKS), rounds=options.rounds, clock=clock)


if __name__ == "__main__":
    main()
