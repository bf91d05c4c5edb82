"""A scrolling list of lines, each drawn when it is seen: what the clients, the logs and the timeline share.

The work and the bytes sent depend on the lines in view, never on how many there are, and only a line whose
text has changed is sent again.
"""

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from flconsole.tui.style import CURSOR


class LineView(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines with a cursor. Subclasses say how many there are and draw one.

    A heading, where there is one, stays in the first row. The cursor is seen while the list has the focus.
    """

    DEFAULT_CSS = """
    LineView { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", "Up", show=False),
        Binding("down,j", "cursor_down", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown", "page_down", "Page down", show=False),
        Binding("home", "cursor_home", "First line", show=False),
        Binding("end", "cursor_end", "Last line", show=False),
    ]

    class CursorMoved(Message):
        """The cursor is on another line."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.cursor = 0
        """Index of the line with the cursor."""
        self._heading_rows = 0
        self._shown: dict[int, tuple[Text, bool]] = {}
        """Row of the screen -> what stands there, and whether the cursor does."""

    # --- what a subclass says

    @property
    def num_lines(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def draw_line(self, index: int, width: int) -> Text:
        """One line; what does not fit into `width` cells is cut."""
        raise NotImplementedError

    def draw_heading(self, _width: int) -> Text | None:
        """The row above the lines that does not scroll; None for none."""
        return None

    @property
    def shows_cursor(self) -> bool:
        return self.has_focus

    # --- what a subclass calls

    def lines_changed(self) -> None:
        """Draws again what has changed: some lines, or how many there are."""
        width = self.scrollable_content_region.width
        self._heading_rows = 0 if self.draw_heading(width) is None else 1
        self.cursor = self._clamped(self.cursor)
        size = Size(self.size.width, self.num_lines + self._heading_rows)
        if size != self.virtual_size:
            self.virtual_size = size
        for y in range(self.scrollable_content_region.height):
            if self._shown.get(y) != self._row(y, width):
                self.refresh(Region(0, y, width, 1))

    def move_cursor(self, index: int) -> None:
        """Puts the cursor on a line and scrolls so that it can be seen."""
        self.cursor = self._clamped(index)
        self.lines_changed()
        self.scroll_to_line(self.cursor)
        self.post_message(self.CursorMoved())

    def scroll_to_line(self, index: int) -> None:
        """Scrolls no more than is needed to see the line."""
        height, top = self.page_lines, round(self.scroll_offset.y)
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + height:  # forced: the first line too many has no scrollbar yet
            self.scroll_to(y=index - height + 1, animate=False, force=True)

    @property
    def page_lines(self) -> int:
        """Lines that can be seen at once."""
        return max(1, self.scrollable_content_region.height - self._heading_rows)

    # --- keys and mouse

    def action_cursor_up(self) -> None:
        self.move_cursor(self.cursor - 1)

    def action_cursor_down(self) -> None:
        self.move_cursor(self.cursor + 1)

    def action_page_up(self) -> None:
        self.move_cursor(self.cursor - self.page_lines)

    def action_page_down(self) -> None:
        self.move_cursor(self.cursor + self.page_lines)

    def action_cursor_home(self) -> None:
        self.move_cursor(0)

    def action_cursor_end(self) -> None:
        self.move_cursor(self.num_lines - 1)

    def on_click(self, event: Click) -> None:
        """Puts the cursor where the mouse is; the keys above do the same."""
        place = event.get_content_offset(self)
        if place is not None and place.y >= self._heading_rows and self._index(place.y) < self.num_lines:
            self.move_cursor(self._index(place.y))

    # --- drawing

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        self._shown[y] = text, has_cursor = self._row(y, width)
        strip = Strip(text.render(self.app.console)).adjust_cell_length(width, self.rich_style)
        strip = strip.apply_style(self.rich_style)
        return strip.apply_style(CURSOR) if has_cursor else strip

    def _clamped(self, index: int) -> int:
        return max(0, min(index, self.num_lines - 1))

    def _index(self, y: int) -> int:
        return y - self._heading_rows + round(self.scroll_offset.y)

    def _row(self, y: int, width: int) -> tuple[Text, bool]:
        """What stands in a row of the screen, and whether the cursor does."""
        if y < self._heading_rows:
            return _one_line(self.draw_heading(width) or Text(), width), False
        index = self._index(y)
        if not 0 <= index < self.num_lines:
            return Text(), False
        return _one_line(self.draw_line(index, width), width), index == self.cursor and self.shows_cursor

    def on_resize(self) -> None:
        self.lines_changed()
        if self.shows_cursor:
            self.scroll_to_line(self.cursor)


def _one_line(text: Text, width: int) -> Text:
    """Fits a text into one row: a tab or a line break would put the terminal's cursor elsewhere."""
    if "\n" in text.plain or "\t" in text.plain or text.cell_len > width:
        text = text.copy()  # whoever drew it may keep it
        text.plain = text.plain.replace("\n", " ")
        text.expand_tabs(8)
        text.truncate(width, overflow="ellipsis")
    text.no_wrap, text.end = True, ""
    return text
