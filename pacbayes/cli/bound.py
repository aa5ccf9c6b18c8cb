"""`pacbayes bound`: numbers in, certified bound out."""

import json
from typing import Any

import click

from pacbayes.cli.calculators import CALCULATORS


@click.command(
    epilog="""
\b
Examples:
  pacbayes bound --errors 600 --trials 30000 --kl 120 --n 30000 --delta 0.05
  pacbayes bound --risk 0.02 --kl 120 --n 30000 --delta 0.05 --format json
  pacbayes bound --bound catoni-grid --grid 0.5,1,2,4 --risk 0.02 --kl 120 --n 30000
  pacbayes bound --bound test-set --errors 120 --n 10000 --delta 0.05
  pacbayes bound --bound occam --errors 120 --n 10000 --kl 900
  pacbayes bound --bound disintegrated --errors 120 --n 10000 --log-ratio -3.5
  pacbayes bound --bound split-kl --values -0.5,0,0.5,1 --risks 0.99,0.02,0.01 --kl 9 --n 30000
  pacbayes bound --bound recursive --stage 60000,900,0.1 --stage 30000,50,0.99,0.03,0.01,0.5
  pacbayes bound --bound betting --values 12,9,15,11 --size 1000
"""
)
@click.option("--errors", type=int, help="wrong examples, or (example, draw) pairs")
@click.option("--trials", type=int, help="counted (example, draw) pairs, or independent draws")
@click.option("--risk", type=str, help="empirical risk, taken as exact, instead of counts")
@click.option("--kl", type=str, default="0", show_default=True, help="divergence, or code, in nats")
@click.option("--n", type=int, help="size of the certificate part")
@click.option("--delta", type=str, default="0.05", show_default=True, help="failure probability")
@click.option(
    "--bound",
    "name",
    type=click.Choice(tuple(CALCULATORS)),
    default="kl",
    show_default=True,
    help="of the Gibbs classifier, of the vote, of one classifier, of a mean of draws",
)
@click.option(
    "--constant",
    type=click.Choice(["2sqrt(n)", "xi"]),
    default="2sqrt(n)",
    show_default=True,
    help="xi is Maurer's exact one (kl and what is built on it)",
)
@click.option("--c", type=str, help="rate of catoni, or c of rodriguez-galvez")
@click.option("--grid", type=str, metavar="C,C,...", help="rates of catoni-grid")
@click.option("--lam", type=str, help="trade-off of thiemann; the best one by default")
@click.option("--gamma", type=str, help="gamma of rodriguez-galvez")
@click.option("--log-ratio", type=str, help="ln dQ/dP of the one drawn network, with its sign")
@click.option(
    "--kind",
    type=click.Choice(["rivasplata", "catoni", "renyi"]),
    default="rivasplata",
    show_default=True,
    help="theorem of disintegrated",
)
@click.option(
    "--values", type=str, metavar="V,V,...", help="losses of split-kl, rising; draws of a mean"
)
@click.option("--risks", type=str, metavar="R,R,...", help="split-kl: share of b_j or more")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="N,KL,RISK[,RISK,RISK,GAMMA]",
    help="recursive: the first with one risk, others with three and gamma",
)
@click.option("--size", type=int, default=1, show_default=True, help="what the draws are counts of")
@click.option("--horizon", type=int, help="betting: number of draws that the bets are tuned for")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def bound(form: str, **options: Any) -> None:
    """Compute a certified bound from counts, divergence, n and delta."""
    facts = {**CALCULATORS[options["name"]](options), "bound": options["name"]}
    facts["delta"] = options["delta"]
    if form == "json":
        click.echo(json.dumps(facts, indent=2, sort_keys=True))
        return
    click.echo(f"risk at most {facts['risk_upper']} with probability at least 1 - {facts['delta']}")
