"""Tables and figure of masks: risks and densities by score, overlap against chance, collapse."""

import math
from collections.abc import Mapping, Sequence
from itertools import permutations
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pacbayes.studies.figure import COLOURS, panels
from pacbayes.studies.measurement import Measurement
from pacbayes.studies.report import Table
from pacbayes.tickets import Mask
from pacbayes.tickets.overlap import overlap

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def log_over_chance(common: Mapping[str, Any]) -> float:
    """Return ln((common + 1/2) / (chance + 1/2)), finite where one of them is zero."""
    return math.log((common["common"] + 0.5) / (common["expected"] + 0.5))


def mean_log_overlaps(masks: Mapping[str, Mask]) -> dict[str, float]:
    """Return for each mask the mean over the others of its log overlap over chance.

    Args:
        masks: at least two of one network, by name.
    """
    logs: dict[str, list[float]] = {name: [] for name in masks}
    for first, second in permutations(masks, 2):
        found = overlap([masks[first], masks[second]]).whole
        logs[first].append(math.log((found.common + 0.5) / (found.expected + 0.5)))
    return {name: fmean(values) for name, values in logs.items()}


def score_table(rows: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> Table:
    """Return density of each tensor and risk at the last level, mean over seeds."""
    lines = []
    for score in scores:
        levels = [row["risks"][score][-1] for row in rows]
        densities = [
            fmean(level["kept"][name][0] / level["kept"][name][1] for level in levels)
            for name in levels[0]["kept"]
        ]
        risk = fmean(level["risk"] for level in levels)
        lines.append((score, levels[0]["density"], risk, *densities))
    names = rows[0]["risks"][scores[0]][-1]["kept"]
    return Table(
        title="Last level: test risk, and the density of each tensor (means over seeds)",
        columns=("score", "density", "risk", *names),
        rows=tuple(lines),
    )


def overlap_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return common connections of each tensor against chance."""
    kinds = {"overlap": "three scores", "order": "other order", "survival": "common, redrawn"}
    lines = [
        (
            title,
            name,
            fmean(row[kind]["tensors"][name]["common"] for row in rows),
            fmean(row[kind]["tensors"][name]["expected"] for row in rows),
            fmean(row[kind]["tensors"][name]["share_of_all"] for row in rows),
            fmean(row[kind]["tensors"][name]["share_of_kept"] for row in rows),
        )
        for kind, title in kinds.items()
        for name in rows[0]["overlap"]["tensors"]
    ]
    return Table(
        title="Common connections against chance (means over seeds)",
        columns=("masks", "tensor", "common", "by chance", "of all", "of kept"),
        rows=tuple(lines),
    )


def collapse_table(
    rows: Sequence[Mapping[str, Any]], scores: Sequence[str], *, network: str
) -> Table:
    """Return the alarm: which tensors are empty at which density, seed by seed."""
    lines = [
        (score, seed, density, " ".join(empty) or "none", risk)
        for score in scores
        for seed, row in enumerate(rows, start=1)
        for density, empty, risk in zip(
            *(row["collapse"][score][key] for key in ("density", "empty", "risk")), strict=True
        )
        if empty or density == row["collapse"][score]["density"][-1]
    ]
    return Table(
        title=f"Layer collapse in {network}: levels with an empty tensor, and the last level",
        columns=("score", "seed", "density", "empty tensors", "risk"),
        rows=tuple(lines),
    )


def overlap_figure(rows: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> "Figure":
    """Return risks by density, overlaps with intervals, and empty tensors by density."""
    figure, (left, middle, right) = panels("Test risk", "Common over chance", "Empty tensors")
    for place, score in enumerate(scores):
        densities = [level["density"] for level in rows[0]["risks"][score]]
        risks = [
            fmean(row["risks"][score][k]["risk"] for row in rows) for k in range(len(densities))
        ]
        left.plot(densities, risks, "o-", ms=3, color=COLOURS[place], label=score)
    left.set_ylim(0, 2.5 * max(fmean(r["risks"][s][-1]["risk"] for r in rows) for s in scores))
    tensors = list(rows[0]["overlap"]["tensors"])
    kinds = {"overlap": "three scores", "order": "other order", "survival": "common, redrawn"}
    for place, (kind, label) in enumerate(kinds.items()):
        for column, name in enumerate(tensors):
            logs = [log_over_chance(row[kind]["tensors"][name]) for row in rows]
            m = Measurement.over_seeds(name, logs)
            bars = [[m.value - m.low], [m.high - m.value]] if len(rows) > 1 else None
            middle.errorbar(
                [column + 0.15 * place],
                [m.value],
                yerr=bars,
                fmt="o",
                capsize=3,
                color=COLOURS[place],
                label=label if column == 0 else None,
            )
    middle.axhline(0, color=COLOURS[-1], lw=0.8)
    middle.set_xticks(range(len(tensors)), tensors, rotation=30, fontsize="x-small")
    middle.set_ylabel("log ratio")
    for place, score in enumerate(rows[0]["collapse"]):
        found = [row["collapse"][score] for row in rows]
        counts = [fmean(len(f["empty"][k]) for f in found) for k in range(len(found[0]["empty"]))]
        right.plot(found[0]["density"], counts, "o-", color=COLOURS[place], label=score)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.set_xlabel("density")
    for axes in (left, middle, right):
        axes.legend(fontsize="x-small", frameon=False)
    return figure
