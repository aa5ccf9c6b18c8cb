"""Tables and figure of learning rates and pruning methods: geometry and bound, item by item."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from pacbayes.studies.figure import COLOURS, panels
from pacbayes.studies.report import Cell, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ITEMS: Final = (
    ("density", "density"),
    ("test_risk", "test risk"),
    ("risk", "counted risk"),
    ("kl_mask", "nats of mask"),
    ("kl_mean", "nats of means"),
    ("kl_scale", "nats of scales"),
    ("mask_price", "price if charged"),
    ("bound", "certified bound"),
    ("legacy", "legacy value"),
    ("legacy_gaussian", "legacy, mask free"),
)
GEOMETRY: Final = (
    ("sharpness", "expected sharpness"),
    ("top_eigenvalue", "top eigenvalue"),
    ("distance", "distance"),
    ("distance_normalised", "per kept weight"),
    ("rank_correlation", "rank correlation"),
    ("ray_volume", "log ray volume per dim."),
    ("posterior_volume", "log scale, mean"),
)


def _means(rows: Sequence[Mapping[str, Any]], keys: Sequence[tuple[str, str]]) -> list[float]:
    return [fmean(float(row[key]) for row in rows) for key, _ in keys]


def geometry_table(arms: Mapping[str, Any]) -> Table:
    """Return sharpness, curvature, distance and volume of the last ticket of each rate."""
    lines: list[tuple[Cell, ...]] = [
        (rate, *_means([found["portraits"][-1] for found in arms[rate]], GEOMETRY)) for rate in arms
    ]
    columns = ("rate", *(title for _, title in GEOMETRY))
    return Table(
        title="Geometry of the last tickets (means over seeds)", columns=columns, rows=tuple(lines)
    )


def method_table(arms: Mapping[str, Any], methods: Mapping[str, Any]) -> Table:
    """Return each method's bound by item, with the legacy values beside it."""
    rows = {f"smallest, {rate} rate": [f["portraits"][-1] for f in arms[rate]] for rate in arms}
    rows |= {f"{method}, small rate": found for method, found in methods.items()}
    lines: list[tuple[Cell, ...]] = [(name, *_means(found, ITEMS)) for name, found in rows.items()]
    return Table(
        title="Ticket-finding methods through the itemised bound (means over seeds). "
        "The legacy values are no bounds.",
        columns=("method", *(title for _, title in ITEMS)),
        rows=tuple(lines),
    )


def level_table(arms: Mapping[str, Any]) -> Table:
    """Return the bound by item at every portrayed level of each rate, from dense to sparse."""
    lines: list[tuple[Cell, ...]] = []
    for rate, found in arms.items():
        for place, one in enumerate(found[0]["portraits"]):
            rows = [each["portraits"][place] for each in found]
            lines.append((rate, one["level"], *_means(rows, ITEMS)))
    return Table(
        title="Certified levels of each rate (means over seeds). The legacy values are no bounds.",
        columns=("rate", "level", *(title for _, title in ITEMS)),
        rows=tuple(lines),
    )


def risk_table(arms: Mapping[str, Any], noisy: Mapping[str, Any]) -> Table:
    """Return the test risks of dense networks, tickets, controls and noisy tickets."""
    lines = [
        (
            rate,
            fmean(row["risks"][0] for row in arms[rate]),
            fmean(row["risks"][-1] for row in arms[rate]),
            fmean(row["control"] for row in arms[rate]),
            fmean(noisy[rate]) if rate in noisy else None,
        )
        for rate in arms
    ]
    columns = ("rate", "dense", "ticket", "re-initialised", "ticket, noisy labels")
    return Table(title="Test risks (means over seeds)", columns=columns, rows=tuple(lines))


def rate_figure(arms: Mapping[str, Any], methods: Mapping[str, Any]) -> "Figure":
    """Return risk by density, the parts of each bound, and sharpness against distance."""
    figure, (left, middle, right) = panels("Test risk", "Where the bound goes", "Geometry")
    for place, rate in enumerate(arms):
        densities = arms[rate][0]["densities"]
        risks = [fmean(r["risks"][k] for r in arms[rate]) for k in range(len(densities))]
        left.plot(densities, risks, "o-", color=COLOURS[place], label=rate)
        control = fmean(row["control"] for row in arms[rate])
        left.plot([densities[-1]], [control], "x", color=COLOURS[place])
        points = [found["portraits"][-1] for found in arms[rate]]
        right.plot(
            [row["distance"] for row in points],
            [row["sharpness"] for row in points],
            "o",
            color=COLOURS[place],
            label=rate,
        )
    left.set_xscale("log")
    left.invert_xaxis()
    left.set_xlabel("density (x: re-initialised)")
    right.set_xlabel("distance from the initial weights")
    right.set_ylabel("expected sharpness")
    rows = {rate: [found["portraits"][-1] for found in arms[rate]] for rate in arms}
    rows |= dict(methods)
    for place, found in enumerate(rows.values()):
        risk, bound = fmean(r["risk"] for r in found), fmean(r["bound"] for r in found)
        middle.barh(place, risk, color=COLOURS[0], label="counted risk" if place == 0 else None)
        label = "nats, draws, delta" if place == 0 else None
        middle.barh(place, bound - risk, left=risk, color=COLOURS[1], label=label)
    middle.set_yticks(range(len(rows)), list(rows), fontsize="x-small")
    middle.set_xlabel("certified bound")
    for axes in (left, middle, right):
        axes.legend(fontsize="x-small", frameon=False)
    return figure
