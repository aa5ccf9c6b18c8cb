"""Products with the Hessian against those of another library, where the extra is installed."""

import numpy as np
import pytest
import torch
from torch import nn

from pacbayes.landscape import Hessian
from tests.landscape.problems import small, small_sample

curvlinops = pytest.importorskip("curvlinops", reason="the landscape extra is not installed")


def test_curvlinops_agrees() -> None:
    model, ticket = small()
    sample = small_sample()
    model.load_state_dict(ticket.trained)
    parameters = dict(model.named_parameters())
    operator = curvlinops.HessianLinearOperator(
        model,
        nn.CrossEntropyLoss(),
        list(parameters.values()),
        [(sample.inputs.double(), sample.labels)],
    )
    hessian = Hessian.of(model, ticket, sample)
    direction = hessian.space.direction(np.random.default_rng(0))
    along = hessian.space.tensors(direction, ticket.trained)
    whole = operator @ torch.cat([along[name].reshape(-1) for name in parameters])
    pieces = whole.detach().split([p.numel() for p in parameters.values()])
    named = {n: v.reshape(p.shape) for (n, p), v in zip(parameters.items(), pieces, strict=True)}
    assert hessian.times(direction) == pytest.approx(hessian.space.vector(named), rel=1e-9)
