"""Aligned columns of text: whole names at any width, so that what is shown can be copied, searched and piped."""

from collections.abc import Sequence

_APART = "   "


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """The rows under their header, one per line, each column as wide as its widest cell.

    `right` names the columns that end at one edge, which is where numbers are compared. Nothing is cut or wrapped.
    """
    widths = [max(map(len, cells)) for cells in zip(header, *rows, strict=True)]
    lines = [
        _APART.join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    ]
    return "\n".join(lines)
