"""The bounds that `pacbayes bound` computes, by name: from options to facts."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from pacbayes.bounds import (
    Confidence,
    Stage,
    betting_upper,
    binomial_upper,
    catoni_bound,
    catoni_grid_bound,
    chernoff_upper,
    decimal_up,
    disintegrated_bound,
    empirical_bernstein_upper,
    kl_bound,
    mcallester_bound,
    occam_bound,
    poisson_binomial_upper,
    quad_bound,
    recursive_bounds,
    rodriguez_galvez_bound,
    split_kl_bound,
    test_set_bound,
    thiemann_bound,
    vote_bound,
)
from pacbayes.bounds.inputs import exact
from pacbayes.errors import UsageError

Options = dict[str, Any]
Facts = dict[str, str]
Calculator = Callable[[Options], Facts]


def _gibbs(theorem: Callable[..., float], *names: str, needs: str = "") -> Calculator:
    """Return a bound on the Gibbs classifier, from counted draws or a risk taken as exact."""

    def calculate(options: Options) -> Facts:
        errors, trials, risk = options["errors"], options["trials"], options["risk"]
        if (risk is None) == (errors is None) or (errors is None) != (trials is None):
            raise UsageError("give --errors with --trials, or --risk alone")
        confidence = Confidence(options["delta"])
        common = {"kl": _number(options, "kl"), "n": _needed(options, "n")}
        common |= {name: _option(options, name) for name in names}
        common |= {needs: _number(options, needs)} if needs else {}
        if risk is not None:
            value = theorem(risk=_number(options, "risk"), delta=confidence.delta, **common)
            return {"risk_upper": decimal_up(value), "empirical_risk": risk}
        upper = poisson_binomial_upper(errors=errors, trials=trials, delta=confidence.draws)
        value = theorem(risk=upper, delta=confidence.theorem, **common)
        return {
            "risk_upper": decimal_up(value),
            "empirical_risk_upper": decimal_up(upper),
            "delta_theorem": str(confidence.theorem),
            "delta_draws": str(confidence.draws),
        }

    return calculate


def _vote(**evidence: Any) -> float:
    return vote_bound(gibbs=kl_bound(**evidence))


def _split_kl(options: Options) -> Facts:
    value = split_kl_bound(
        values=_numbers(options, "values"),
        risks=_numbers(options, "risks"),
        kl=_number(options, "kl"),
        n=_needed(options, "n"),
        delta=_delta(options),
        constant=options["constant"],
    )
    # An excess loss may have a negative bound, which has no form as a certificate's number.
    return {"risk_upper": decimal_up(value) if value >= 0 else repr(value)}


def _recursive(options: Options) -> Facts:
    stages = [_stage(text) for text in options["stages"]]
    found = recursive_bounds(stages=stages, delta=_delta(options), constant=options["constant"])
    chain = [decimal_up(value) for value in found]
    return {"risk_upper": chain[-1], "chain": ", ".join(chain)}


def _stage(text: str) -> Stage:
    parts = [_parsed("stage", part) for part in text.split(",")]
    if len(parts) not in {3, 6} or parts[0].denominator != 1:
        raise UsageError(f"--stage must be N,KL,RISK or N,KL,RISK,RISK,RISK,GAMMA, got {text!r}")
    gamma = parts[5] if len(parts) == 6 else None
    return Stage(n=int(parts[0]), kl=parts[1], risks=tuple(parts[2:5]), gamma=gamma)


def _disintegrated(options: Options) -> Facts:
    n, errors = _needed(options, "n"), options["errors"]
    if (options["risk"] is None) == (errors is None):
        raise UsageError("give --errors or --risk")
    value = disintegrated_bound(
        risk=_number(options, "risk") if errors is None else Fraction(errors, max(n, 1)),
        log_ratio=_number(options, "log_ratio"),
        n=n,
        delta=_delta(options),
        kind=options["kind"],
        c=_option(options, "c"),
        constant=options["constant"],
    )
    return {"risk_upper": decimal_up(value)}


def _test_set(options: Options) -> Facts:
    errors, n = _needed(options, "errors"), _needed(options, "n")
    return {"risk_upper": decimal_up(test_set_bound(errors=errors, n=n, delta=_delta(options)))}


def _occam(options: Options) -> Facts:
    errors, n = _needed(options, "errors"), _needed(options, "n")
    nats = _number(options, "kl")
    value = occam_bound(errors=errors, n=n, nats=nats, delta=_delta(options))
    return {"risk_upper": decimal_up(value)}


def _binomial(options: Options) -> Facts:
    errors, trials = _needed(options, "errors"), _needed(options, "trials")
    value = binomial_upper(errors=errors, trials=trials, delta=_delta(options))
    return {"risk_upper": decimal_up(value)}


def _chernoff(options: Options) -> Facts:
    draws, risk = _needed(options, "trials"), _number(options, "risk")
    return {"risk_upper": decimal_up(chernoff_upper(risk=risk, draws=draws, delta=_delta(options)))}


def _empirical_bernstein(options: Options) -> Facts:
    value = empirical_bernstein_upper(
        values=_numbers(options, "values"), delta=_delta(options), size=options["size"]
    )
    return {"risk_upper": decimal_up(value)}


def _betting(options: Options) -> Facts:
    value = betting_upper(
        values=_numbers(options, "values"),
        delta=_delta(options),
        size=options["size"],
        horizon=options["horizon"],
    )
    return {"risk_upper": decimal_up(value)}


def _catoni_grid(*, grid: str, **evidence: Any) -> float:
    return catoni_grid_bound(grid=grid, **evidence)


CALCULATORS: Final[dict[str, Calculator]] = {
    "kl": _gibbs(kl_bound, "constant"),
    "quad": _gibbs(quad_bound),
    "mcallester": _gibbs(mcallester_bound),
    "thiemann": _gibbs(thiemann_bound, "lam"),
    "rodriguez-galvez": _gibbs(rodriguez_galvez_bound, "constant", "c", "gamma"),
    "catoni": _gibbs(catoni_bound, needs="c"),
    "catoni-grid": _gibbs(_catoni_grid, "grid"),
    "split-kl": _split_kl,
    "recursive": _recursive,
    "vote": _gibbs(_vote, "constant"),
    "disintegrated": _disintegrated,
    "occam": _occam,
    "test-set": _test_set,
    "binomial": _binomial,
    "chernoff": _chernoff,
    "empirical-bernstein": _empirical_bernstein,
    "betting": _betting,
}


def _delta(options: Options) -> Fraction:
    return Confidence(options["delta"], shares={}).delta


def _needed(options: Options, name: str) -> int:
    value = options[name]
    if value is None:
        raise UsageError(f"--bound {options['name']} needs --{name}")
    number: int = value
    return number


def _option(options: Options, name: str) -> Any:
    """Return what a theorem takes under this name; None where it has a best value of its own."""
    if name == "grid":
        return _numbers(options, name)
    given = options[name]
    return given if given is None or name == "constant" else _number(options, name)


def _number(options: Options, name: str) -> Fraction:
    if options[name] is None:
        raise UsageError(f"--bound {options['name']} needs --{name.replace('_', '-')}")
    return _parsed(name, options[name])


def _numbers(options: Options, name: str) -> list[Fraction]:
    if options[name] is None:
        raise UsageError(f"--bound {options['name']} needs --{name}, numbers with commas between")
    return [_parsed(name, part) for part in options[name].split(",")]


def _parsed(name: str, text: str) -> Fraction:
    return Fraction(exact(f"--{name.replace('_', '-')}", text))
