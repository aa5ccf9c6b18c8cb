"""Figures as inline SVG, drawn by hand: no library, and colours that follow the page's theme.

A drawing is 380 units wide, so that its text is readable on a phone. Everything a colour says, a
marker, a pattern or the table below the figure says too.
"""

import html
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from pacbayes.report.figures import Cell, Figure

WIDTH: Final = 380
_LEFT, _RIGHT, _TOP = 40, 12, 18
_PLOT: Final = 190


def stacked_bars(
    figure: Figure,
    names: Sequence[str],
    *,
    unit: str,
    written: Sequence[str] | None = None,
    beside: str = "",
) -> str:
    """Return one horizontal stacked bar per row.

    Args:
        figure: the numbers.
        names: columns that are stacked.
        unit: what the total is written in.
        written: the totals as text, where they must not be rounded to nearest.
        beside: a column that is written after the total, if any.
    """
    totals = [sum(_number(cell) for cell in _cells(figure, row, names)) for row in figure.rows]
    longest = max(totals, default=0.0) or 1.0
    room = WIDTH - 2
    legend, top = _legend(names, kind="bar")
    items, y = [legend], top
    texts = written or [_short(total) for total in totals]
    for row, total in zip(figure.rows, texts, strict=True):
        note = f" · {beside} {_short(row[figure.columns.index(beside)])}" if beside else ""
        label = _clip(str(row[0]), 34)
        items.append(f'<text x="0" y="{y + 11}">{_text(label)}</text>')
        text = f"{total} {unit}{note}"
        items.append(f'<text class="num" x="{WIDTH}" y="{y + 11}">{_text(text)}</text>')
        x = 0.0
        for place, cell in enumerate(_cells(figure, row, names)):
            width = _number(cell) / longest * room
            title = f"<title>{_text(names[place])}: {_short(cell)} {unit}</title>"
            shape = f'x="{x:.2f}" y="{y + 16}" width="{width:.2f}" height="13"'
            if width > 0:
                items.append(f'<rect class="s{place}" {shape}>{title}</rect>')
                items.append(f'<rect class="p{place}" {shape}/>')
            x += width
        y += 40
    return _drawing(figure.title, items, height=y)


def scatter(figure: Figure, names: Sequence[str], *, x_name: str, unit: str) -> str:
    """Return points joined by lines, one series per column, over a falling logarithmic axis."""
    xs = [max(_number(cell), 1e-9) for cell in figure.column(x_name)]
    columns = {name: figure.column(name) for name in names}
    columns = {n: cells for n, cells in columns.items() if any(c is not None for c in cells)}
    top_value = max(_number(c) for cells in columns.values() for c in cells)
    top_value = _ceiling(max(top_value, figure.reference or 0.0))
    low, high = min(xs), max(xs)
    span = math.log(high / low)
    legend, top = _legend(list(columns), kind="point", dashed=figure.reference is not None)
    top += _TOP
    inner = WIDTH - _LEFT - _RIGHT - 20

    def at_x(value: float) -> float:
        if low == high:
            return _LEFT + 10 + inner / 2
        return _LEFT + 10 + math.log(high / value) / span * inner

    def at_y(value: float) -> float:
        return top + _PLOT * (1.0 - value / top_value)

    items = [legend, *_grid(top_value, at_y(0.0), top, unit)]
    if figure.reference is not None:
        y = at_y(figure.reference)
        ends = f'x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        items.append(f'<line class="ref" {ends}/>')
    for place, (name, cells) in enumerate(columns.items()):
        points = [
            (at_x(x), at_y(_number(c))) for x, c in zip(xs, cells, strict=True) if c is not None
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        items.append(f'<polyline class="l{place}" points="{path}"/>')
        items += [_marker(place, x, y, title=name) for x, y in points]
    items += _ticks(xs, at_x, at_y(0.0))
    name = f"{x_name} (fraction of weights kept), log scale"
    items.append(f'<text class="mid" x="{WIDTH / 2}" y="{top + _PLOT + 40}">{_text(name)}</text>')
    return _drawing(figure.title, items, height=top + _PLOT + 48)


def _ticks(xs: Iterable[float], at_x: Callable[[float], float], y: float) -> list[str]:
    items: list[str] = []
    last = -math.inf
    for value in sorted(set(xs), reverse=True):
        x = at_x(value)
        if x - last >= 36:
            last = x
            items.append(f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 4}"/>')
            items.append(f'<text class="mid" x="{x:.1f}" y="{y + 17}">{value:.3g}</text>')
    return items


def _grid(top_value: float, bottom: float, top: float, unit: str) -> list[str]:
    items = [f'<text x="0" y="{top - 12}">{_text(unit)}</text>']
    for step in range(5):
        y = bottom + (top - bottom) * step / 4
        items.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        label = f"{top_value * step / 4:.3g}"
        items.append(f'<text class="num" x="{_LEFT - 5}" y="{y + 4:.1f}">{label}</text>')
    return items


def _marker(place: int, x: float, y: float, *, title: str = "") -> str:
    shapes = (
        f'<circle class="m0" cx="{x:.1f}" cy="{y:.1f}" r="4.5"',
        f'<rect class="m1" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"',
        f'<path class="m2" d="M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5-5.5z"',
        f'<path class="m3" d="M{x:.1f} {y - 5.5:.1f}l5.5 9.5h-11z"',
    )
    inner = f"><title>{_text(title)}</title></" if title else "></"
    shape = shapes[place]
    tag = shape[1 : shape.index(" ")]
    return f"{shape}{inner}{tag}>"


def _legend(names: Sequence[str], *, kind: str, dashed: bool = False) -> tuple[str, int]:
    """Return the legend and the height that it takes."""
    items, x, y = [], 0.0, 6
    for place, name in enumerate([*names, *(["bound of the dense twin"] if dashed else [])]):
        width = 30 + 6.6 * len(name)
        if x and x + width > WIDTH:
            x, y = 0.0, y + 18
        if place == len(names):
            items.append(f'<line class="ref" x1="{x}" x2="{x + 14}" y1="{y}" y2="{y}"/>')
        elif kind == "bar":
            shape = f'x="{x}" y="{y - 5}" width="11" height="11"'
            items.append(f'<rect class="s{place}" {shape}/><rect class="p{place}" {shape}/>')
        else:
            items.append(_marker(place, x + 6, y))
        items.append(f'<text x="{x + 17}" y="{y + 4}">{_text(name)}</text>')
        x += width
    return "".join(items), y + 20


def _drawing(title: str, items: Sequence[str], *, height: float) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{_text(title)}">'
        f"{_PATTERNS}{''.join(items)}</svg>"
    )


_PATTERNS: Final = (
    "<defs>"
    '<pattern id="h1" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<path d="M0 5L5 0" class="ink"/></pattern>'
    '<pattern id="h2" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<circle cx="2.5" cy="2.5" r="0.9" class="dot"/></pattern>'
    '<pattern id="h3" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<path d="M0 0L5 5" class="ink"/></pattern>'
    '<pattern id="h4" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<path d="M0 0L5 5M0 5L5 0" class="ink"/></pattern>'
    '<pattern id="h5" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<path d="M0 2.5H5" class="ink"/></pattern>'
    "</defs>"
)


def _cells(figure: Figure, row: tuple[Cell, ...], names: Sequence[str]) -> list[Cell]:
    return [row[figure.columns.index(name)] for name in names]


def _number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else 0.0


def _short(cell: Cell) -> str:
    value = _number(cell)
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _ceiling(value: float) -> float:
    """Return a round number that is at least a value."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(step * unit for step in (1, 2, 4, 6, 8, 10) if step * unit >= value * (1 - 1e-9))


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else "…" + text[1 - length :]


def _text(text: str) -> str:
    return html.escape(text)
