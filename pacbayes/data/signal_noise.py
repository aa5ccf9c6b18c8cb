"""A signal on one axis per class, and noise on all other axes: the data of pruning theory."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from pacbayes.data.arrays import examples_from_arrays
from pacbayes.data.dataset import Data, Examples
from pacbayes.data.keyed import keyed_numbers
from pacbayes.data.known import AS_GIVEN
from pacbayes.errors import UsageError
from pacbayes.runtime.seeds import Seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalNoise:
    """Classes of equal weight; an example is its class's signal plus noise that carries nothing.

    Class k has the signal ``signal * e_k``. The noise is normal with variance
    ``noise^2 / (dim - classes)`` on every axis that carries no signal, and zero on the others, so
    that its length is about ``noise``. The best rule never errs; a rule that does not look at the
    first ``classes`` axes errs with probability ``1 - 1 / classes``. Inputs are rounded to float32.

    Attributes:
        n: training examples.
        dim: dimension of the inputs, above ``classes``.
        classes: number of classes, at least 2.
        signal: length of the signal.
        noise: root mean square length of the noise.
        seed: names the sample; the law does not depend on it.
        test: test examples.

    Raises:
        UsageError: a value is outside its range.

    References:
        Yang, Liang, Guo, Wu and Wang (2023); their constants could not be read, only the form.

    Example:
        >>> problem = SignalNoise(n=4, dim=10)
        >>> problem.sample(4, "train").inputs[:, :2].sum(dim=1).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    n: int = 150
    dim: int = 6000
    classes: int = 2
    signal: float = 1.0
    noise: float = 1.0
    seed: int = 0
    test: int = 500
    seeds: Seeds = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", Seeds(self.seed).child("signal-noise"))
        if not 2 <= self.classes < self.dim:
            raise UsageError(f"signal-noise needs 2 <= classes < dim: {self.classes}, {self.dim}")
        if self.n < 1 or self.test < 1:
            raise UsageError(f"signal-noise needs n and test above 0, got {self.n}, {self.test}")
        if not (0 < self.signal < math.inf and 0 <= self.noise < math.inf):
            raise UsageError("signal-noise needs a signal above 0 and noise of 0 or more")

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Return the problem that ``signal-noise`` or ``signal-noise:key=value,...`` names.

        Raises:
            UsageError: a key is unknown or repeated, or a value is no number.
        """
        real = ("signal", "noise")
        kinds: dict[str, Callable[[str], Any]] = {
            f.name: float if f.name in real else int for f in fields(cls) if f.init
        }
        return cls(**keyed_numbers(spec, kinds))

    @property
    def spec(self) -> str:
        """The text that :meth:`parse` reads."""
        pairs = (f"{f.name}={getattr(self, f.name)}" for f in fields(self) if f.init)
        return f"signal-noise:{','.join(pairs)}"

    def sample(self, count: int, stream: str, *keys: int) -> Examples:
        """Return ``count`` independent examples; another stream or key is another sample.

        Streams ``train`` and ``test`` are those of :meth:`data`.
        """
        generator = self.seeds.numpy(stream, *keys)
        labels = generator.integers(self.classes, size=count)
        inputs = generator.standard_normal((count, self.dim), dtype=np.float32)
        inputs *= np.float32(self.noise / math.sqrt(self.dim - self.classes))
        inputs[:, : self.classes] = 0
        inputs[np.arange(count), labels] = self.signal
        return examples_from_arrays(
            inputs, labels, divisor=1, transform=AS_GIVEN, source="signal-noise"
        )

    def noise_of(self, examples: Examples) -> Tensor:
        """Return the noise of each example: its input without the signal.  # (N, dim)."""
        noise = examples.inputs.clone()
        noise[torch.arange(len(examples)), examples.labels] -= self.signal
        return noise

    def data(self) -> Data:
        """Return training and test examples."""
        return Data(
            name="signal-noise",
            train=self.sample(self.n, "train"),
            test=self.sample(self.test, "test"),
            classes=self.classes,
            transform=AS_GIVEN,
            description=(
                f"{self.classes} orthogonal signals of length {self.signal:g} and normal noise of "
                f"length {self.noise:g} in {self.dim} dimensions"
            ),
            builtin=True,
            spec=self.spec,
        )
