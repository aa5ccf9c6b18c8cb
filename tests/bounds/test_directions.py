"""Each single operation, pushed by a millionth in the direction it claims, moves results outward.

At 60 digits an operation rounded the wrong way moves nothing that a double shows, and with few
digits the caution of its neighbours may hide it. So every operation of a computation is exaggerated
in turn: had the code chosen the wrong context for it, the result would move to the unsafe side.
"""

from collections.abc import Callable, Iterator
from decimal import Context, Decimal
from fractions import Fraction

import pytest

from pacbayes import bounds
from pacbayes.bounds import (
    binomial,
    catoni,
    complexity,
    directed,
    disintegrated,
    factorial,
    gibbs,
    kl,
    means,
    prices,
    single,
    split,
    sums,
    xi,
)
from pacbayes.bounds.binomial import _Tail
from pacbayes.bounds.directed import ONE, log1p, log_inverse
from pacbayes.bounds.factorial import ln_choose, ln_factorial
from pacbayes.bounds.kl import kl_end

MODULES = (
    binomial, catoni, complexity, directed, disintegrated, factorial, gibbs, kl, means, prices,
    single, split, sums, xi,
)  # fmt: skip
PUSH = Decimal("1e-6")
PLAIN = Context(prec=70)


class Clock:
    """Counts operations, and names the one to push."""

    count = 0
    chosen = 0


class Pushed(Context):
    """A context one of whose operations errs by a millionth, in the direction of its rounding."""

    def _pushed(self, value: Decimal) -> Decimal:
        Clock.count += 1
        if Clock.count != Clock.chosen or not value.is_finite():
            return value
        push = PLAIN.multiply(value.copy_abs(), PUSH)
        upward = self.rounding == directed.UP.rounding
        return PLAIN.add(value, push) if upward else PLAIN.subtract(value, push)

    def add(self, a: Decimal, b: Decimal) -> Decimal:  # type: ignore[override]
        return self._pushed(super().add(a, b))

    def subtract(self, a: Decimal, b: Decimal) -> Decimal:  # type: ignore[override]
        return self._pushed(super().subtract(a, b))

    def multiply(self, a: Decimal, b: Decimal) -> Decimal:  # type: ignore[override]
        return self._pushed(super().multiply(a, b))

    def divide(self, a: Decimal, b: Decimal) -> Decimal:  # type: ignore[override]
        return self._pushed(super().divide(a, b))

    def ln(self, a: Decimal) -> Decimal:  # type: ignore[override]
        return self._pushed(super().ln(a))

    def exp(self, a: Decimal) -> Decimal:  # type: ignore[override]
        return self._pushed(super().exp(a))

    def sqrt(self, a: Decimal) -> Decimal:  # type: ignore[override]
        return self._pushed(super().sqrt(a))


@pytest.fixture(autouse=True)
def _contexts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DOWN", "UP"):
        plain = getattr(directed, name)
        pushed = Pushed(
            prec=plain.prec,
            rounding=plain.rounding,
            Emin=plain.Emin,
            Emax=plain.Emax,
            traps=[signal for signal, trapped in plain.traps.items() if trapped],
        )
        for module in MODULES:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, pushed)
    monkeypatch.setattr(directed, "_SERIES_BELOW", Decimal("0.01"))
    Clock.chosen = 0
    yield
    Clock.chosen = 0


def require_outward(compute: Callable[[], Decimal | float | Fraction], *, upward: bool) -> None:
    """No single push moves the result inward, and some push moves it at all."""
    Clock.count = Clock.chosen = 0
    start = Fraction(compute())
    moved = 0
    for chosen in range(1, Clock.count + 1):
        Clock.count, Clock.chosen = 0, chosen
        value = Fraction(compute())
        assert value >= start if upward else value <= start, f"operation {chosen}"
        moved += value != start
    assert moved > 0


def both(compute: Callable[[Context], Decimal]) -> None:
    require_outward(lambda: compute(directed.UP), upward=True)
    require_outward(lambda: compute(directed.DOWN), upward=False)


def test_logarithms() -> None:
    for x in ("3", "0.5", "0.001", "1e-13"):
        both(lambda to: log1p(to, Decimal(x)))  # noqa: B023
    both(lambda to: log_inverse(to, Fraction(1, 3)))


def test_factorials() -> None:
    for m in (5, 129, 1000, 10**6):
        both(lambda to: ln_factorial(to, m))  # noqa: B023
    both(lambda to: ln_choose(to, 1000, 300))
    both(lambda to: ln_choose(to, 300, 20))


@pytest.mark.parametrize(
    ("q", "p"),
    [("0.1", "0.3"), ("0.3", "0.1"), ("0", "0.3"), ("1", "0.3"), ("0.2", "0.201"), ("0.9", "0.99")],
)
def test_kl(q: str, p: str) -> None:
    both(lambda to: kl_end(to, Decimal(q), Decimal(p)))


@pytest.mark.parametrize(
    ("q", "p"), [("1/3", "2/3"), ("2/3", "1/3"), ("1/7", "0.9"), ("0.9", "1/7")]
)
def test_kl_of_fractions(q: str, p: str) -> None:
    require_outward(lambda: bounds.binary_kl_lower(q=q, p=p), upward=False)
    require_outward(lambda: bounds.binary_kl_upper(q=q, p=p), upward=True)
    require_outward(lambda: bounds.binary_kl(q=q, p=p), upward=True)


@pytest.mark.parametrize(("errors", "trials", "p"), [(3, 10, 0.4), (30, 1000, 0.05), (9, 10, 0.99)])
def test_tails(errors: int, trials: int, p: float) -> None:
    def tail() -> _Tail:
        return _Tail(errors, trials, ln_choose(directed.UP, trials, errors))

    require_outward(lambda: tail().at(p)[0], upward=True)
    require_outward(lambda: tail().at(p)[1], upward=True)


THIRD = Fraction(1, 3)
EVIDENCE = {"risk": THIRD, "kl": Fraction(10, 7), "n": 300, "delta": "1/30", "weight": "2/7"}
COUNTS = {"errors": 3, "trials": 30, "delta": Fraction(1, 7)}
SINGLE = {"errors": 3, "n": 30, "delta": Fraction(1, 7)}
DRAWN = {"risk": THIRD, "log_ratio": Fraction(-1, 7), "n": 300, "delta": "1/30"}
DRAWS = [Fraction(k % 3, 7) for k in range(40)]

PUBLISHED: dict[str, Callable[[], float]] = {
    "kl inverse": lambda: bounds.kl_inverse_upper(q=THIRD, c=Fraction(1, 7)),
    "chernoff": lambda: bounds.chernoff_upper(risk=THIRD, draws=30, delta=Fraction(1, 7)),
    "binomial": lambda: bounds.binomial_upper(**COUNTS),
    "binomial without errors": lambda: bounds.binomial_upper(**COUNTS | {"errors": 0}),
    "poisson": lambda: bounds.poisson_binomial_upper(**COUNTS),
    "test set": lambda: bounds.test_set_bound(**SINGLE, weight="3/7"),
    "occam": lambda: bounds.occam_bound(**SINGLE, nats=Fraction(10, 7)),
    "kl": lambda: bounds.kl_bound(**EVIDENCE),
    "xi": lambda: bounds.kl_bound(**EVIDENCE, constant="xi"),
    "quad": lambda: bounds.quad_bound(**EVIDENCE),
    "mcallester": lambda: bounds.mcallester_bound(**EVIDENCE),
    "thiemann": lambda: bounds.thiemann_bound(**EVIDENCE, lam="2/3"),
    "catoni": lambda: bounds.catoni_bound(**EVIDENCE, c="10/7"),
    "catoni grid": lambda: bounds.catoni_grid_bound(**EVIDENCE, grid=["10/7", "2/3"]),
    "galvez": lambda: bounds.rodriguez_galvez_bound(**EVIDENCE),
    "galvez fixed": lambda: bounds.rodriguez_galvez_bound(**EVIDENCE, c="6/7", gamma="9/7"),
    "rivasplata": lambda: bounds.disintegrated_bound(**DRAWN),
    "drawn catoni": lambda: bounds.disintegrated_bound(**DRAWN, kind="catoni", c="10/7"),
    "renyi": lambda: bounds.disintegrated_bound(**DRAWN | {"log_ratio": "1/3"}, kind="renyi"),
    "vote": lambda: bounds.vote_bound(gibbs=THIRD),
    "bernstein": lambda: bounds.empirical_bernstein_upper(values=DRAWS, delta="1/30"),
    "betting": lambda: bounds.betting_upper(values=DRAWS, delta="1/3"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(name: str) -> None:
    """Search and all: a push makes no published value smaller."""
    require_outward(PUBLISHED[name], upward=True)


def test_losses_of_few_values() -> None:
    """Sums of steps are exact, so that only what is inverted can be pushed."""
    steps = {"values": ["-1/3", 0, "2/3", 1], "risks": ["6/7", "1/7", "1/9"]}
    evidence = {"kl": Fraction(10, 7), "n": 300, "delta": "1/30", "weight": "2/7"}
    require_outward(lambda: bounds.split_kl_bound(**steps, **evidence), upward=True)
    chain = [
        bounds.Stage(n=300, kl="10/7", risks=("1/7",)),
        bounds.Stage(n=200, kl="1/7", risks=("6/7", "1/7", "1/9"), gamma="1/3"),
    ]
    require_outward(lambda: bounds.recursive_bound(stages=chain, delta="1/30"), upward=True)


def test_prices() -> None:
    for compute in (
        lambda: bounds.grid_price_upper(20, choices=3),
        lambda: bounds.infinite_grid_price_upper([3, 7]),
        lambda: bounds.inclusion_price_upper([(4, 1, "1/7"), (3, 2, "3/7")], grid=20),
        lambda: bounds.near_mask_price_upper(300, 20),
        lambda: bounds.structured_price_upper(300),
        lambda: bounds.n_of_m_price_upper(300, kept=2, of=5),
        lambda: bounds.log_binomial_upper(300, 20),
        lambda: bounds.count_prior_upper(300, 20),
        lambda: bounds.entropy_price_upper(300, 20, density="1/7"),
        lambda: bounds.sum_upper(total=1.5, absolute=1.0, count=10),
        lambda: bounds.add_upper(["1/3", "1/7"]),
        lambda: bounds.xi_upper(30),
    ):
        require_outward(lambda: Fraction(compute()), upward=True)  # noqa: B023


def test_a_wrong_direction_is_seen() -> None:
    """Negative control: 1 - x with the operation rounded up is no lower value."""
    require_outward(lambda: directed.DOWN.subtract(ONE, Decimal("0.3")), upward=False)
    with pytest.raises(AssertionError, match="operation 1"):
        require_outward(lambda: directed.UP.subtract(ONE, Decimal("0.3")), upward=False)
