"""Noisy layers with gradients written by hand, straight to where the optimiser reads them.

For independent weights of means M and variances V and one input row x, the outputs of a linear
layer are independent normal numbers of mean ``x M' + b`` and variance ``(x^2) V' + v`` (local
reparametrization, Kingma, Salimans and Welling 2015). Its gradient needs the two products forwards
and four backwards, and nothing else of the size of the weights. The gradient by V is taken from a
quarter of the batch, four times as large: batches are in random order, so it has no bias, and the
posteriors that come out of it are as good.

Each function takes a tensor ``root`` that requires a gradient and gets none: through it autograd
learns that there is something to do backwards.
"""

from typing import Any

import torch
from torch import Tensor

from pacbayes.posterior.slab import Slab
from pacbayes.posterior.support import SparseMatrix, Support

SMALLEST_VARIANCE = 1e-20
SHARE = 4
"""One of so many examples, the first of a batch, gives the gradient by the variances."""


class NoisyLinear(torch.autograd.Function):
    """``x M' + b + sqrt((x^2) V' + v) * noise`` for inputs of shape (B, features)."""

    @staticmethod
    def forward(  # noqa: PLR0917 (autograd functions take positions)
        ctx: Any, x: Tensor, root: Tensor, weight: Slab, bias: Slab | None, noise: Tensor
    ) -> Tensor:
        """Return the outputs of shape (B, rows), for noise of that shape."""
        centre_bias, variance_bias = _bias(x, bias)
        squares = x.square()
        mean, variance = weight.support.spread(weight.mean), weight.support.spread(weight.variance)
        spread = torch.addmm(variance_bias, squares, variance.t())
        ratio = spread.rsqrt().mul_(noise)
        ctx.weight, ctx.bias = weight, bias
        ctx.save_for_backward(x, squares, mean, variance, ratio)
        return torch.addmm(centre_bias, x, mean.t()).addcmul_(ratio, spread)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Write the gradients of the parameters and return the one by x."""
        x, squares, mean, variance, ratio = ctx.saved_tensors
        grad = grads[0]
        scaled = ratio.mul_(grad)
        weight: Slab = ctx.weight
        few = -(-len(x) // SHARE)
        _write_product(weight.support, grad, x, out=weight.by_mean)
        _write_product(
            weight.support,
            scaled[:few],
            squares[:few],
            factor=len(x) / few,
            out=weight.by_scale,
        )
        _write_bias(ctx.bias, grad.sum(0), scaled.sum(0))
        by_x = None
        if ctx.needs_input_grad[0]:
            by_x = (grad @ mean).addcmul_(x, scaled @ variance)
        return by_x, None, None, None, None


class SparseNoisyLinear(torch.autograd.Function):
    """The same with products of the kept entries alone; features are rows, examples columns."""

    @staticmethod
    def forward(  # noqa: PLR0917 (autograd functions take positions)
        ctx: Any, x: Tensor, root: Tensor, weight: Slab, bias: Slab | None, noise: Tensor
    ) -> Tensor:
        """Return the outputs of shape (B, rows), for noise of shape (rows, B)."""
        matrix = _matrix(weight)
        centre_bias, variance_bias = _bias(x, bias)
        turned = x.t().contiguous()
        squares, shape = turned.square(), (weight.support.shape[0], len(x))
        spread = matrix.add_product(weight.variance, squares, to=_columns(variance_bias, shape))
        ratio = spread.rsqrt().mul_(noise)
        ctx.weight, ctx.bias = weight, bias
        ctx.save_for_backward(turned, squares, ratio)
        centre = matrix.add_product(weight.mean, turned, to=_columns(centre_bias, shape))
        return centre.addcmul_(ratio, spread).t()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Write the gradients of the parameters and return the one by x."""
        turned, squares, ratio = ctx.saved_tensors
        weight, matrix = ctx.weight, _matrix(ctx.weight)
        grad = grads[0].t().contiguous()
        scaled = ratio.mul_(grad)
        weight.by_mean.copy_(matrix.outer(grad, turned))
        few = -(-grad.shape[1] // SHARE)
        some = matrix.outer(scaled[:, :few], squares[:, :few])
        torch.mul(some, grad.shape[1] / few, out=weight.by_scale)
        _write_bias(ctx.bias, grad.sum(1), scaled.sum(1))
        by_x = None
        if ctx.needs_input_grad[0]:
            zeros = torch.zeros_like(turned)
            by_squares = matrix.add_turned_product(weight.variance, scaled, to=zeros)
            start = by_squares.mul_(turned)
            by_x = matrix.add_turned_product(weight.mean, grad, to=start).t()
        return by_x, None, None, None, None


class Drawn(torch.autograd.Function):
    """``m + s * noise``: a parameter drawn once for the whole batch."""

    @staticmethod
    def forward(ctx: Any, root: Tensor, slab: Slab, noise: Tensor) -> Tensor:
        """Return the parameter in its own shape, for noise of shape (count,)."""
        deviation = slab.variance.sqrt()
        ctx.slab = slab
        ctx.save_for_backward(noise / deviation.clamp(min=SMALLEST_VARIANCE**0.5))
        return slab.support.spread(torch.addcmul(slab.mean, deviation, noise))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Write the gradients of the parameter."""
        (ratio,) = ctx.saved_tensors
        slab: Slab = ctx.slab
        slab.by_mean.copy_(slab.support.gather(grads[0]))
        torch.mul(slab.by_mean, ratio, out=slab.by_scale)
        return None, None, None


def _bias(x: Tensor, bias: Slab | None) -> tuple[Tensor, Tensor]:
    """Return mean and variance of the bias; the variance is never zero, so it has a root."""
    if bias is None:
        return x.new_zeros(1), x.new_full((1,), SMALLEST_VARIANCE)
    variance = bias.support.spread(bias.variance) + SMALLEST_VARIANCE
    return bias.support.spread(bias.mean), variance


def _columns(bias: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a new tensor with the bias in each column."""
    return bias[:, None].expand(shape).clone(memory_format=torch.contiguous_format)


def _matrix(weight: Slab) -> SparseMatrix:
    if weight.support.matrix is None:
        raise ValueError("the support has no sparse matrix")
    return weight.support.matrix


def _write_product(
    support: Support, left: Tensor, right: Tensor, *, factor: float = 1.0, out: Tensor
) -> None:
    """Write the kept entries of ``factor * left' right``."""
    dense = out.view(support.shape) if support.places is None else out.new_empty(support.shape)
    torch.addmm(dense, left.t(), right, beta=0, alpha=factor, out=dense)
    if support.places is not None:
        torch.index_select(dense.view(-1), 0, support.places, out=out)


def _write_bias(bias: Slab | None, by_mean: Tensor, by_scale: Tensor) -> None:
    if bias is not None:
        bias.by_mean.copy_(bias.support.gather(by_mean))
        bias.by_scale.copy_(bias.support.gather(by_scale))
