"""Text from elsewhere, made fit for a terminal."""

import re
import zlib
from collections.abc import Sequence

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but tab and newline, C1 controls (some terminals obey them), bidirectional overrides."""


_LEVEL = re.compile(r"^\S+ \S+ (DEBUG|WARNING|ERROR|CRITICAL) ")
"""After the time, as `engine.logger` writes it; a line of another form, or of level INFO, stays plain."""
_SHADES = {"DEBUG": "\x1b[2m", "WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[1;31m"}
_HUES = {"green": "\x1b[32m", "blue": "\x1b[34m", "magenta": "\x1b[35m", "cyan": "\x1b[36m"}
"""The colours that say nothing of a level."""
_PLAIN = "\x1b[0m"


def visible(text: str) -> str:
    r"""The text with every control character written out (`\x1b`), so that no terminal obeys it."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def hue_of(process: str) -> str:
    """The ANSI name of a process's colour, the same in every run and wherever it is shown."""
    return tuple(_HUES)[zlib.crc32(process.encode()) % len(_HUES)]


def coloured(line: str, *, process: str = "") -> str:
    """A line of a log as a terminal shows it: made `visible`, painted by its level, its process by name.

    Args:
        line: as the process wrote it.
        process: whose line it is, written before it; empty where that is clear.
    """
    level = _LEVEL.search(line)
    shade = _SHADES[level[1]] if level else ""
    shown = f"{shade}{visible(line)}{_PLAIN}" if shade else visible(line)
    if not process:
        return shown
    return f"{_HUES[hue_of(process)]}{visible(process)}{_PLAIN} | {shown}"


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts `2` before `10` and `gpu-9` before `gpu-10`."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((0, int(piece), piece) if piece.isdecimal() else (1, 0, piece) for piece in pieces)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the columns aligned; cells are made `visible`."""
    cells = [[visible(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names made `visible`, of many only the first: `1, 2, 3 and 97 more`."""
    shown = ", ".join(visible(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def counted(clients: Sequence[str], most: int = 8) -> str:
    """`client 2`, or `3 clients (2, 5, 7)`, of many only the first by name."""
    if len(clients) == 1:
        return f"client {visible(clients[0])}"
    return f"{len(clients)} clients ({listed(clients, most)})"
