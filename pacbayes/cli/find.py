"""`pacbayes find`: find lottery tickets."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pacbayes.cli.options import network_options, pairs, run_options

if TYPE_CHECKING:
    from pacbayes.pruning import FindPlan

METHODS = [
    "iterative",
    "one-shot",
    "random",
    "magnitude-init",
    "snip",
    "grasp",
    "synflow",
    "supermask",
    "continuous",
]
SCORES = ["magnitude", "l1", "l2", "lamp", "softmax", "min-max", "largest", "random"]


@click.command(
    epilog="""
\b
Examples:
  pacbayes find --model lenet300 --data mnist --data-root DIR --method iterative \\
      --score magnitude --levels 14 --fraction 0.2 --rewind init --split 0.5 --out RUN
  pacbayes find --model lenet300 --data mnist --data-root DIR --method synflow \\
      --density 0.5 --density 0.1 --density 0.05 --split 0 --out FREE

\b
Masks of random, magnitude-init and synflow look at no data and cost nothing in a bound.
With --density, one level for each density after the dense network; otherwise level k keeps
(1 - FRACTION)^k of the weights, whatever the method.
"""
)
@network_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="folder for the levels")
@click.option("--method", type=click.Choice(METHODS), default="iterative", show_default=True)
@click.option(
    "--score",
    type=click.Choice(SCORES),
    default="magnitude",
    show_default=True,
    help="importance of a trained weight",
)
@click.option("--scope", type=click.Choice(["global", "tensor"]), help="compare weights across")
@click.option("--protect", multiple=True, metavar="NAME", help="tensor that is never pruned")
@click.option("--levels", type=int, default=14, show_default=True, help="tickets after the dense")
@click.option("--fraction", type=float, default=0.2, show_default=True, help="removed per level")
@click.option("--density", type=float, multiple=True, help="kept; one level each, falling")
@click.option(
    "--rewind", default="init", show_default=True, metavar="init|STEP|lr|none", help="survivors"
)
@click.option("--control", type=click.Choice(["reinit", "shuffle"]), help="train controls as well")
@click.option(
    "--split", type=float, default=0.5, show_default=True, help="share of the prior part; 0: none"
)
@click.option("--epochs", type=int, default=8, show_default=True, help="per level")
@click.option("--lr", type=float, default=0.1, show_default=True, help="learning rate after warmup")
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "milestones", "constant"]),
    default="cosine",
    show_default=True,
)
@click.option("--warmup", type=int, default=0, show_default=True, help="steps of linear rise")
@click.option(
    "--milestones", default="", metavar="E,E,...", help="epochs after which the rate falls"
)
@click.option("--gamma", type=float, default=0.1, show_default=True, help="factor at milestones")
@click.option(
    "--optimizer", type=click.Choice(["sgd", "adam", "sam"]), default="sgd", show_default=True
)
@click.option("--rho", type=float, default=0.05, show_default=True, help="radius of SAM")
@click.option("--momentum", type=float, default=0.9, show_default=True)
@click.option("--batch-size", type=int, default=128, show_default=True)
@click.option("--weight-decay", type=float, default=5e-4, show_default=True)
@click.option("--label-noise", metavar="P", help="share of training labels drawn at random")
@run_options
def find(**options: Any) -> None:
    """Find tickets: one folder per level, the dense network first; a killed run goes on."""
    from pacbayes.pipeline import FindRequest
    from pacbayes.pipeline import find as find_levels

    request = FindRequest(
        model=options["model"],
        model_args=pairs(options["model_args"], flag="--model-args"),
        data=options["data"],
        data_root=options["data_root"],
        download=options["download"],
        normalize=options["normalize"],
        out=options["out"],
        plan=_plan(options),
        split=options["split"],
        seed=options["seed"],
        label_noise=options["label_noise"],
        control=options["control"],
        force=options["force"],
        quiet=options["quiet"],
    )
    for folder in find_levels(request):
        click.echo(str(folder))
    _alarm(request.out)


def _plan(options: dict[str, Any]) -> "FindPlan":
    from pacbayes.pruning import FindPlan, TrainPlan, parse_rewind

    quick, densities = options["quick"], options["density"]
    levels = len(densities) if densities else options["levels"]
    if quick:
        levels, densities = min(levels, 4), densities[:4]
    train = TrainPlan(
        epochs=min(options["epochs"], 2) if quick else options["epochs"],
        lr=options["lr"],
        schedule=options["schedule"],
        warmup=options["warmup"],
        milestones=_epochs(options["milestones"]),
        gamma=options["gamma"],
        optimizer=options["optimizer"],
        rho=options["rho"],
        batch_size=options["batch_size"],
        momentum=options["momentum"],
        weight_decay=options["weight_decay"],
    )
    return FindPlan(
        train=train,
        levels=levels,
        fraction=options["fraction"],
        densities=densities,
        method=options["method"],
        score=options["score"],
        scope=options["scope"],
        protected=options["protect"],
        rewind=parse_rewind(options["rewind"]),
    )


def _epochs(text: str) -> tuple[int, ...]:
    pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
    if not all(piece.isascii() and piece.isdecimal() for piece in pieces):
        raise click.UsageError(f"--milestones takes epochs such as 80,120, got {text!r}")
    return tuple(int(piece) for piece in pieces)


def _alarm(out: Path) -> None:
    """Say on stderr which levels have lost a whole tensor."""
    from pacbayes.runtime.reading import read_json

    for level in read_json(out / "find.json")["levels"]:
        if level["collapsed"]:
            names = ", ".join(level["collapsed"])
            click.echo(f"pacbayes: level {level['level']}: nothing is left of {names}", err=True)
