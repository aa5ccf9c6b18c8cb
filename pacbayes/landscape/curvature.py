"""Curvature: top eigenvalue, trace and spectrum of the loss's Hessian on the masked subspace.

Only products of the Hessian with vectors are ever formed. The loss is the mean over the sample,
without weight decay, and the subspace is that of the kept entries, biases included.
"""

from dataclasses import dataclass

import numpy as np
from torch import nn

from pacbayes.data import Examples
from pacbayes.errors import UsageError
from pacbayes.landscape.sampled import Sampled
from pacbayes.landscape.spectrum import Spectrum, quadrature
from pacbayes.landscape.subspace import Array, Subspace
from pacbayes.landscape.surface import LossName, Point, Surface, mask_of, state_of
from pacbayes.pruning import State
from pacbayes.runtime.seeds import Seeds

DENSE = 100
"""Up to this many coordinates the whole Hessian is formed, and nothing is sampled."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hessian:
    """The Hessian of a loss on the subspace of a ticket, as products with vectors.

    Attributes:
        surface: the loss.
        state: where the Hessian is taken.
        space: its coordinates.
    """

    surface: Surface
    state: State
    space: Subspace

    @classmethod
    def of(
        cls,
        model: nn.Module,
        ticket: Point,
        sample: Examples,
        *,
        loss: LossName = "cross-entropy",
        prunable_only: bool = False,
    ) -> "Hessian":
        """Return the Hessian at a ticket, over all kept entries or only over prunable ones.

        Raises:
            UsageError: the loss has no gradient, or nothing is kept.
            InputError: the weights do not fit the network.
        """
        if loss == "error":
            raise UsageError("the 0-1 loss has no curvature; choose cross-entropy or squared")
        state, mask = state_of(ticket, model), mask_of(ticket, model)
        space = Subspace.of(mask, state.weights, prunable_only=prunable_only)
        return cls(surface=Surface.of(model, sample, loss), state=state, space=space)

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return self.space.dimension

    def times(self, vector: Array) -> Array:
        """Return the product with a vector.  # (d,)."""
        direction = self.space.tensors(np.asarray(vector).reshape(-1), self.state.weights)
        return self.space.vector(self.surface.product(self.state, direction))

    def dense(self) -> Array:
        """Return the matrix, one product per column, made symmetric.  # (d, d)."""
        columns = np.stack([self.times(column) for column in np.eye(self.dimension)], axis=1)
        matrix: Array = 0.5 * (columns + columns.T)
        return matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Eigenvalue:
    """The largest eigenvalue of a Hessian. An estimate.

    Attributes:
        value: Rayleigh quotient of the vector found, so it errs downwards.
        residual: norm of ``H v - value * v``; some eigenvalue lies within it of the value.
        dimension: coordinates of the subspace.
        products: Hessian products that it took.
    """

    value: float
    residual: float
    dimension: int
    products: int


def top_eigenvalue(
    model: nn.Module,
    ticket: Point,
    sample: Examples,
    *,
    tolerance: float = 1e-4,
    seed: int = 1,
    loss: LossName = "cross-entropy",
) -> Eigenvalue:
    """Return the largest (not the largest absolute) eigenvalue of the Hessian, by Lanczos.

    The power method would end at the most negative eigenvalue where that is larger in absolute
    value.

    Args:
        model: the network.
        ticket: where the Hessian is taken; its mask gives the subspace.
        sample: examples that the loss is averaged over.
        tolerance: relative, of the eigenpair; the value is usually far better.
        seed: of the first vector.
        loss: ``cross-entropy`` or ``squared``.

    Raises:
        UsageError: Lanczos does not reach the tolerance, or an argument is outside its range.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    if not 0 < tolerance < 1:
        raise UsageError(f"tolerance must lie in (0, 1), got {tolerance}")
    hessian = Hessian.of(model, ticket, sample, loss=loss)
    size = hessian.dimension
    if size <= DENSE:
        return Eigenvalue(
            value=float(np.linalg.eigvalsh(hessian.dense())[-1]),
            residual=0.0,
            dimension=size,
            products=size,
        )
    calls = [0]

    def times(vector: Array) -> Array:
        calls[0] += 1
        return hessian.times(vector)

    operator = LinearOperator((size, size), matvec=times, dtype=np.float64)
    first = Seeds(seed).numpy("lanczos").standard_normal(size)
    try:
        values, vectors = eigsh(operator, k=1, which="LA", v0=first, tol=tolerance)
    except ArpackNoConvergence as error:
        raise UsageError(f"no eigenvalue after {calls[0]} products; raise the tolerance") from error
    value, vector = float(values[0]), vectors[:, 0]
    residual = float(np.linalg.norm(times(vector) - value * vector))
    return Eigenvalue(value=value, residual=residual, dimension=size, products=calls[0])


def trace(
    model: nn.Module,
    ticket: Point,
    sample: Examples,
    *,
    probes: int = 30,
    seed: int = 1,
    loss: LossName = "cross-entropy",
) -> Sampled:
    """Return the trace of the Hessian, by random signs (Hutchinson 1989).

    The mean of ``v^T H v`` over vectors v of independent random signs is the trace, and every one
    of them is exact where H is diagonal. Small Hessians are formed whole.

    Args:
        model: the network.
        ticket: where the Hessian is taken; its mask gives the subspace.
        sample: examples that the loss is averaged over.
        probes: at least 2.
        seed: of the signs.
        loss: ``cross-entropy`` or ``squared``.

    Raises:
        UsageError: an argument is outside its range.
    """
    if probes < 2:
        raise UsageError(f"probes must be at least 2, got {probes}")
    hessian = Hessian.of(model, ticket, sample, loss=loss)
    if hessian.dimension <= DENSE:
        return Sampled.exactly(float(np.trace(hessian.dense())))
    signs = [_signs(hessian, seed, probe) for probe in range(probes)]
    return Sampled.of([float(v @ hessian.times(v)) for v in signs])


def spectral_density(
    model: nn.Module,
    ticket: Point,
    sample: Examples,
    *,
    steps: int = 50,
    probes: int = 5,
    seed: int = 1,
    loss: LossName = "cross-entropy",
    prunable_only: bool = False,
) -> Spectrum:
    """Return the spectrum of the Hessian, by stochastic Lanczos quadrature.

    For each probe of random signs, the eigenvalues of the Lanczos tridiagonal matrix are the nodes
    and the squared first entries of its eigenvectors their weights (Golub and Welsch 1969). Small
    Hessians are formed whole.

    Args:
        model: the network.
        ticket: where the Hessian is taken; its mask gives the subspace.
        sample: examples that the loss is averaged over.
        steps: Lanczos steps per probe, at least 2.
        probes: at least 2.
        seed: of the probes.
        loss: ``cross-entropy`` or ``squared``.
        prunable_only: leave out biases and gains.

    Raises:
        UsageError: an argument is outside its range.

    References:
        Ghorbani, Krishnan and Xiao (2019); Ubaru, Chen and Saad (2017).
    """
    if steps < 2 or probes < 2:
        raise UsageError("steps and probes must be at least 2")
    hessian = Hessian.of(model, ticket, sample, loss=loss, prunable_only=prunable_only)
    return spectrum_of(hessian, steps=steps, probes=probes, seed=seed)


def spectrum_of(hessian: Hessian, *, steps: int, probes: int, seed: int) -> Spectrum:
    """Return the spectrum of a Hessian; see :func:`spectral_density`."""
    size = hessian.dimension
    if size <= DENSE:
        values = tuple(np.linalg.eigvalsh(hessian.dense()).tolist())
        share = (1 / size,) * size
        return Spectrum(dimension=size, nodes=(values,), weights=(share,), exact=True)
    nodes, weights = [], []
    for probe in range(probes):
        found, squares = quadrature(hessian.times, _signs(hessian, seed, probe), steps)
        nodes.append(tuple(found.tolist()))
        weights.append(tuple(squares.tolist()))
    return Spectrum(dimension=size, nodes=tuple(nodes), weights=tuple(weights), exact=False)


def _signs(hessian: Hessian, seed: int, probe: int) -> Array:
    drawn = Seeds(seed).numpy("probe", probe).integers(0, 2, size=hessian.dimension)
    return np.where(drawn, 1.0, -1.0)
