"""The console in the terminal's own sixteen colours.

The operator's palette decides how they look, on a dark terminal and on a light one; they are also the fewest
bytes, and with NO_COLOR everything that matters is still there: whatever is chosen is in reverse video, and
a scrollbar is drawn with glyphs.
"""

from rich.color import Color
from rich.segment import Segment, Segments
from rich.style import Style
from textual.scrollbar import ScrollBarRender
from textual.theme import Theme

_DEFAULT = "ansi_default"

THEME = Theme(
    name="flconsole",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    accent="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    foreground=_DEFAULT,
    background=_DEFAULT,
    surface=_DEFAULT,
    panel=_DEFAULT,
    boost=_DEFAULT,
    variables={
        "ansi-background": _DEFAULT,
        "ansi-foreground": _DEFAULT,
        "block-cursor-foreground": _DEFAULT,
        "block-cursor-background": _DEFAULT,
        "block-cursor-text-style": "reverse",
        "block-cursor-blurred-text-style": "bold",
        "border": "ansi_green",
        "border-blurred": _DEFAULT,
        "button-focus-text-style": "bold reverse",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_blue",
        "input-selection-foreground": "ansi_white",
        "scrollbar": "ansi_blue",
        "scrollbar-hover": "ansi_cyan",
        "scrollbar-active": "ansi_cyan",
        "scrollbar-background": _DEFAULT,
        "scrollbar-background-hover": _DEFAULT,
        "scrollbar-background-active": _DEFAULT,
    },
)


class GlyphScrollBar(ScrollBarRender):
    """A scrollbar that needs neither colours nor eighths of a cell."""

    THUMB, TRACK = "█", {True: "│", False: "─"}
    """The track by whether it is vertical."""

    @classmethod
    def render_bar(  # noqa: PLR0917  # Textual's signature
        cls,
        size: int = 25,
        virtual_size: float = 50,
        window_size: float = 20,
        position: float = 0,
        thickness: int = 1,
        vertical: bool = True,
        back_color: Color | None = None,  # noqa: ARG003  # the terminal's own
        bar_color: Color | None = None,
    ) -> Segments:
        first, last = 0, size
        if window_size and size and virtual_size > window_size:
            length = max(1, round(size * window_size / virtual_size))
            first = round((size - length) * position / (virtual_size - window_size))
            last = first + length
        width = thickness if vertical else 1
        above = Segment(cls.TRACK[vertical] * width, Style(dim=True, meta={"@mouse.down": "scroll_up"}))
        below = Segment(cls.TRACK[vertical] * width, Style(dim=True, meta={"@mouse.down": "scroll_down"}))
        thumb = Segment(cls.THUMB * width, Style(color=bar_color, meta={"@mouse.down": "grab"}))
        bar = [above] * first + [thumb] * (last - first) + [below] * (size - last)
        if vertical:
            return Segments(bar, new_lines=True)
        return Segments([*bar, Segment.line()] * thickness, new_lines=False)
