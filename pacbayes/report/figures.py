"""The numbers behind each figure, from certificates alone; every figure is a table first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, nan
from statistics import median
from typing import Any, Final

from pacbayes.certificate import Certificate
from pacbayes.certificate.decimals import float_up
from pacbayes.certificate.pricing import Pricing
from pacbayes.certificate.spending import parts
from pacbayes.certificate.table import upper_digits
from pacbayes.errors import UsageError

Cell = str | float | int | None

DELTAS: Final = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001, 0.0001, 0.00001, 0.000001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What a figure shows.

    Attributes:
        title: what is against what, with units.
        columns: names of the columns, the first one labels the rows.
        rows: cells; ``None`` where a certificate says nothing.
        note: what the reader must know about the numbers.
        upper: columns of certified upper values, which are never rounded down.
        reference: bound of the dense twin, where there is one.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    upper: tuple[str, ...] = ()
    reference: float | None = None

    def column(self, name: str) -> list[Cell]:
        """Return the cells of one column."""
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def numbers(self, name: str) -> list[float]:
        """Return a column as floats; NaN where a certificate says nothing."""
        return [nan if not isinstance(c, int | float) else float(c) for c in self.column(name)]

    def table(self) -> str:
        """Return the figure as aligned text, ending with a newline."""
        cells = [self.columns, *(self._shown(row) for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = [self.title]
        for row in cells:
            first, *rest = (cell.rjust(w) for cell, w in zip(row, widths, strict=True))
            lines.append("  ".join([first.strip().ljust(widths[0]), *rest]).rstrip())
        if self.reference is not None:
            lines.append(f"dense reference: {shown(self.reference, up=True)}")
        return "\n".join([*lines, *([self.note] if self.note else [])]) + "\n"

    def _shown(self, row: tuple[Cell, ...]) -> tuple[str, ...]:
        named = zip(self.columns, row, strict=True)
        return tuple(shown(cell, up=name in self.upper) for name, cell in named)


def bound_by_density(certificates: Sequence[Certificate]) -> Figure:
    """Return bound, counted risk, hold-out bound and test error against the density."""
    _require_some(certificates)
    dense = [c for c in certificates if c.sparsity == 0]
    rows = []
    for certificate in sorted(certificates, key=lambda c: (c.sparsity, c.name)):
        counts, reference = certificate.document["mc"], certificate.document["reference"]
        holdout, test = reference["holdout"], reference["test"]
        row: tuple[Cell, ...] = (
            certificate.name,
            1.0 - certificate.sparsity,
            float_up(certificate.risk_upper),
            counts["errors"] / counts["trials"],
            None if holdout is None else float_up(holdout["risk_upper"]),
            None if test is None else test["errors"] / test["trials"],
        )
        rows.append(row)
    return Figure(
        title="risk against density (fraction of weights kept)",
        columns=("name", "density", "bound", "counted risk", "hold-out bound", "test error"),
        rows=tuple(rows),
        note="Bounds hold each at its own delta; counted risk and test error are estimates.",
        upper=("bound", "hold-out bound"),
        reference=min((float_up(c.risk_upper) for c in dense), default=None),
    )


def decomposition(certificates: Sequence[Certificate]) -> Figure:
    """Return what each bound consists of, in units of risk."""
    _require_some(certificates)
    named = [(certificate.name, parts(certificate)) for certificate in certificates]
    return Figure(
        title="what each bound consists of (risk)",
        columns=("name", *(part.name for part in named[0][1])),
        rows=tuple((name, *(part.risk for part in found)) for name, found in named),
        note=(
            "risk is counted, draws is the price of sampling weights; the rest of the bound is "
            "divided among the nats in proportion."
        ),
    )


def nats_by_tensor(certificate: Certificate) -> Figure:
    """Return divergence and density of every tensor."""
    rows = []
    for tensor in certificate.document["posterior"]["tensors"]:
        nats = tensor["kl"]
        row: tuple[Cell, ...] = (
            tensor["name"],
            tensor["n_weights"],
            tensor["n_active"] / tensor["n_weights"],
            float(nats["mask"]),
            float(nats["mean"]),
            float(nats["scale"]),
        )
        rows.append(row)
    return Figure(
        title=f"nats by tensor: {certificate.name}",
        columns=("tensor", "weights", "density", "mask", "mean", "scale"),
        rows=tuple(rows),
        note="mask, mean and scale are nats of the divergence; density is the fraction kept.",
    )


def bound_by_delta(certificate: Certificate, deltas: Sequence[float] = DELTAS) -> Figure:
    """Return the bound at other failure probabilities, from the same evidence.

    Each is a valid claim of its own, if delta was chosen before looking at the table.
    """
    pricing, rows = Pricing.of(certificate), []
    for delta in deltas:
        if not 0 < delta < 1:
            raise UsageError(f"delta must lie in (0, 1), got {delta}")
        factor = Fraction(delta) / pricing.delta
        other = replace(pricing, theorem=pricing.theorem * factor, draws=pricing.draws * factor)
        rows.append((f"{delta:g}", delta, _bound(other, certificate.document)))
    return Figure(
        title=f"bound against delta: {certificate.name}",
        columns=("", "delta", "bound"),
        rows=tuple(rows),
        note="Same evidence, shares of delta in proportion.",
        upper=("bound",),
    )


def bound_by_n(certificate: Certificate, sizes: Sequence[int] | None = None) -> Figure:
    """Return what the bound would be with more or fewer examples: an estimate.

    Counted risk and divergence are kept as they are, which a new fit would not do.
    """
    pricing, n, rows = Pricing.of(certificate), certificate.n, []
    for size in sizes or sorted({max(8, n * 2**k // 16) for k in range(9)}):
        if size < 1:
            raise UsageError(f"n must be at least 1, got {size}")
        scaled = _scaled(certificate.document, Fraction(size, n))
        rows.append((str(size), size, _bound(replace(pricing, n=size), scaled)))
    return Figure(
        title=f"bound against n, were risk and kl the same: {certificate.name}",
        columns=("", "n", "bound"),
        rows=tuple(rows),
        note=f"Only n = {n} is certified; the others are estimates.",
        upper=("bound",),
    )


def trajectory(runs: Mapping[str, Sequence[Certificate]]) -> Figure:
    """Return the bounds of several runs (seeds) level by level: median, least and largest.

    Args:
        runs: by seed, the certificates of the levels in order; all runs have the same levels.

    Raises:
        UsageError: there is no run, or the numbers of levels differ.
    """
    lengths = {len(levels) for levels in runs.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise UsageError("trajectory needs runs of the same number of levels, at least one")
    rows = []
    for level, found in enumerate(zip(*runs.values(), strict=True)):
        bounds = [float_up(certificate.risk_upper) for certificate in found]
        density = median(1.0 - certificate.sparsity for certificate in found)
        roles = {certificate.role for certificate in found}
        label = roles.pop() if len(roles) == 1 else f"step {level}"
        rows.append((label, density, median(bounds), min(bounds), max(bounds)))
    first = rows[0]
    return Figure(
        title=f"bound over pruning levels, {len(runs)} run{'s' if len(runs) > 1 else ''}",
        columns=("level", "density", "median", "least", "largest"),
        rows=tuple(rows),
        note="The band reaches from the least to the largest bound; each holds at its own delta.",
        upper=("median", "least", "largest"),
        reference=first[2] if first[1] == 1 else None,
    )


def _bound(pricing: Pricing, document: Mapping[str, Any]) -> float:
    return 1.0 if pricing.draws >= Fraction(1, 4) else float_up(pricing.claim_upper(document))


def _scaled(document: Mapping[str, Any], factor: Fraction) -> dict[str, Any]:
    """Return the evidence with all counts multiplied by a factor, errors rounded up."""
    counts, stages = document["mc"], []
    for stage in document["stages"]:
        n = ceil(stage["n"] * factor)
        trials: int = stage["trials"] // stage["n"] * n
        errors = [
            ceil(Fraction(part["errors"], stage["trials"]) * trials) for part in stage["parts"]
        ]
        parts = [{"errors": count} for count in errors]
        stages.append({**stage, "n": n, "trials": trials, "parts": parts})
    whole = int(counts["trials"] * factor)
    wrong = ceil(Fraction(counts["errors"], counts["trials"]) * whole)
    return {**document, "mc": {"errors": wrong, "trials": whole}, "stages": stages}


def _require_some(certificates: Sequence[Certificate]) -> None:
    if not certificates:
        raise UsageError("a figure needs at least one certificate")


def shown(cell: Cell, *, up: bool = False) -> str:
    """Return a cell as text; an upper value is rounded up.

    Example:
        >>> shown(0.07521), shown(0.07521, up=True), shown(None)
        ('0.0752', '0.0753', '-')
    """
    if cell is None:
        return "-"
    if not isinstance(cell, float):
        return str(cell)
    if up:
        return upper_digits(repr(cell))
    return f"{cell:.4g}" if cell >= 1000 or 0 < cell < 0.001 else f"{cell:.4f}"
