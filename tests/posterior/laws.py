"""Small posteriors and priors for tests."""

import torch
from torch import nn

from pacbayes.posterior import Prior, SpikeAndSlab
from pacbayes.tickets import IndexSet, Mask


def weights_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def random_mask(weights: dict[str, torch.Tensor], *, density: float, seed: int = 0) -> Mask:
    generator = torch.Generator().manual_seed(seed)
    return Mask(
        {
            name: torch.rand(w.shape, generator=generator) < density
            for name, w in weights.items()
            if w.ndim >= 2
        }
    )


def posterior_around(
    weights: dict[str, torch.Tensor], *, mask: Mask | None = None, scale: float = 0.2, seed: int = 1
) -> SpikeAndSlab:
    generator = torch.Generator().manual_seed(seed)
    mask = mask or Mask.full(weights)
    kept = {name: mask.of(name, w).float() for name, w in weights.items()}
    scales = {
        name: scale * (0.5 + torch.rand(w.shape, generator=generator)) * kept[name]
        for name, w in weights.items()
    }
    return SpikeAndSlab(
        mean={name: w * kept[name] for name, w in weights.items()}, scale=scales, inclusion=kept
    )


def prior_around(
    weights: dict[str, torch.Tensor],
    *,
    mask: Mask | None = None,
    scale: float = 0.3,
    price: str = "free",
) -> Prior:
    mask = mask or Mask.full(weights)
    return Prior(
        kind="given",
        mean=mask.apply(weights),
        mask=mask,
        mask_price=price,
        scale=dict.fromkeys(weights, scale),
        grid=None,
        grid_index={},
        seen=IndexSet.none(10),
        mask_seen=IndexSet.none(10),
    )
