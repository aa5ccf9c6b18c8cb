"""`pacbayes bound`: numbers in, certified bound out."""

import json
from fractions import Fraction
from typing import Any

import click

from pacbayes.errors import UsageError

BOUNDS = ("kl", "quad", "mcallester", "thiemann", "test-set")


@click.command(
    epilog="""
\b
Examples:
  pacbayes bound --errors 600 --trials 30000 --kl 120 --n 30000 --delta 0.05
  pacbayes bound --risk 0.02 --kl 120 --n 30000 --delta 0.05 --format json
  pacbayes bound --bound test-set --errors 120 --n 10000 --delta 0.05
"""
)
@click.option("--errors", type=int, help="wrong (example, draw) pairs")
@click.option("--trials", type=int, help="counted (example, draw) pairs")
@click.option("--risk", type=str, help="empirical Gibbs risk, taken as exact, without --trials")
@click.option("--kl", type=str, default="0", show_default=True, help="divergence in nats")
@click.option("--n", type=int, required=True, help="size of the certificate part")
@click.option("--delta", type=str, default="0.05", show_default=True, help="failure probability")
@click.option("--bound", "name", type=click.Choice(BOUNDS), default="kl", show_default=True)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def bound(form: str, **options: Any) -> None:
    """Compute a certified bound from counts, divergence, n and delta."""
    facts = _test_set(options) if options["name"] == "test-set" else _gibbs(options)
    if form == "json":
        click.echo(json.dumps(facts, indent=2, sort_keys=True))
        return
    click.echo(f"risk at most {facts['risk_upper']} with probability at least 1 - {facts['delta']}")


def _test_set(options: dict[str, Any]) -> dict[str, str]:
    """Bound one fixed classifier from its errors on n fresh examples."""
    from pacbayes.bounds import Confidence, decimal_up, test_set_bound

    if options["errors"] is None:
        raise UsageError("--bound test-set needs --errors and --n")
    confidence = Confidence(options["delta"])
    value = test_set_bound(errors=options["errors"], n=options["n"], delta=confidence.delta)
    return {"risk_upper": decimal_up(value), "bound": "test-set", "delta": options["delta"]}


def _gibbs(options: dict[str, Any]) -> dict[str, str]:
    """Bound the Gibbs classifier from counted draws, or from a risk taken as exact."""
    from pacbayes.bounds import Confidence, decimal_up, poisson_binomial_upper

    errors, trials, risk = options["errors"], options["trials"], options["risk"]
    if (risk is None) == (errors is None) or (errors is None) != (trials is None):
        raise UsageError("give --errors with --trials, or --risk alone")
    confidence = Confidence(options["delta"])
    kl = _number(options["kl"], flag="--kl")
    common = {"bound": options["name"], "delta": options["delta"]}
    if risk is not None:
        exact = _number(risk, flag="--risk")
        value = _theorem(options["name"], risk=exact, kl=kl, n=options["n"], delta=confidence.delta)
        return {"risk_upper": decimal_up(value), "empirical_risk": risk, **common}
    upper = poisson_binomial_upper(errors=errors, trials=trials, delta=confidence.draws)
    value = _theorem(options["name"], risk=upper, kl=kl, n=options["n"], delta=confidence.theorem)
    return {
        "risk_upper": decimal_up(value),
        "empirical_risk_upper": decimal_up(upper),
        "delta_theorem": str(confidence.theorem),
        "delta_draws": str(confidence.draws),
        **common,
    }


def _theorem(name: str, *, risk: float | Fraction, kl: Fraction, n: int, delta: Fraction) -> float:
    from pacbayes.bounds import kl_bound, mcallester_bound, quad_bound, thiemann_bound

    theorems = {
        "kl": kl_bound,
        "quad": quad_bound,
        "mcallester": mcallester_bound,
        "thiemann": thiemann_bound,
    }
    return theorems[name](risk=risk, kl=kl, n=n, delta=delta)


def _number(text: str, *, flag: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"{flag} must be a number, got {text!r}") from error
