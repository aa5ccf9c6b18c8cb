"""Products with kept entries alone equal products with the dense matrix."""

import pytest
import torch

from pacbayes.posterior.support import SPARSE_DENSITY, Support


def kept(*shape: int, density: float) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(2)) < density


@pytest.mark.parametrize("density", [0.02, 0.09])
def test_sparse_products_equal_dense_ones(density: float) -> None:
    """Sums of at most 60 products of order one: float32 leaves errors below 1e-4."""
    mask = kept(40, 60, density=density)
    support = Support.of(mask)
    assert support.matrix is not None
    dense = torch.randn(40, 60) * mask
    values, x, grad = support.gather(dense), torch.randn(60, 7), torch.randn(40, 7)
    product = support.matrix.add_product(values, x, to=torch.full((40, 7), 2.0))
    assert torch.allclose(product, 2 + dense @ x, atol=1e-4)
    product = support.matrix.add_turned_product(values, grad, to=torch.ones(60, 7))
    assert torch.allclose(product, 1 + dense.t() @ grad, atol=1e-4)
    expected = support.gather(grad @ x.t())
    assert torch.allclose(support.matrix.outer(grad, x), expected, atol=1e-4)


@pytest.mark.parametrize("density", [0.0, 0.05, 0.5, 1.0])
def test_gather_and_spread_are_inverse_on_the_support(density: float) -> None:
    mask = kept(3, 4, 5, density=density)
    support = Support.of(mask)
    dense = torch.randn(3, 4, 5)
    assert support.count == int(mask.sum())
    assert torch.equal(support.spread(support.gather(dense)), dense * mask)
    rows = torch.stack([support.gather(dense), support.gather(2 * dense)])
    assert torch.equal(support.spread(rows)[1], 2 * dense * mask)


def test_only_thin_matrices_are_taken_as_sparse() -> None:
    assert Support.of(kept(40, 60, density=2 * SPARSE_DENSITY)).matrix is None
    assert Support.of(torch.zeros(4, 6, dtype=torch.bool)).matrix is None
    assert Support.of(kept(4, 5, 6, density=0.01)).matrix is None
