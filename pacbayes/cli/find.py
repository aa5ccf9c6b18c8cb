"""`pacbayes find`: find lottery tickets."""

from pathlib import Path
from typing import Any

import click

from pacbayes.cli.options import network_options, pairs, run_options


@click.command(
    epilog="""
\b
Example:
  pacbayes find --model lenet300 --data mnist --data-root DIR --method iterative \\
      --score magnitude --levels 14 --fraction 0.2 --rewind init --split 0.5 --out RUN
"""
)
@network_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="folder for the levels")
@click.option("--method", type=click.Choice(["iterative"]), default="iterative", show_default=True)
@click.option("--score", type=click.Choice(["magnitude"]), default="magnitude", show_default=True)
@click.option("--levels", type=int, default=14, show_default=True, help="pruning rounds")
@click.option("--fraction", type=float, default=0.2, show_default=True, help="removed per round")
@click.option("--rewind", type=click.Choice(["init"]), default="init", show_default=True)
@click.option(
    "--split", type=float, default=0.5, show_default=True, help="share of the prior part; 0: none"
)
@click.option("--epochs", type=int, default=8, show_default=True, help="per level")
@click.option("--lr", type=float, default=0.1, show_default=True, help="first learning rate")
@click.option("--optimizer", type=click.Choice(["sgd", "adam"]), default="sgd", show_default=True)
@click.option("--batch-size", type=int, default=128, show_default=True)
@click.option("--weight-decay", type=float, default=5e-4, show_default=True)
@run_options
def find(**options: Any) -> None:
    """Find tickets by iterative pruning on the prior part; a killed run goes on."""
    from pacbayes.pipeline import FindRequest
    from pacbayes.pipeline import find as find_levels
    from pacbayes.pruning import FindPlan, TrainPlan

    quick = options["quick"]
    plan = FindPlan(
        train=TrainPlan(
            epochs=min(options["epochs"], 2) if quick else options["epochs"],
            lr=options["lr"],
            optimizer=options["optimizer"],
            batch_size=options["batch_size"],
            weight_decay=options["weight_decay"],
        ),
        levels=min(options["levels"], 4) if quick else options["levels"],
        fraction=options["fraction"],
        score=options["score"],
        rewind=options["rewind"],
        method=options["method"],
    )
    request = FindRequest(
        model=options["model"],
        model_args=pairs(options["model_args"], flag="--model-args"),
        data=options["data"],
        data_root=options["data_root"],
        normalize=options["normalize"],
        out=options["out"],
        plan=plan,
        split=options["split"],
        seed=options["seed"],
        force=options["force"],
        quiet=options["quiet"],
    )
    folders = find_levels(request)
    for folder in folders:
        click.echo(str(folder))
