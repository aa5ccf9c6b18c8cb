"""Gaussian blobs: a problem whose true risks are known."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

import numpy as np
import torch
from torch import Tensor

from pacbayes.data.arrays import examples_from_arrays
from pacbayes.data.dataset import Data, Examples, Transform
from pacbayes.data.keyed import keyed_numbers
from pacbayes.data.loss import is_right
from pacbayes.errors import UsageError
from pacbayes.runtime.seeds import Seeds

AS_GIVEN: Final = Transform(text="as given")
CHUNK: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """Classes of equal weight, each a unit normal cloud; any two centres are equally far apart.

    Class k has its centre at ``separation / sqrt(2)`` on axis k, so that two centres are
    ``separation`` apart. Inputs are rounded to float32.

    Attributes:
        n: training examples.
        dim: dimension of the inputs, at least ``classes``.
        classes: number of classes, at least 2.
        separation: distance of two centres, in standard deviations.
        seed: names the sample; the law does not depend on it.
        test: test examples.

    Raises:
        UsageError: a value is outside its range.

    Example:
        >>> round(Blobs(separation=2.0).bayes_risk(), 6)
        0.158655
    """

    n: int = 2000
    dim: int = 20
    classes: int = 2
    separation: float = 2.0
    seed: int = 0
    test: int = 1000
    seeds: Seeds = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", Seeds(self.seed).child("blobs"))
        if not 2 <= self.classes <= self.dim:
            raise UsageError(f"synthetic needs 2 <= classes <= dim, got {self.classes}, {self.dim}")
        if self.n < 1 or self.test < 1:
            raise UsageError(f"synthetic needs n and test above 0, got {self.n}, {self.test}")
        if not (math.isfinite(self.separation) and self.separation >= 0):
            raise UsageError(f"synthetic needs a separation of 0 or more, got {self.separation}")

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Return the problem that ``synthetic`` or ``synthetic:key=value,...`` names.

        Raises:
            UsageError: a key is unknown or repeated, or a value is no number.
        """
        kinds: dict[str, Callable[[str], Any]] = {
            f.name: float if f.name == "separation" else int for f in fields(cls) if f.init
        }
        return cls(**keyed_numbers(spec, kinds))

    @property
    def centres(self) -> Tensor:
        """Centres of the classes, one per row, float64."""
        return torch.eye(self.classes, self.dim, dtype=torch.float64) * self._axis

    @property
    def _axis(self) -> float:
        return self.separation / math.sqrt(2)

    def sample(self, count: int, stream: str, *keys: int) -> Examples:
        """Return ``count`` independent examples; another stream or key is another sample.

        Streams ``train`` and ``test`` are those of :meth:`data`.
        """
        generator = self.seeds.numpy(stream, *keys)
        labels = generator.integers(self.classes, size=count)
        inputs = generator.standard_normal((count, self.dim)) + self.centres.numpy()[labels]
        raw = inputs.astype(np.float32)
        return examples_from_arrays(raw, labels, divisor=1, transform=AS_GIVEN, source="synthetic")

    def data(self, spec: str = "synthetic") -> Data:
        """Return training and test examples."""
        return Data(
            name="synthetic",
            train=self.sample(self.n, "train"),
            test=self.sample(self.test, "test"),
            classes=self.classes,
            transform=AS_GIVEN,
            description=(
                f"{self.classes} normal blobs in {self.dim} dimensions, "
                f"{self.separation:g} standard deviations apart"
            ),
            builtin=True,
            spec=spec,
        )

    def bayes_risk(self) -> float:
        """Return the risk of the best rule, the nearest centre; to about 1e-12.

        ``1 - integral of phi(t - a) Phi(t)^(classes - 1) dt`` with ``a = separation / sqrt(2)``;
        ``Phi(-separation / 2)`` for two classes.
        """
        from scipy.integrate import quad
        from scipy.stats import norm

        if self.classes == 2:
            return float(norm.cdf(-self.separation / 2))
        a, others = self._axis, self.classes - 1
        right, _ = quad(
            lambda t: norm.pdf(t - a) * norm.cdf(t) ** others, a - 12, a + 12, epsabs=1e-13
        )
        return 1.0 - float(right)

    def linear_risk(self, weight: Tensor, bias: Tensor) -> float:
        """Return the true risk of the linear rule with logits ``weight @ x + bias``, two classes.

        The difference of the logits is normal, so the risk is a mean of two normal tails, exact
        to about 1e-15. (The rounding of inputs to float32 is ignored.)

        Args:
            weight: one row per class.  # (2, dim)
            bias: one entry per class.  # (2,)

        Raises:
            UsageError: there are more than two classes.
        """
        from scipy.stats import norm

        if self.classes != 2:
            raise UsageError("the closed form needs two classes; use fresh_risk")
        normal = weight[1].double() - weight[0].double()
        offset = float(bias[1].double() - bias[0].double())
        length = float(normal.norm())
        if length == 0:  # the same class always, and a tie is an error for both
            return 1.0 if offset == 0 else 0.5
        low, high = ((self.centres @ normal + offset) / length).tolist()
        return 0.5 * float(norm.sf(-low)) + 0.5 * float(norm.cdf(-high))

    def fresh_risk(
        self, predict: Callable[[Tensor], Tensor], *, samples: int = 1_000_000, key: int = 0
    ) -> "FreshRisk":
        """Return the errors of a predictor on a large sample that nothing else uses.

        Args:
            predict: logits from inputs, (B, dim) -> (B, classes); may be random.
            samples: size of the sample.
            key: names the sample.
        """
        errors, done = 0, 0
        with torch.no_grad():
            for block in range(math.ceil(samples / CHUNK)):
                fresh = self.sample(min(CHUNK, samples - done), "fresh", key, block)
                errors += int((~is_right(predict(fresh.inputs), fresh.labels)).sum())
                done += len(fresh)
        return FreshRisk(errors=errors, trials=done)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshRisk:
    """Errors on a fresh sample; an estimate of the true risk, without a guarantee.

    Attributes:
        errors: wrong examples.
        trials: examples.
    """

    errors: int
    trials: int

    @property
    def risk(self) -> float:
        """Share of errors."""
        return self.errors / self.trials

    @property
    def deviation(self) -> float:
        """Standard deviation of ``risk``, at most ``1 / (2 sqrt(trials))``."""
        return math.sqrt(self.risk * (1 - self.risk) / self.trials)
