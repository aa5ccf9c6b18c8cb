"""Max-pooling gives torch's values and gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pacbayes.posterior.pooling import max_pool2d

CASES = [
    {"kernel_size": 2},
    {"kernel_size": (2, 2), "stride": 2},
    {"kernel_size": 2, "stride": []},
    {"kernel_size": 2, "stride": 1},
    {"kernel_size": 2, "padding": 1},
    {"kernel_size": 2, "dilation": 2},
    {"kernel_size": 2, "ceil_mode": True},
    {"kernel_size": 3},
    {"kernel_size": (1, 2)},
    {"kernel_size": 3, "stride": 2, "padding": 1},
]


def images(*shape: int, kind: str) -> Tensor:
    """Distinct entries, or few values so that most windows have ties."""
    generator = torch.Generator().manual_seed(2)
    if kind == "distinct":
        count = torch.Size(shape).numel()
        return torch.randperm(count, generator=generator).float().view(shape)
    return torch.randint(0, 3, shape, generator=generator).float()


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("shape", [(2, 3, 8, 6), (2, 3, 7, 6), (3, 8, 9), (1, 1, 4, 4)], ids=str)
@pytest.mark.parametrize("kind", ["distinct", "ties"])
def test_values_are_those_of_torch(
    case: dict[str, object], shape: tuple[int, ...], kind: str
) -> None:
    x = images(*shape, kind=kind)
    assert torch.equal(max_pool2d(x, **case), F.max_pool2d(x, **case))  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(2, 3, 8, 6), (2, 3, 7, 6), (3, 8, 10)], ids=str)
def test_gradients_are_those_of_torch(shape: tuple[int, ...]) -> None:
    found = []
    for pool in (max_pool2d, F.max_pool2d):
        x = images(*shape, kind="distinct").requires_grad_()
        out = pool(x, 2)
        out.backward(torch.arange(out.numel()).float().view(out.shape))
        found.append(x.grad)
    assert torch.equal(found[0], found[1])


def test_a_window_of_equal_entries_gets_its_gradient_once() -> None:
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    max_pool2d(x, 2).backward(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    assert x.grad is not None
    assert F.avg_pool2d(x.grad, 2).flatten().mul(4).tolist() == [1, 2, 3, 4]
    assert int((x.grad != 0).sum()) == 4


def test_what_is_no_number_stays_so() -> None:
    x = torch.zeros(1, 1, 2, 4)
    x[0, 0, 1, 2] = torch.nan
    assert torch.equal(max_pool2d(x, 2).isnan(), torch.tensor([[[[False, True]]]]))


def test_indices_are_given_where_they_are_asked_for() -> None:
    x = images(1, 2, 4, 4, kind="distinct")
    ours, places = max_pool2d(x, 2, return_indices=True)
    theirs, expected = F.max_pool2d(x, 2, return_indices=True)
    assert torch.equal(ours, theirs)
    assert torch.equal(places, expected)
