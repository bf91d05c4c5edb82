"""The screen in ASCII, for terminals whose locale is not UTF-8: every glyph by its twin, cell by cell."""

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from flconsole.tui.style import ASCII_TWINS


def to_ascii(text: str) -> str:
    """The text with nothing but ASCII in it, as wide as before; what has no twin becomes `?`."""
    if text.isascii():
        return text
    twin, width = "".join(map(_twin, text)), cell_len(text)
    return twin[:width].ljust(
        width, "?"
    )  # characters that join into one are narrower, or wider, than each alone


class AsciiFilter(LineFilter):
    """Applied to each line of the screen before it is drawn."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  # Textual's
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]


@lru_cache(4096)
def _twin(character: str) -> str:
    return character if " " <= character <= "~" else ASCII_TWINS.get(character, "?" * cell_len(character))
