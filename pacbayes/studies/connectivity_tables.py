"""Tables and figure of connectivity: barriers of neighbours, rewind points, limits, small weights.

A row is what one seed gave: ``chains``, ``rewinds`` and ``limits``, each a mapping.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from pacbayes.studies.figure import COLOURS, panels
from pacbayes.studies.report import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]
UNTRAINED: Final = "random"
"""The chain whose masks say nothing about small weights."""


def sparse_pairs(
    row: Mapping[str, Any], *, match: float, key: str = "barrier"
) -> list[tuple[bool, float]]:
    """Return whether each pair of the sparser half of all chains matches, and its error barrier.

    Args:
        row: of one seed.
        match: how much more than the dense network's risk still matches.
        key: ``barrier``, above the larger end, or ``barrier_above_mean``.

    Example:
        >>> chain = {"risks": [0.1, 0.1, 0.3], "pairs": [{"barrier": 0.0}, {"barrier": 0.2}]}
        >>> sparse_pairs({"chains": {"init": chain}}, match=0.01)
        [(False, 0.2)]
    """
    found = []
    for chain in row["chains"].values():
        risks, pairs = chain["risks"], chain["pairs"]
        for level in range(len(pairs) // 2, len(pairs)):
            found.append((risks[level + 1] <= risks[0] + match, pairs[level][key]))
    return found


def refilled(row: Mapping[str, Any], chain: str) -> float:
    """Return the share of kept weights below the pruning threshold after retraining, all levels."""
    return fmean(one["refilled"] for one in row["chains"][chain]["pairs"])


def pair_table(rows: Rows) -> Table:
    """Return risks and barriers of every pair of neighbours, by chain and level."""
    lines = []
    for chain in rows[0]["chains"]:
        found = [row["chains"][chain] for row in rows]
        for level, one in enumerate(found[0]["pairs"], start=1):
            cells = [
                fmean(f["pairs"][level - 1][key] for f in found)
                for key in ("barrier", "barrier_above_mean", "train_barrier", "loss_barrier")
            ]
            excess = fmean(f["risks"][level] - f["risks"][0] for f in found)
            lines.append((chain, level, one["density"], excess, *cells))
    columns = (
        "chain",
        "level",
        "density",
        "risk minus dense",
        "error barrier, test",
        "above the mean of the ends",
        "error barrier, train",
        "loss barrier, train",
    )
    title = "Neighbours: barrier between a level and the one before (means over seeds)"
    return Table(title=title, columns=columns, rows=tuple(lines))


def agreement_table(rows: Rows, *, match: float, zero: float) -> Table:
    """Return how often matching and zero barriers go together, for two ways to see a barrier."""
    lines = []
    ends = {"barrier": "the larger end", "barrier_above_mean": "the mean of the ends"}
    for (key, title), matching in product(ends.items(), (True, False)):
        pairs = [one for row in rows for one in sparse_pairs(row, match=match, key=key)]
        heights = [height for matches, height in pairs if matches == matching]
        none = sum(height <= zero for height in heights)
        word = "matching" if matching else "not matching"
        lines.append((title, word, len(heights), none, len(heights) - none))
    columns = ("barrier above", "the sparser network is", "pairs", "zero barrier", "barrier")
    title = f"Zero barrier (at most {zero:g}) if and only if matching? Sparser half, all seeds"
    return Table(title=title, columns=columns, rows=tuple(lines))


def rewind_table(rows: Rows) -> Table:
    """Return the barriers between networks trained from one rewind point that was disturbed."""
    lines = [
        (chain, *(fmean(row["rewinds"][chain][key] for row in rows) for key in _REWIND))
        for chain in rows[0]["rewinds"]
    ]
    return Table(
        title="Sparse rewind points, disturbed and trained: error barriers (means over seeds)",
        columns=("chain", *_REWIND.values()),
        rows=tuple(lines),
    )


_REWIND: Final = {
    "density": "density",
    "excess": "risk minus dense",
    "length": "length of the push",
    "push": "after the push",
    "sgd": "after other batches",
}


def limit_table(rows: Rows) -> Table:
    """Return how much can be removed in one go, predicted and measured, and where it lies."""
    lines = []
    for rule in rows[0]["limits"]:
        found = [row["limits"][rule] for row in rows]
        along = fmean(fmean(one["curvature"]) for one in found)
        keys = ("predicted", "measured", "settled", "mean_curvature")
        lines.append((rule, *(fmean(one[key] for one in found) for key in keys), along))
    return Table(
        title="Largest share that can go in one go, at a rise of 0.1 (means over seeds)",
        columns=(
            "rule",
            "predicted",
            "measured",
            "loss, nothing removed and all settled",
            "mean curvature",
            "curvature along what is removed",
        ),
        rows=tuple(lines),
    )


def refill_table(rows: Rows) -> Table:
    """Return how many small weights retraining made, by chain."""
    pruned = [chain for chain in rows[0]["chains"] if chain != UNTRAINED]
    lines = [(chain, fmean(refilled(row, chain) for row in rows)) for chain in pruned]
    title = "Share of kept weights below the last pruning threshold after retraining, rescaled"
    return Table(title=title, columns=("chain", "share"), rows=tuple(lines))


def connectivity_figure(
    rows: Rows, *, match: float, zero: float, fractions: Sequence[float]
) -> "Figure":
    """Return barriers against risk, the rise of the loss by share removed, and refilled shares."""
    figure, (left, middle, right) = panels(
        "Neighbours, sparser half", "Pruning in one go", "Small weights after retraining"
    )
    _neighbours(left, rows)
    left.axvline(match, color=COLOURS[-1], lw=0.8)
    left.axhline(zero, color=COLOURS[-1], lw=0.8)
    _in_one_go(middle, rows, fractions)
    pruned = [chain for chain in rows[0]["chains"] if chain != UNTRAINED]
    for place, chain in enumerate(pruned):
        right.bar(place, fmean(refilled(row, chain) for row in rows), color=COLOURS[place])
    right.set_xticks(range(len(pruned)), pruned, rotation=30, fontsize="x-small")
    for axes in (left, middle):
        axes.legend(fontsize="x-small", frameon=False)
    return figure


def _neighbours(axes: "Axes", rows: Rows) -> None:
    for place, chain in enumerate(rows[0]["chains"]):
        points = [
            (
                row["chains"][chain]["risks"][k + 1] - row["chains"][chain]["risks"][0],
                one["barrier"],
            )
            for row in rows
            for k, one in enumerate(row["chains"][chain]["pairs"])
            if k >= len(row["chains"][chain]["pairs"]) // 2
        ]
        axes.plot(*zip(*points, strict=True), "o", ms=4, color=COLOURS[place], label=chain)
    axes.set_xlabel("test risk minus dense")
    axes.set_ylabel("error barrier to the level before")


def _in_one_go(axes: "Axes", rows: Rows, fractions: Sequence[float]) -> None:
    for place, rule in enumerate(rows[0]["limits"]):
        for key, style in (("rise", "o-"), ("rise_predicted", ":")):
            found = [row["limits"][rule][key] for row in rows]
            rises = [fmean(one[k] for one in found) for k in range(len(fractions))]
            label = f"{rule}, {'measured' if key == 'rise' else 'predicted'}"
            axes.plot(fractions, rises, style, color=COLOURS[place], label=label)
    axes.axhline(0.1, color=COLOURS[-1], lw=0.8)
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_xlabel("share removed")
    axes.set_ylabel("rise of the loss")
