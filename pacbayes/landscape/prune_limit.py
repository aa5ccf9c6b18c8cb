"""How many weights can be removed at once: predicted from the spectrum, and measured.

At a minimum w with Hessian H, let a fraction a of the D prunable weights go, of Euclidean norm R.
If the survivors stay where they are, the loss rises by ``1/2 r^T H r``, r being what is removed;
for a direction that knows nothing of H that is ``1/2 R^2 mean(lambda)``. If the survivors settle
anew, it rises by ``1/2 r^T ((H^-1)_PP)^-1 r``, where P are the removed coordinates. For H in random
position the trace of that matrix follows from the spectrum alone (compression of free variables):
with c such that

    (1/D) sum_i 1 / (1 + c lambda_i) = a,    the rise is    R^2 (1 - a) / (2 a c).

So a fraction a can go at a tolerated rise of e if ``a D <= sum_i r_i^2 / (r_i^2 + R^2 (1 - a)/a)``
with ``r_i^2 = 2 e / lambda_i``. For small a and random removal, ``R^2 = a |w|^2``, this is the
count of Larsen et al. (2022), who see the set from the origin; all removed, it is the rise of the
quadratic form itself. With all lambda equal it says ``1/2 lambda R^2 <= e``, as it must.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from torch import Tensor, nn

from pacbayes.data import Examples
from pacbayes.errors import UsageError
from pacbayes.landscape.curvature import Hessian, spectrum_of
from pacbayes.landscape.sampled import Sampled
from pacbayes.landscape.spectrum import Spectrum
from pacbayes.landscape.subspace import Array, Subspace
from pacbayes.landscape.surface import LossName, Point
from pacbayes.pruning import State
from pacbayes.runtime.seeds import Seeds

Rule = Literal["random", "magnitude"]
Survivors = Literal["fixed", "free"]
Places = np.ndarray[Any, np.dtype[np.intp]]
FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What happens when one fraction of the weights goes. An estimate.

    Attributes:
        fraction: of the kept prunable entries.
        length: Euclidean norm of what is removed, mean over draws.
        curvature: ``r^T H r / r^T r`` along what is removed.
        predicted: rise of the loss, from the spectrum and the length.
        measured: rise of the loss on the sample; from one network for ``magnitude``.
    """

    fraction: float
    length: float
    curvature: Sampled
    predicted: float
    measured: Sampled


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneLimit:
    """The largest fraction that can be removed at once, predicted and measured. An estimate.

    Attributes:
        rule: which weights go: ``random`` ones or those of smallest ``magnitude``.
        survivors: whether the others stay ``fixed`` or settle anew (``free``).
        rise: tolerated rise of the loss.
        predicted: largest fraction by the spectrum.
        measured: largest fraction by the losses, interpolated between the fractions tried.
        mean_curvature: mean eigenvalue, which a random direction has on average.
        settled: change of the loss when nothing goes and all weights settle, at most 0; far below
            it, the ticket is no minimum of the sample's loss and the prediction does not apply.
        removals: one entry per fraction.
        dimension: kept prunable entries.
    """

    rule: Rule
    survivors: Survivors
    rise: float
    predicted: float
    measured: Sampled
    mean_curvature: float
    settled: float
    removals: tuple[Removal, ...]
    dimension: int


def predicted_rise(
    spectrum: Spectrum, *, fraction: float, length: float, survivors: Survivors
) -> float:
    """Return the rise of the loss that the spectrum predicts; see the top of this file.

    Negative eigenvalues count as zero where survivors settle anew: nothing says how far they would
    go there.

    Args:
        spectrum: of the Hessian on the kept prunable entries.
        fraction: removed, in [0, 1].
        length: Euclidean norm of what is removed.
        survivors: ``fixed`` or ``free``.

    Raises:
        UsageError: an argument is outside its range.

    Example:
        >>> flat = Spectrum(dimension=2, nodes=((4.0, 4.0),), weights=((0.5, 0.5),), exact=True)
        >>> round(predicted_rise(flat, fraction=0.5, length=3.0, survivors="free"), 6)
        18.0
    """
    from scipy.optimize import brentq

    if not (0 <= fraction <= 1 and length >= 0) or survivors not in get_args(Survivors):
        raise UsageError("fraction must lie in [0, 1], survivors be fixed or free")
    if fraction == 0 or length == 0:
        return 0.0
    mean = spectrum.mean(lambda values: values).value
    if survivors == "fixed" or fraction == 1:
        return 0.5 * length**2 * mean

    def surplus(log_c: float) -> float:
        c = math.exp(log_c)
        return spectrum.mean(lambda v: 1 / (1 + c * np.maximum(v, 0.0))).value - fraction

    top = max(spectrum.largest, 1e-300)
    low, high = math.log(1e-12 / top), math.log(1e15 / top)
    if surplus(high) >= 0:
        return 0.0  # so many directions are flat that the survivors make up for everything
    if surplus(low) <= 0:
        return 0.5 * length**2 * mean
    c = math.exp(float(brentq(surplus, low, high)))
    return length**2 * (1 - fraction) / (2 * fraction * c)


def prune_limit(
    model: nn.Module,
    ticket: Point,
    sample: Examples,
    *,
    rule: Rule,
    survivors: Survivors = "free",
    rise: float = 0.1,
    fractions: Sequence[float] = FRACTIONS,
    draws: int = 3,
    steps: int = 50,
    lanczos: int = 50,
    probes: int = 5,
    seed: int = 1,
    loss: LossName = "cross-entropy",
) -> PruneLimit:
    """Return how many of a ticket's kept prunable weights can go at once.

    Biases and gains stay and don't settle anew, in the prediction and in the measurement. Survivors
    settle by L-BFGS on the sample; where it stops early, the measured rise errs upwards. A ticket
    that is no minimum of the sample's loss has a gradient, which the prediction leaves out, and the
    Hessian of few examples has many flat directions: take as many as the ticket was trained on.

    Args:
        model: the network.
        ticket: trained; its mask says what is kept.
        sample: examples that the loss is averaged over.
        rule: ``random`` or ``magnitude``.
        survivors: ``fixed`` or ``free``.
        rise: tolerated rise of the loss, positive.
        fractions: tried in the measurement, rising, in (0, 1].
        draws: random removals per fraction, at least 2.
        steps: of L-BFGS.
        lanczos: steps per probe of the spectrum.
        probes: of the spectrum.
        seed: of removals and probes.
        loss: ``cross-entropy`` or ``squared``.

    Raises:
        UsageError: an argument is outside its range.

    References:
        Paul et al. (2023), section 3.3; Larsen et al. (2022). Formula derived anew, see above.
    """
    if not rise > 0 or draws < 2 or steps < 1 or rule not in get_args(Rule):
        raise UsageError("rise must be positive, draws at least 2, rule random or magnitude")
    if not fractions or sorted(set(fractions)) != list(fractions):
        raise UsageError("fractions must rise")
    if not 0 < fractions[0] <= fractions[-1] <= 1:
        raise UsageError("fractions must lie in (0, 1]")
    hessian = Hessian.of(model, ticket, sample, loss=loss, prunable_only=True)
    spectrum = spectrum_of(hessian, steps=lanczos, probes=probes, seed=seed)
    weights = hessian.space.vector(hessian.state.weights)
    orders = _orders(weights, rule, draws=draws, seed=seed)
    removals, rises = [], []
    for fraction in fractions:
        gone = [order[: round(fraction * len(weights))] for order in orders]
        measured = [_measured(hessian, one, survivors=survivors, steps=steps) for one in gone]
        rises.append(measured)
        length = float(np.mean([np.linalg.norm(weights[one]) for one in gone]))
        removals.append(
            Removal(
                fraction=fraction,
                length=length,
                curvature=_sampled([_curvature(hessian, weights, one) for one in gone]),
                predicted=predicted_rise(
                    spectrum, fraction=fraction, length=length, survivors=survivors
                ),
                measured=_sampled(measured),
            )
        )
    limits = [_crossing(fractions, one, rise) for one in zip(*rises, strict=True)]
    return PruneLimit(
        rule=rule,
        survivors=survivors,
        rise=rise,
        predicted=_predicted_limit(spectrum, weights, rule, survivors=survivors, rise=rise),
        measured=_sampled(limits),
        mean_curvature=spectrum.mean(lambda values: values).value,
        settled=_measured(hessian, orders[0][:0], survivors=survivors, steps=steps),
        removals=tuple(removals),
        dimension=len(weights),
    )


def _orders(weights: Array, rule: Rule, *, draws: int, seed: int) -> list[Places]:
    """Return the order in which weights go, one per draw."""
    if rule == "magnitude":
        return [np.argsort(np.abs(weights), kind="stable")]
    seeds = Seeds(seed)
    return [seeds.numpy("removal", draw).permutation(len(weights)) for draw in range(draws)]


def _sampled(values: Sequence[float]) -> Sampled:
    return Sampled.exactly(values[0]) if len(values) == 1 else Sampled.of(values)


def _curvature(hessian: Hessian, weights: Array, gone: Places) -> float:
    removed = np.zeros(len(weights))
    removed[gone] = weights[gone]
    square = float(removed @ removed)
    return float(removed @ hessian.times(removed)) / square if square else 0.0


def _measured(hessian: Hessian, gone: Places, *, survivors: Survivors, steps: int) -> float:
    """Return the rise of the loss once the weights are gone."""
    from scipy.optimize import minimize

    space, state, surface = hessian.space, hessian.state, hessian.surface
    weights = space.vector(state.weights)
    before, removed = surface.value(state), weights.copy()
    removed[gone] = 0.0
    left = np.ones(len(weights), dtype=bool)
    left[gone] = False

    def at(vector: Array) -> State:
        return State(weights=_with(space, state, vector), buffers=state.buffers)

    if survivors == "fixed" or not left.any():
        return surface.value(at(removed)) - before

    def objective(free: Array) -> tuple[float, Array]:
        vector = removed.copy()
        vector[left] = free
        value, gradient = surface.gradient(at(vector))
        return value, space.vector(gradient)[left]

    found = minimize(
        objective, removed[left], jac=True, method="L-BFGS-B", options={"maxiter": steps}
    )
    return float(found.fun) - before


def _with(space: Subspace, state: State, vector: Array) -> dict[str, Tensor]:
    """Return the weights with the coordinates of the subspace replaced."""
    filled = space.tensors(vector, state.weights)
    return {
        name: filled[name].where(kept, state.weights[name]) for name, kept in space.kept.items()
    }


def _crossing(fractions: Sequence[float], rises: Sequence[float], tolerated: float) -> float:
    """Return where the rise first passes the tolerated one, linearly between the fractions."""
    last, height = 0.0, 0.0
    for fraction, value in zip(fractions, rises, strict=True):
        if not value <= tolerated:
            share = (tolerated - height) / (value - height) if math.isfinite(value) else 0.0
            return last + share * (fraction - last)
        last, height = fraction, value
    return last


def _predicted_limit(
    spectrum: Spectrum, weights: Array, rule: Rule, *, survivors: Survivors, rise: float
) -> float:
    """Return the largest fraction whose predicted rise is tolerated, to one in a million."""
    squares = weights**2
    if rule == "magnitude":
        squares = np.sort(squares)
    else:
        squares = np.full(len(weights), float(squares.mean()))
    removed = np.concatenate([[0.0], np.cumsum(squares)])

    def fits(fraction: float) -> bool:
        length = math.sqrt(float(removed[round(fraction * len(weights))]))
        found = predicted_rise(spectrum, fraction=fraction, length=length, survivors=survivors)
        return found <= rise

    low, high = 0.0, 1.0
    if fits(high):
        return high
    while high - low > 1e-6:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
