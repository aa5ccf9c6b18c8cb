"""Priors: what stood fixed before the certificate part was looked at."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import torch
from torch import Tensor

from pacbayes.errors import InputError, UsageError
from pacbayes.posterior.grid import ScaleGrid
from pacbayes.tickets import IndexSet, Mask, Ticket, digest

Kind = Literal["init", "zero", "split", "given"]
Price = Literal["free", "count"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Gaussian slabs around fixed means on the kept entries, exactly zero elsewhere.

    Attributes:
        kind: where the means come from: ``init``, ``zero``, ``split`` (trained on the prior part)
            or ``given``.
        mean: means by parameter name, float32; zero where the mask removes.
        mask: the support.
        mask_price: ``free`` when the mask is part of the prior (it must not have seen the
            certificate part); ``count`` when the mask is coded under the data-free law that is
            uniform over the number of kept entries of each tensor, then over their positions.
        scale: standard deviation of the slabs of each tensor.
        grid: the declared grid that the scales lie on, ``None`` when they were fixed beforehand.
        grid_index: position of each tensor's scale on the grid; empty without a grid.
        seen: indices that the means, fixed scales, buffers and a free mask have seen.
        mask_seen: indices that the mask has seen.
        buffers: non-parameter state of the network; the posterior must have the same.
    """

    kind: Kind
    mean: dict[str, Tensor]
    mask: Mask
    mask_price: Price
    scale: dict[str, float]
    grid: ScaleGrid | None
    grid_index: dict[str, int]
    seen: IndexSet
    mask_seen: IndexSet
    buffers: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mask.require_fits(self.mean)
        if set(self.scale) != set(self.mean):
            raise InputError("prior: scales and means differ in their names")
        if any(not value > 0 for value in self.scale.values()):
            raise UsageError("prior scales must be positive")
        if self.grid is None:
            return
        on_grid = {name: self.grid.value(index) for name, index in self.grid_index.items()}
        if on_grid != self.scale:
            raise UsageError("prior scales must lie on the declared grid")

    @classmethod
    def at_init(
        cls, ticket: Ticket, *, total: int, charge_mask: bool = False, grid: ScaleGrid | None = None
    ) -> Self:
        """Return the prior centred at the ticket's initial weights, scales on a grid.

        Args:
            ticket: must have initial weights.
            total: number of training examples that index sets refer to.
            charge_mask: code the mask instead of taking it as given.
            grid: the declared grid of scales.

        Raises:
            InputError: the ticket has no initial weights.
        """
        if ticket.init is None:
            raise InputError("the ticket has no initial weights; give them with --init")
        return cls._on_grid(
            "init", ticket.init, ticket, total=total, charge_mask=charge_mask, grid=grid
        )

    @classmethod
    def at_zero(
        cls, ticket: Ticket, *, total: int, charge_mask: bool = False, grid: ScaleGrid | None = None
    ) -> Self:
        """Return the prior centred at zero, scales on a grid."""
        zeros = {name: torch.zeros_like(tensor) for name, tensor in ticket.trained.items()}
        return cls._on_grid("zero", zeros, ticket, total=total, charge_mask=charge_mask, grid=grid)

    @classmethod
    def from_split(cls, ticket: Ticket, *, total: int, relative_scale: float = 0.05) -> Self:
        """Return the prior centred at weights trained on the prior part.

        The scale of each tensor is ``relative_scale`` times the root mean square of its kept
        trained weights: a function of the prior part alone, so it costs nothing.
        """
        mask = ticket.mask
        scale = {}
        for name, tensor in ticket.trained.items():
            kept = tensor[mask.of(name, tensor)].double()
            rms = float(kept.square().mean().sqrt()) if kept.numel() else 0.0
            scale[name] = relative_scale * max(rms, 1e-3)
        origin = ticket.provenance
        seen = origin.seen("trained", total=total).union(_mask_seen(ticket, total))
        return cls(
            kind="split",
            mean=mask.apply(ticket.trained),
            mask=mask,
            mask_price="free",
            scale=scale,
            grid=None,
            grid_index={},
            seen=seen.union(_buffers_seen(ticket, total)),
            mask_seen=_mask_seen(ticket, total),
            buffers=dict(ticket.buffers),
        )

    @classmethod
    def _on_grid(
        cls,
        kind: Kind,
        mean: dict[str, Tensor],
        ticket: Ticket,
        *,
        total: int,
        charge_mask: bool,
        grid: ScaleGrid | None,
    ) -> Self:
        grid = grid or ScaleGrid()
        start = grid.nearest(0.05)
        mask_seen = _mask_seen(ticket, total)
        centre_seen = (
            ticket.provenance.seen("init", total=total) if kind == "init" else IndexSet.none(total)
        )
        seen = centre_seen.union(_buffers_seen(ticket, total))
        return cls(
            kind=kind,
            mean=ticket.mask.apply(mean),
            mask=ticket.mask,
            mask_price="count" if charge_mask else "free",
            scale={name: grid.value(start) for name in mean},
            grid=grid,
            grid_index={name: start for name in mean},
            seen=seen if charge_mask else seen.union(mask_seen),
            mask_seen=mask_seen,
            buffers=dict(ticket.buffers),
        )

    def on_grid(self, scale: dict[str, float]) -> Self:
        """Return the prior whose scales are the grid values nearest to the given ones.

        Raises:
            UsageError: the scales were fixed beforehand.
        """
        if self.grid is None:
            raise UsageError("the prior's scales were fixed beforehand")
        grid = self.grid
        index = {name: grid.nearest(value) for name, value in scale.items()}
        return replace(
            self, grid_index=index, scale={name: grid.value(j) for name, j in index.items()}
        )

    @property
    def digest(self) -> str:
        """SHA-256 over means, mask, scales, grid, price and what was seen."""
        facts = {
            "kind": self.kind,
            "mean": digest(self.mean),
            "mask": self.mask.digest,
            "mask_price": self.mask_price,
            "scale": {name: value.hex() for name, value in self.scale.items()},
            "grid": None if self.grid is None else self.grid.to_json(),
            "seen": self.seen.digest,
            "mask_seen": self.mask_seen.digest,
            "buffers": digest(self.buffers),
        }
        text = "pacbayes/prior/1\n" + json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _mask_seen(ticket: Ticket, total: int) -> IndexSet:
    """A mask that keeps everything has seen nothing, whoever made it."""
    if ticket.mask.kept == ticket.mask.prunable:
        return IndexSet.none(total)
    return ticket.provenance.seen("mask", total=total)


def _buffers_seen(ticket: Ticket, total: int) -> IndexSet:
    if not ticket.buffers:
        return IndexSet.none(total)
    return ticket.provenance.seen("buffers", total=total)
