"""Colours and glyphs, each in one place: what a state, a level and a process look like.

Only the sixteen ANSI colours are named, so that the operator's own theme decides how they look, and nothing
is told by a colour alone. A glyph beyond ASCII stands in `ASCII_TWINS`, for terminals without UTF-8.
"""

# ruff: noqa: RUF001  # the table is about glyphs that resemble ASCII

from typing import NamedTuple

from rich.style import Style

from flconsole.state import ClientState
from flconsole.text import hue_of


class Appearance(NamedTuple):
    """How something is told apart: by a glyph of one cell, and by a style where there are colours."""

    glyph: str
    style: Style


PLAIN = Style()
DIM = Style(dim=True)
BOLD = Style(bold=True)
GOOD = Style(color="green")
WARNING = Style(color="yellow")
BAD = Style(color="red", bold=True)
CURSOR = Style(reverse=True)

STATES = {
    ClientState.JOINING: Appearance("◌", Style(color="cyan")),
    ClientState.TRAINING: Appearance("●", Style(color="green")),
    ClientState.SENDING: Appearance("↑", Style(color="bright_green")),
    ClientState.IDLE: Appearance("○", PLAIN),
    ClientState.PAUSED: Appearance("‖", Style(color="blue")),
    ClientState.LATE: Appearance("◔", WARNING),
    ClientState.LOST: Appearance("?", Style(color="yellow", bold=True)),
    ClientState.FAILED: Appearance("✗", BAD),
    ClientState.STOPPED: Appearance("■", DIM),
}

LEVELS = {
    "DEBUG": Appearance("·", DIM),
    "INFO": Appearance(" ", PLAIN),
    "WARNING": Appearance("▲", WARNING),
    "ERROR": Appearance("✗", Style(color="red")),
    "CRITICAL": Appearance("✗", BAD),
}
"""By the level's name, as a log line has it."""

MARK = Appearance("▸", Style(color="magenta", bold=True))
"""Before a client, chart or line that the operator has marked."""
ALERT = Appearance("!", BAD)
"""Before what went wrong since the operator last looked at it."""
ASCENDING, DESCENDING = "▲", "▼"
RISING, STEADY, FALLING = "↗", "→", "↘"


def process_style(name: str) -> Style:
    """The look of a process's name, the same in every pane."""
    return Style(color=hue_of(name))


def _code_points(first: int, last: int, twin: str) -> dict[str, str]:
    return dict.fromkeys(map(chr, range(first, last + 1)), twin)


_LINES = {
    **_code_points(0x2500, 0x257F, "+"),
    **dict.fromkeys("─━┄┅┈┉╌╍═╴╶╸╺╼╾", "-"),
    **dict.fromkeys("│┃┆┇┊┋╎╏║╵╷╹╻╽╿", "|"),
    "╱": "/",
    "╲": "\\",
    "╳": "x",
}
_BLOCKS = {
    **_code_points(0x2580, 0x259F, "#"),
    **dict(zip("▁▂▃▄▅▆▇", "__..==#", strict=True)),
    **dict.fromkeys("▏▎▍▌▐▕", "|"),
    **dict(zip("▔░▒", "-.:", strict=True)),
}
_BRAILLE = {**_code_points(0x2801, 0x28FF, "*"), chr(0x2800): " "}

ASCII_TWINS: dict[str, str] = {
    **_LINES,
    **_BLOCKS,
    **_BRAILLE,
    **dict(zip("…·•‖–—‘’“”\xa0", "~-*=--''\"\" ", strict=True)),
    **dict(zip("↑↓←→↗↘↖↙⏎⇧", "^v<>/\\\\/<^", strict=True)),
    **dict(zip("▲▼▶◀▸▾◂▴△▽", "^v><>v<^^v", strict=True)),
    **dict(zip("●○◌◔◐◯■□◆◇", "*o.%%o##+o", strict=True)),
    **dict(zip("✓✔✗✘×±≤≥≈µ²∞Δ", "vvxxx~<>~u28d", strict=True)),
}
"""A glyph of one cell -> the ASCII character that stands for it where there is no UTF-8."""
