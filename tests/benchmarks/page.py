"""The table of ratios: ``python -m tests.benchmarks.page [PIECE ...] [--write FILE]``.

Each piece is measured in one run, its calls taking turns, and kept in a folder; the page is made of
what is there, so that pieces can be measured one at a time while the machine is quiet.
"""

import argparse
import json
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from tests.benchmarks.pieces import PIECES, measured
from tests.benchmarks.turns import Row

PAGE = Path(__file__).with_name("RESULTS.md")
HEAD = """\
# Costs beside named baselines

Written by `make bench`; read the ratios, not the seconds. Rows of one piece were measured in one
run, their calls taking turns, and show medians. *plain* is the same dense network without noise: an
SGD step, or a forward pass without gradients. A draw is one pass over 250 examples, each with
weights of its own; bayesian-torch's has the same weights for all 250, so it is another design. The
networks are `mlp` 784-600-600-600-10, its ticket that keeps 2 % of the weights (which all baselines
compute as a dense network), LeNet-5 and ResNet-20, in batches of 250. In *steps* both sides keep
the memory that they freed, as the program does; in *draws* neither does, as torch runs by default.
With kept memory the plain pass of ResNet-20 takes a quarter less, ours the same, and their ratio is
2.2 to 2.4; the other draws stay within their bars. A bar is a limit for the ratio, or for what is
ours where it has a unit. `mlp` and its ticket have the same baseline: where its times differ
between the two, something else ran meanwhile, and that ratio means little.

"""
LINE = "| {piece} | {what} | {ours} | {beside} | {ratio} | {bar} |"


def main() -> None:
    """Measure the pieces that are named, or all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pieces", nargs="*", metavar="PIECE", help=", ".join(PIECES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--write", type=Path, help=f"page to write, as {PAGE.name}")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    names = options.pieces or list(PIECES)
    for name in names:
        if len(names) > 1:  # a process of its own, whose memory no other piece has used
            own = ["--threads", str(options.threads), "--folder", str(options.folder)]
            command = [sys.executable, "-m", "tests.benchmarks.page", name, *own]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            continue
        rows = [asdict(row) for row in measured(name, threads=options.threads)]
        facts = {"rows": rows, "machine": machine(options.threads)}
        (options.folder / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")
    text = page(options.folder)
    sys.stdout.write(text)
    if options.write is not None:
        options.write.write_text(text)


def machine(threads: int) -> str:
    """Return what the ratios may depend on."""
    kind = f"{platform.system()} {platform.machine()}"
    return (
        f"{kind}, {threads} threads, Python {platform.python_version()}, torch {torch.__version__}"
    )


def page(folder: Path) -> str:
    """Return the page of all pieces that were measured."""
    lines = [LINE.format(piece="piece", what="what", ours="ours", beside="beside", ratio="ratio",
                         bar="bar"), LINE.format(**dict.fromkeys(ROW, "---"))]  # fmt: skip
    machines = set()
    for name in PIECES:
        path = folder / f"{name}.json"
        if not path.is_file():
            continue
        facts = json.loads(path.read_text())
        machines.add(facts["machine"])
        lines += [LINE.format(piece=name, **asdict(Row(**row))) for row in facts["rows"]]
    return HEAD + "\n".join([*lines, "", *(f"{text}.  " for text in sorted(machines))]) + "\n"


ROW = ("piece", "what", "ours", "beside", "ratio", "bar")

if __name__ == "__main__":
    main()
