"""Text from elsewhere, made fit for a terminal."""

import re
from collections.abc import Sequence

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but tab and newline, C1 controls (some terminals obey them), bidirectional overrides."""


def visible(text: str) -> str:
    r"""The text with every control character written out (`\x1b`), so that no terminal obeys it."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def seconds(value: float) -> str:
    """A time for people: `0.12 s`, `42 s`, `3 min 05 s`, `2 h 07 min`."""
    if value < 10:
        return f"{value:.2f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the columns aligned; cells are made `visible`."""
    cells = [[visible(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many digits after the point; a dash where nobody knows it."""
    return "-" if value is None else f"{value:.{digits}f}"
