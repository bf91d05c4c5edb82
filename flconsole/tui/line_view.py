"""A scrolling list of lines, each drawn when it is seen: what the clients, the logs and the timeline share.

The work and the bytes sent depend on the lines in view, never on how many there are, and only a line whose
text has changed is sent again.
"""

from rich.style import Style
from rich.text import Text
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

_CURSOR = Style(reverse=True)


class LineView(ScrollView, can_focus=True):
    """Lines with a cursor. Subclasses say how many there are and draw one.

    A heading, where there is one, stays in the first row.
    """

    DEFAULT_CSS = """
    LineView { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """

    class CursorMoved(Message):
        """The cursor is on another line."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.cursor = 0
        """Index of the line with the cursor."""
        self._shown: dict[int, Text] = {}
        """Row of the screen -> what stands there."""

    # --- what a subclass says

    @property
    def num_lines(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def draw_line(self, index: int, width: int) -> Text:
        """One line, no longer than `width` cells."""
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
        self.cursor = max(0, min(self.cursor, self.num_lines - 1))
        size = Size(self.size.width, self.num_lines + self._heading_rows)
        if size != self.virtual_size:
            self.virtual_size = size
        width, before = self.scrollable_content_region.width, self._shown
        for y in range(self.scrollable_content_region.height):
            if before.get(y) != self._row(y, width):
                self.refresh(Region(0, y, width, 1))

    def move_cursor(self, index: int) -> None:
        """Puts the cursor on a line and scrolls so that it can be seen."""
        self.cursor = max(0, min(index, self.num_lines - 1))
        self.scroll_to_line(self.cursor)
        self.refresh()
        self.post_message(self.CursorMoved())

    def scroll_to_line(self, index: int) -> None:
        """Scrolls no more than is needed to see the line."""
        height, top = self.page_lines, round(self.scroll_offset.y)
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False)

    @property
    def page_lines(self) -> int:
        """Lines that can be seen at once."""
        return max(1, self.scrollable_content_region.height - self._heading_rows)

    # --- keys

    def key_up(self) -> None:
        self.move_cursor(self.cursor - 1)

    def key_down(self) -> None:
        self.move_cursor(self.cursor + 1)

    def key_pageup(self) -> None:
        self.move_cursor(self.cursor - self.page_lines)

    def key_pagedown(self) -> None:
        self.move_cursor(self.cursor + self.page_lines)

    def key_home(self) -> None:
        self.move_cursor(0)

    def key_end(self) -> None:
        self.move_cursor(self.num_lines - 1)

    # --- drawing

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        text = self._row(y, width)
        self._shown[y] = text
        strip = Strip(text.render(self.app.console)).adjust_cell_length(width, self.rich_style)
        strip = strip.apply_style(self.rich_style)
        is_cursor = y >= self._heading_rows and self._index(y) == self.cursor and self.shows_cursor
        return strip.apply_style(_CURSOR) if is_cursor and self.num_lines else strip

    @property
    def _heading_rows(self) -> int:
        return 0 if self.draw_heading(0) is None else 1

    def _index(self, y: int) -> int:
        return y - self._heading_rows + round(self.scroll_offset.y)

    def _row(self, y: int, width: int) -> Text:
        if y < self._heading_rows:
            return self.draw_heading(width) or Text()
        index = self._index(y)
        if not 0 <= index < self.num_lines:
            return Text()
        text = self.draw_line(index, width)
        text.no_wrap, text.end = True, ""
        text.truncate(width)
        return text

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()
