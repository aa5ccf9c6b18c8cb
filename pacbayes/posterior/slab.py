"""The kept entries of one parameter while a posterior is fitted: their law and its gradients."""

import math
from dataclasses import dataclass

from torch import Tensor

from pacbayes.posterior.support import Support


@dataclass(slots=True, kw_only=True)
class Slab:
    """Independent normal entries; every vector is a view into one over all parameters.

    A backward pass writes ``by_mean`` and ``by_scale``: each parameter is drawn once in a call, so
    writing is enough. Until :meth:`finish`, ``by_scale`` holds twice the derivative by the
    variance.

    Attributes:
        support: the kept entries; all vectors have its count as length.
        prior_scale: the prior's scale; ``None`` takes the best one for the present entries.
        mean: means.
        log_scale: logarithms of the standard deviations.
        variance: variances.
        shift: means minus the prior's.
        by_mean: derivatives of the objective by the means.
        by_scale: derivatives by the logarithms of the scales, once they are finished.
        prior_variance: square of the prior's scale, as of the last :meth:`divergence`.
    """

    support: Support
    prior_scale: float | None
    mean: Tensor
    log_scale: Tensor
    variance: Tensor
    shift: Tensor
    by_mean: Tensor
    by_scale: Tensor
    prior_variance: float = math.nan

    def divergence(self) -> float:
        """Return the divergence in nats, for variances and shifts that are up to date.

        It is ``sum ((m - m0)^2 + s^2) / (2 s0^2) - k/2 + k ln s0 - sum ln s`` over k entries; the
        best ``s0^2`` is the mean of ``(m - m0)^2 + s^2``.
        """
        count = self.support.count
        if count == 0:
            return 0.0
        second = float(self.shift.dot(self.shift) + self.variance.sum())
        square = second / count if self.prior_scale is None else self.prior_scale**2
        self.prior_variance = square
        logs = float(self.log_scale.sum())
        return 0.5 * (second / square - count + count * math.log(square)) - logs

    def add_divergence(self, *, slope: float) -> None:
        """Add ``slope`` times the gradient of the divergence.

        The divergence has the derivative ``(m - m0) / s0^2`` by a mean and ``1 / (2 s0^2)`` by a
        variance, apart from the ``-1`` by every log-scale that :meth:`Trainable.finish` adds. With
        the best ``s0`` the same holds, because the derivative by ``s0`` is zero there.
        """
        if self.support.count:
            self.by_mean.add_(self.shift, alpha=slope / self.prior_variance)
            self.by_scale.add_(slope / self.prior_variance)
