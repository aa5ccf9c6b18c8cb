"""Plain tables of text."""

from collections.abc import Sequence


def aligned(lines: Sequence[tuple[str, ...]]) -> str:
    r"""Return rows of cells as text, the first column to the left and the others to the right.

    Example:
        >>> aligned([("name", "n"), ("a", "10")])
        'name   n\na     10'
    """
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    rows = []
    for first, *rest in lines:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        rows.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(rows)
