"""What fitting minimises: differentiable readers of the bounds' formulas. Never called a bound."""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

ObjectiveName = Literal["kl", "quad", "catoni"]
Objective = Callable[[Tensor, Tensor], Tensor]

LOWEST_PROBABILITY = 1e-4
CATONI_C = 3.0
"""Suits a risk of a few hundredths, whose bounded cross-entropy is about as large."""


def bounded_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy, clamped and scaled to [0, 1].

    Probabilities below 1e-4 count as 1e-4 and the result is divided by ``ln 1e4``
    (Perez-Ortiz et al. 2021, section 6).
    """
    ceiling = -math.log(LOWEST_PROBABILITY)
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return losses.clamp(max=ceiling).mean() / ceiling


class KlInverse(torch.autograd.Function):
    """``p = max{p : kl(q || p) <= c}`` with the gradient of the implicit function.

    ``dp/dc = p (1 - p) / (p - q)`` and
    ``dp/dq = p (1 - p) / (p - q) * ln(p (1 - q) / (q (1 - p)))``.
    """

    @staticmethod
    def forward(ctx: Any, risk: Tensor, complexity: Tensor) -> Tensor:
        """Return p in float64 precision, as a tensor like ``risk``."""
        q = min(max(float(risk), 1e-9), 1 - 1e-9)
        p = _kl_inverse(q, float(complexity))
        slope = p * (1 - p) / max(p - q, 1e-12)
        ctx.slopes = (slope * math.log(p * (1 - q) / (q * (1 - p))), slope)
        return risk.new_tensor(p)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients with respect to risk and complexity."""
        by_risk, by_complexity = ctx.slopes
        return grads[0] * by_risk, grads[0] * by_complexity


def _kl_inverse(q: float, c: float) -> float:
    """Newton from the right: kl is convex in p, so the iterates stay right of the root."""
    p = min(q + math.sqrt(c / 2), 1 - 1e-12)
    for _ in range(50):
        value = q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p)) - c
        step = value * p * (1 - p) / (p - q) if p > q else 0.0
        p = min(max(p - step, q), 1 - 1e-12)
        if abs(step) < 1e-14:
            break
    return p


def kl_objective(*, n: int, constant: float) -> Objective:
    """Return ``(risk, kl) -> kl^-1(risk, (kl + constant) / n)``.

    Args:
        n: size of the certificate part.
        constant: ``ln(2 sqrt(n) / (w delta))`` in nats.
    """

    def objective(risk: Tensor, kl: Tensor) -> Tensor:
        value: Tensor = KlInverse.apply(risk, (kl + constant) / n)  # type: ignore[no-untyped-call]
        return value

    return objective


def quad_objective(*, n: int, constant: float) -> Objective:
    """Return ``(risk, kl) -> (sqrt(risk + k) + sqrt(k))^2`` with ``k = (kl + constant) / (2 n)``.

    Perez-Ortiz et al. (2021), equation 13.
    """

    def objective(risk: Tensor, kl: Tensor) -> Tensor:
        half = (kl + constant) / (2 * n)
        return (torch.sqrt(risk + half) + torch.sqrt(half)).square()

    return objective


def catoni_objective(*, n: int, constant: float, c: float = CATONI_C) -> Objective:
    """Return ``(risk, kl) -> (1 - exp(-c risk - (kl + constant) / n)) / (1 - e^-c)``.

    Catoni (2007), theorem 1.2.6, at a fixed ``c``: a unit of risk and a nat keep their exchange
    rate, whatever the risk is by now.

    Args:
        n: size of the certificate part.
        constant: ``ln(1 / (w delta))`` or more, in nats; it does not move the optimum.
        c: what a unit of risk weighs against ``1 / n`` nats.
    """

    def objective(risk: Tensor, kl: Tensor) -> Tensor:
        return -torch.expm1(-c * risk - (kl + constant) / n) / -math.expm1(-c)

    return objective


OBJECTIVES: dict[ObjectiveName, Callable[..., Objective]] = {
    "kl": kl_objective,
    "quad": quad_objective,
    "catoni": catoni_objective,
}
