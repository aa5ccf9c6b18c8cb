"""The spectrum of a symmetric matrix as weighted points, by Lanczos."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pacbayes.landscape.sampled import Sampled
from pacbayes.landscape.subspace import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """The spectral density of a Hessian as weighted points, one set per probe. An estimate.

    Attributes:
        dimension: coordinates of the subspace.
        nodes: eigenvalues for a Hessian that was formed whole, else Ritz values, per probe.
        weights: share of the spectrum at each node; those of one probe sum to 1.
        exact: whether the nodes are all eigenvalues.
    """

    dimension: int
    nodes: tuple[tuple[float, ...], ...]
    weights: tuple[tuple[float, ...], ...]
    exact: bool

    @property
    def largest(self) -> float:
        """Largest node; errs downwards."""
        return max(map(max, self.nodes))

    @property
    def smallest(self) -> float:
        """Smallest node; errs upwards."""
        return min(map(min, self.nodes))

    def mean(self, function: Callable[[Array], Array]) -> Sampled:
        """Return the mean of a function over the eigenvalues, with the interval of the probes.

        The interval does not know of the error of the nodes themselves, which falls fast with the
        steps for smooth functions and slowly for functions with kinks or poles.

        Args:
            function: of an array of eigenvalues, elementwise.
        """
        means = [
            float(np.dot(weights, function(np.asarray(nodes))))
            for nodes, weights in zip(self.nodes, self.weights, strict=True)
        ]
        return Sampled.exactly(means[0]) if self.exact else Sampled.of(means)

    def density(self, grid: Array, *, width: float) -> Array:
        """Return the density on a grid, each node widened to a Gaussian.  # (len(grid),).

        Args:
            grid: values of the curvature.
            width: standard deviation of the Gaussians, positive.
        """
        found: Array = np.zeros(len(grid))
        for nodes, weights in zip(self.nodes, self.weights, strict=True):
            for node, weight in zip(nodes, weights, strict=True):
                found += weight * np.exp(-0.5 * ((grid - node) / width) ** 2)
        found /= len(self.nodes) * width * math.sqrt(2 * math.pi)
        return found


def quadrature(times: Callable[[Array], Array], start: Array, steps: int) -> tuple[Array, Array]:
    """Return nodes and weights of the Gauss rule of a matrix and one probe.

    The nodes are the eigenvalues of the Lanczos tridiagonal matrix, the weights the squared first
    entries of its eigenvectors (Golub and Welsch 1969). Fewer than ``steps`` nodes come back where
    fewer reach every eigenvalue that the probe sees.

    Args:
        times: product of the symmetric matrix with a vector.
        start: the probe, not zero.  # (d,)
        steps: of Lanczos.
    """
    from scipy.linalg import eigh_tridiagonal

    basis = [start / np.linalg.norm(start)]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(steps, len(start))):
        ahead = times(basis[-1])
        diagonal.append(float(basis[-1] @ ahead))
        known = np.stack(basis)
        # Twice is enough: without it, rounding brings found eigenvalues back as ghosts.
        for _ in range(2):
            ahead = ahead - known.T @ (known @ ahead)
        length = float(np.linalg.norm(ahead))
        if length <= 1e-7 * max(1e-30, *map(abs, diagonal), *beside):
            break  # the Krylov space is exhausted: the rule is exact
        beside.append(length)
        basis.append(ahead / length)
    values, vectors = eigh_tridiagonal(diagonal, beside[: len(diagonal) - 1])
    return values, vectors[0] ** 2
