"""Priors: what stood fixed before the certificate part was looked at."""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import torch
from torch import Tensor

from pacbayes.errors import InputError, UsageError
from pacbayes.posterior.grid import ScaleGrid
from pacbayes.tickets import IndexSet, Mask, Ticket, digest, steady_sum

Kind = Literal["init", "zero", "split", "given"]
Price = Literal["free", "count", "gates"]
INCLUSIONS = ScaleGrid(top=1.0, steps_per_octave=32, size=448)
"""Default grid of prior inclusion probabilities: from 1 down by fourteen octaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Gaussian slabs around fixed means on the kept entries, exactly zero elsewhere.

    With gates, entry i of a prunable tensor is exactly zero with probability one minus the
    tensor's inclusion, independently of all others.

    Attributes:
        kind: where the means come from: ``init``, ``zero``, ``split`` (trained on the prior part)
            or ``given``.
        mean: means by parameter name, float32; zero where the mask removes.
        mask: the support.
        mask_price: ``free`` when the mask is part of the prior (it must not have seen the
            certificate part); ``count`` when the mask is coded under the data-free law that is
            uniform over the number of kept entries of each tensor, then over their positions;
            ``gates`` when every entry of a prunable tensor is in the prior with the probability
            ``inclusion``, so that a random mask pays the divergence of its gates.
        scale: standard deviation of the slabs of each tensor.
        grid: the declared grid that the scales lie on, ``None`` when they were fixed beforehand.
        grid_index: position of each tensor's scale on the grid; empty without a grid.
        seen: indices that the means, fixed scales, buffers and a free mask have seen.
        mask_seen: indices that the mask has seen.
        buffers: non-parameter state of the network; the posterior must have the same.
        inclusion: prior probability that an entry is not exactly zero, by parameter name, one for
            tensors that are not prunable; empty unless the price is ``gates``.
        inclusion_grid: the declared grid that they lie on, ``None`` unless the price is ``gates``.
        inclusion_index: position on that grid of each prunable tensor.
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
    inclusion: dict[str, float] = field(default_factory=dict)
    inclusion_grid: ScaleGrid | None = None
    inclusion_index: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mask.require_fits(self.mean)
        self._require_gates()
        if set(self.scale) != set(self.mean):
            raise InputError("prior: scales and means differ in their names")
        if any(not value > 0 for value in self.scale.values()):
            raise UsageError("prior scales must be positive")
        if self.grid is None:
            return
        on_grid = {name: self.grid.value(index) for name, index in self.grid_index.items()}
        if on_grid != self.scale:
            raise UsageError("prior scales must lie on the declared grid")

    def _require_gates(self) -> None:
        if self.mask_price != "gates":
            if self.inclusion or self.inclusion_index or self.inclusion_grid is not None:
                raise UsageError("only a prior with the price gates has inclusion probabilities")
            return
        if self.inclusion_grid is None or set(self.inclusion_index) != set(self.mask):
            raise UsageError("every prunable tensor needs an inclusion on a declared grid")
        if self.mask.kept != self.mask.prunable:
            raise UsageError("a prior with gates has every entry in its support")
        on_grid = _inclusions(self.inclusion_grid, self.inclusion_index, self.mean)
        if on_grid != self.inclusion or max(on_grid.values()) > 1:
            raise UsageError("prior inclusions must lie on the declared grid, and in (0, 1]")

    @classmethod
    def at_init(
        cls,
        ticket: Ticket,
        *,
        total: int,
        charge_mask: bool = False,
        grid: ScaleGrid | None = None,
        gates: ScaleGrid | None = None,
    ) -> Self:
        """Return the prior centred at the ticket's initial weights, scales on a grid.

        Args:
            ticket: must have initial weights.
            total: number of training examples that index sets refer to.
            charge_mask: code the mask instead of taking it as given.
            grid: the declared grid of scales.
            gates: the declared grid of inclusion probabilities, for a prior that has every entry
                in its support with a gate each; nothing of the ticket's mask is left in it.

        Raises:
            InputError: the ticket has no initial weights, or gates are asked for and its initial
                weights are zero wherever the mask removes, so that they would give it away.
        """
        if ticket.init is None:
            raise InputError("the ticket has no initial weights; give them with --init")
        mask = ticket.mask
        removed = [ticket.init[name][~mask[name]] for name in mask]
        if gates is not None and mask.kept < mask.prunable and not torch.cat(removed).any():
            raise InputError("the initial weights are already masked; give the first ones (--init)")
        price: Price = "count" if charge_mask else "free"
        return cls._on_grid(
            "init", ticket.init, ticket, total=total, price=price, grid=grid, gates=gates
        )

    @classmethod
    def at_zero(
        cls,
        ticket: Ticket,
        *,
        total: int,
        charge_mask: bool = False,
        grid: ScaleGrid | None = None,
        gates: ScaleGrid | None = None,
    ) -> Self:
        """Return the prior centred at zero, scales on a grid; see :meth:`at_init`."""
        zeros = {name: torch.zeros_like(tensor) for name, tensor in ticket.trained.items()}
        price: Price = "count" if charge_mask else "free"
        return cls._on_grid("zero", zeros, ticket, total=total, price=price, grid=grid, gates=gates)

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
            rms = math.sqrt(steady_sum(kept.square()) / kept.numel()) if kept.numel() else 0.0
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
        price: Price,
        grid: ScaleGrid | None,
        gates: ScaleGrid | None,
    ) -> Self:
        grid = grid or ScaleGrid()
        start = grid.nearest(0.05)
        mask, mask_seen = ticket.mask, _mask_seen(ticket, total)
        if gates is not None:
            mask, mask_seen, price = Mask.full(mean), IndexSet.none(total), "gates"
        inclusion = dict.fromkeys(mask, 0 if gates is None else gates.nearest(0.5))
        centre_seen = (
            ticket.provenance.seen("init", total=total) if kind == "init" else IndexSet.none(total)
        )
        seen = centre_seen.union(_buffers_seen(ticket, total))
        return cls(
            kind=kind,
            mean=mask.apply(mean),
            mask=mask,
            mask_price=price,
            scale={name: grid.value(start) for name in mean},
            grid=grid,
            grid_index={name: start for name in mean},
            seen=seen.union(mask_seen) if price == "free" else seen,
            mask_seen=mask_seen,
            buffers=dict(ticket.buffers),
            inclusion={} if gates is None else _inclusions(gates, inclusion, mean),
            inclusion_grid=gates,
            inclusion_index={} if gates is None else inclusion,
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

    def on_inclusion_grid(self, inclusion: dict[str, float]) -> Self:
        """Return the prior with gates whose inclusions are the grid values nearest to the given.

        An inclusion below one never becomes one: a prior that always includes cannot price a
        posterior that does not.

        Raises:
            UsageError: the prior has no gates.
        """
        grid = self.inclusion_grid
        if grid is None:
            raise UsageError("the prior has no gates")
        index = {}
        for name, value in inclusion.items():
            nearest = grid.nearest(max(value, grid.value(grid.size - 1)))
            index[name] = nearest + 1 if value < 1 <= grid.value(nearest) else nearest
        return replace(self, inclusion_index=index, inclusion=_inclusions(grid, index, self.mean))

    @property
    def digest(self) -> str:
        """SHA-256 over means, mask, scales, grid, price and what was seen."""
        facts: dict[str, Any] = {
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
        if self.inclusion_grid is not None:
            facts["inclusion"] = {name: value.hex() for name, value in self.inclusion.items()}
            facts["inclusion_grid"] = self.inclusion_grid.to_json()
        text = "pacbayes/prior/1\n" + json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _inclusions(grid: ScaleGrid, index: dict[str, int], names: Iterable[str]) -> dict[str, float]:
    """Return the inclusion of every parameter: one where it has no place on the grid."""
    return {name: grid.value(index[name]) if name in index else 1.0 for name in names}


def _mask_seen(ticket: Ticket, total: int) -> IndexSet:
    """A mask that keeps everything has seen nothing, whoever made it."""
    if ticket.mask.kept == ticket.mask.prunable:
        return IndexSet.none(total)
    return ticket.provenance.seen("mask", total=total)


def _buffers_seen(ticket: Ticket, total: int) -> IndexSet:
    if not ticket.buffers:
        return IndexSet.none(total)
    return ticket.provenance.seen("buffers", total=total)
