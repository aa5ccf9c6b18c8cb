"""One table of ratios: ``python -m tests.benchmarks [--rounds N] [--threads N] [--network NAME]``.

Ours and the baseline take turns in one process, so that what else the machine does meets both; a
ratio is the quotient of the two medians. With one thread the processor's time is taken, which other
programs disturb least.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch

from tests.benchmarks.work import NETWORKS, fit_step, one_draw, plain_forward, plain_step

KINDS = {"fit step": (fit_step, plain_step), "draw": (one_draw, plain_forward)}
BARS = {
    ("fit step", "mlp"): 2.2,
    ("fit step", "ticket of 2 %"): 0.6,
    ("fit step", "lenet5"): 1.1,
    ("draw", "mlp"): 2.2,
    ("draw", "ticket of 2 %"): 1.3,
    ("draw", "lenet5"): 1.5,
    ("draw", "resnet20"): 2.0,
}


def medians(
    ours: Callable[[], None], plain: Callable[[], None], *, rounds: int, clock: Callable[[], float]
) -> tuple[float, float]:
    """Return the median seconds of two calls that take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 2):
        for spent, call in zip(times, (ours, plain), strict=True):
            begin = clock()
            call()
            if turn >= 2:
                spent.append(clock() - begin)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--network", choices=NETWORKS, action="append")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    sys.stdout.write("| what | network | ours, ms | plain dense, ms | ratio | bar |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- | --- |\n")
    for kind, (ours, plain) in KINDS.items():
        for name in options.network or NETWORKS:
            if (kind, name) == ("fit step", "resnet20"):
                continue  # minutes, and no bar
            found = medians(ours(name), plain(name), rounds=options.rounds, clock=clock)
            bar = BARS.get((kind, name), "")
            cells = (1e3 * found[0], 1e3 * found[1], found[0] / found[1])
            numbers = " | ".join(f"{cell:.2f}" for cell in cells)
            sys.stdout.write(f"| {kind} | {name} | {numbers} | {bar} |\n")


if __name__ == "__main__":
    main()
