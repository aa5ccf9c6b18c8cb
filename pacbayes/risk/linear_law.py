"""The law of a linear layer's outputs when its weights are independent normal numbers."""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from pacbayes.risk.drawn import Entries

Moments = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearLaw:
    """Means and variances of the entries of one layer, in the layout that its products need.

    Attributes:
        mean: of the weight, (outputs, inputs); stored by rows alone where few entries are kept.
        variance: of the weight, likewise.
        bias: mean and variance of the bias, (outputs,) each; ``None`` where there is none.
    """

    mean: Tensor
    variance: Tensor
    bias: Moments | None

    @classmethod
    def of(cls, weight: Entries, bias: Entries | None) -> Self:
        """Return the law of the layer with a weight and a bias."""
        matrix = weight.support.matrix
        make = weight.support.spread if matrix is None else matrix.with_values
        return cls(
            mean=make(weight.mean),
            variance=make(weight.scale.square()),
            bias=None
            if bias is None
            else (bias.support.spread(bias.mean), bias.support.spread(bias.scale.square())),
        )

    def moments(self, x: Tensor) -> Moments:
        """Return mean and standard deviation of the outputs, (B, outputs) each, for rows x."""
        centre, spread = self._product(self.mean, x), self._product(self.variance, x.square())
        if self.bias is not None:
            centre += self.bias[0]
            spread += self.bias[1]
        return centre, spread.sqrt_()

    @staticmethod
    def _product(weight: Tensor, x: Tensor) -> Tensor:
        if weight.layout == torch.strided:
            return F.linear(x, weight)
        return (weight @ x.t()).t().contiguous()
