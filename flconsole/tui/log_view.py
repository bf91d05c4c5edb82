"""The lines of a log on the screen: scrolled like a pager, drawn where they can be seen."""

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.geometry import Size
from textual.message import Message
from textual.scrollbar import ScrollTo

from flconsole.logs.filter import FilteredLog, Found, Rows, find
from flconsole.logs.lines import Line
from flconsole.logs.store import LogStore
from flconsole.patterns import TooSlow, in_time
from flconsole.tui.line_view import LineView
from flconsole.tui.style import DIM, LEVELS, process_style

_MATCH = Style(reverse=True)
_CURRENT = Style(reverse=True, bold=True, underline=True)
_NAME_CELLS = 14
"""The most that the name of a process takes before a line."""
_MARKING_S = 0.1
_WHEEL_ROWS = 3


class Spot(NamedTuple):
    """Where a reader was in a log, for coming back."""

    line: Line | None
    """The first line in view."""
    is_following: bool


class LogView(LineView):
    """One log. While it follows, the newest line is the last one in view; otherwise nothing moves.

    There is no cursor: the keys scroll.
    """

    DEFAULT_CSS = """
    LogView { overflow-y: scroll; }
    """

    class Moved(Message):
        """What the title says of the place in the log may be another."""

    def __init__(self) -> None:
        super().__init__(id="log-view")
        self.shown_log = FilteredLog(LogStore(Path()))
        self.is_following = True
        self.pattern: re.Pattern[str] | None = None
        """What is searched for."""
        self.found: Found | None = None
        """The match that was gone to last."""
        self.until: float | None = None
        """The moment after which nothing is shown, in seconds since the epoch; None for no such moment."""
        self.wraps = False
        self._rows = Rows(None)
        self.older = ""
        """Where the lines before the first one are; empty where there are none."""
        self._names: tuple[str, ...] = ()
        self._name_cells = 0
        self._end = 0
        self._left_at = 0
        """How many lines there were when following was let go."""
        self._awaited: float | None = None
        """A moment to go to as soon as there are lines."""

    # --- what is there

    @property
    def lines(self) -> list[Line]:
        """All lines that are shown, in view or not."""
        return self.shown_log.lines[: self._end]

    @property
    def count(self) -> int:
        """How many lines are shown, in view or not."""
        return self._end

    @property
    def new(self) -> int:
        """How many lines have come since following was let go."""
        if self.is_following:
            return 0
        return self.shown_log.new + max(0, self._end - self._left_at)

    @property
    def visible_lines(self) -> list[Line]:
        """The lines of which at least a row is in view."""
        if not self._end:
            return []
        first, _part = self._line_at(self._top)
        last, _part = self._line_at(min(self._top + self.page_lines, self.num_lines) - 1)
        return self.shown_log.lines[first : last + 1]

    @property
    def first_in_view(self) -> int:
        """The index of the first line in view."""
        return self._line_at(self._top)[0] if self._end else 0

    @property
    def place(self) -> Spot:
        line = self.shown_log.lines[self.first_in_view] if self._end else None
        return Spot(line, self.is_following)

    def open(self, log: FilteredLog, place: Spot) -> None:
        """Shows a log.

        Args:
            log: which.
            place: where a reader was, maybe in another log: what was written at that time is shown.
        """
        self.shown_log, self.found, self.is_following = log, None, place.is_following
        log.collect()
        log.take()
        self._rebuild(log.index_of(place.line) if place.line is not None else 0)

    def return_to(self, place: Spot) -> None:
        """Shows what was in view there."""
        self.is_following = place.is_following
        self._draw()
        if not self.is_following and place.line is not None:
            self._scroll_to_line(self.shown_log.index_of(place.line))

    def look(self) -> None:
        """Finds what is new; draws it where it can be seen."""
        if len(self.shown_log.names) != len(self._names):
            self._rebuild(self.first_in_view)
        has_new = self.shown_log.collect()
        has_older = self.shown_log.older != self.older
        if self.until is not None and has_new:  # other lines, maybe: those around another moment
            place = self.place
            self._take()
            self.return_to(place)
        elif self.is_following and (has_new or has_older):
            self._take()
            self._draw()
        if self._awaited is not None and self._end:
            self.go_to_moment(self._awaited)

    def show_until(self, ts: float | None) -> None:
        """Shows what was written until a moment; None for everything."""
        self.until = ts
        if self._find_end():
            self._draw()

    # --- moving

    def follow(self) -> None:
        """Goes to the newest line and stays with it."""
        self._take()
        self.is_following, self.found, self._awaited = True, None, None
        self._draw()
        self.post_message(self.Moved())

    def let_go(self) -> None:
        """Stays where it is, whatever is written."""
        if self.is_following:
            self.is_following, self._left_at = False, self._end
            self.post_message(self.Moved())

    def search(self, start: int, *, forward: bool) -> Found | None:
        """Goes to the next match; None where there is none.

        Args:
            start: the index of the line to begin with.
            forward: whether to go to newer lines.
        """
        if self.pattern is None:
            return None
        self.found = find(self.lines, self.pattern, start, forward=forward)
        if self.found is not None:
            self.go_to(self.found.index)
        self.lines_changed()
        return self.found

    def search_on(self, *, forward: bool) -> Found | None:
        """Goes to the match after the last one, or before it; what was written meanwhile is searched too."""
        self.let_go()
        self._take_below()
        at = self.first_in_view if self.found is None else self.found.index + (1 if forward else -1)
        return self.search(at, forward=forward)

    def go_to(self, index: int) -> None:
        """Scrolls so that a line can be seen, if it cannot; nothing follows any more."""
        self.let_go()
        row, height = self._older_rows + self._rows.before(index), self.page_lines
        if not self._top <= row < self._top + height:
            self._scroll_to_row(row - height // 2)
        self.post_message(self.Moved())

    def go_to_moment(self, ts: float) -> None:
        """Goes to the last line that was written until then; waits for lines where none is read yet."""
        self._awaited = None if self._end else ts
        if self._end:
            self.go_to(max(0, min(self.shown_log.end_at(ts), self._end) - 1))

    def action_cursor_up(self) -> None:
        self._scroll_by(-1)

    def action_cursor_down(self) -> None:
        self._scroll_by(1)

    def action_page_up(self) -> None:
        self._scroll_by(-self.page_lines)

    def action_page_down(self) -> None:
        self._scroll_by(self.page_lines)

    def action_cursor_home(self) -> None:
        self._scroll_by(-self.num_lines)

    def action_cursor_end(self) -> None:
        self.follow()

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.prevent_default().stop()
        self._scroll_by(-_WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.prevent_default().stop()
        self._scroll_by(_WHEEL_ROWS)

    def on_scroll_to(self, _event: ScrollTo) -> None:
        self.let_go()

    def on_click(self, event: Click) -> None:
        event.prevent_default()  # there is no cursor to put anywhere

    def _scroll_by(self, rows: int) -> None:
        """Upwards nothing follows any more; down from the last line comes what was written since."""
        if rows < 0 and self._top > 0:
            self.let_go()
        elif self.is_following or rows < 0:
            return
        if rows > 0 and self._top + rows > self._last_top:
            self._take_below()
        self._scroll_to_row(self._top + rows)
        self.post_message(self.Moved())

    # --- drawing

    @property
    def num_lines(self) -> int:
        return self._older_rows + self._rows.before(self._end)

    @property
    def shows_cursor(self) -> bool:
        return False

    def draw_line(self, index: int, width: int) -> Text:
        if index < self._older_rows:
            return Text(self.older, DIM)
        at, number = self._line_at(index)
        line = self.shown_log.lines[at]
        text, name = line.short_text, self._name_of(line, number)
        part = self._rows.part(text, number)
        # one more than there is room for, where there is more: so it is seen that the line is cut
        shown = text[part.start : min(part.stop, part.start + width + 1)]
        body = Text(shown, LEVELS[line.level.name].style)
        self._highlight(body, line, at, part.start)
        return name.append_text(body)

    def toggle_wrap(self) -> None:
        """Wraps long lines, or cuts them; the first line in view stays there."""
        first, self.wraps = self.first_in_view, not self.wraps
        self._rebuild(first)

    def on_resize(self) -> None:
        self._rebuild(self.first_in_view)

    def _name_of(self, line: Line, number: int) -> Text:
        """The column before a line with the name of its process, empty before the line's further rows."""
        cells = self._name_cells
        if not cells:
            return Text()
        name = line.process if number == 0 else ""
        name = name if cell_len(name) < cells else set_cell_size(name, cells - 2) + "…"
        return Text.assemble((set_cell_size(name, cells), process_style(line.process)))

    def _highlight(self, body: Text, line: Line, index: int, start: int) -> None:
        """Marks what of a row matches the search."""
        if self.pattern is None:
            return
        is_current = self.found is not None and self.found.index == index
        with suppress(TooSlow), in_time(_MARKING_S):  # it found its line, and has no end in the rest of it
            for match in self.pattern.finditer(line.text):
                begin, end = (max(0, line.short_offset(place) - start) for place in match.span())
                body.stylize(_CURRENT if is_current else _MATCH, begin, end)

    @property
    def _older_rows(self) -> int:
        return 1 if self.older else 0

    @property
    def _top(self) -> int:
        return round(self.scroll_offset.y)

    @property
    def _last_top(self) -> int:
        return max(0, self.num_lines - self.page_lines)

    def _line_at(self, row: int) -> tuple[int, int]:
        """The index of the line in a row, and which of its rows it is."""
        return self._rows.at(max(0, row - self._older_rows))

    def _take(self) -> int:
        """Lets in what was collected; returns how many rows further up stands what stays."""
        older_rows = self._older_rows
        taken = self.shown_log.take()
        rows = self._rows.drop(taken.dropped)
        self._rows.extend(self.shown_log.lines[len(self.shown_log.lines) - taken.added :])
        self.older = self.shown_log.older
        if self.found is not None:
            self.found = replace(self.found, index=self.found.index - taken.dropped)
        self._find_end()
        self._left_at = self._end
        return rows + older_rows - self._older_rows

    def _take_below(self) -> None:
        """Lets in what was collected, and leaves what is in view where it is."""
        top = self._top - self._take()
        self._draw()
        self._scroll_to_row(top)

    def _find_end(self) -> bool:
        """Counts the lines shown; whether that is another number."""
        before, log = self._end, self.shown_log
        self._end = len(log.lines) if self.until is None else log.end_at(self.until)
        return self._end != before

    def _rebuild(self, first: int) -> None:
        """Counts all rows anew and shows the line with that index first, unless the newest is followed."""
        self._names = self.shown_log.names
        self._name_cells = min(_NAME_CELLS, 1 + max(map(cell_len, self._names), default=-1))
        self.older = self.shown_log.older
        self._rows = Rows(self._text_cells if self.wraps else None)
        self._rows.extend(self.shown_log.lines)
        self._find_end()
        self._left_at = self._end
        self._draw()
        if not self.is_following:
            self._scroll_to_line(first)

    @property
    def _text_cells(self) -> int:
        return max(1, self.scrollable_content_region.width - self._name_cells)

    def _draw(self) -> None:
        """Draws the lines in view that are others: the newest, while they are followed."""
        if self.is_following:
            self.virtual_size = Size(self.size.width, self.num_lines)
            self._scroll_to_row(self._last_top)
        self.lines_changed()

    def _scroll_to_line(self, index: int) -> None:
        self._scroll_to_row(self._older_rows * bool(index) + self._rows.before(max(0, index)))

    def _scroll_to_row(self, row: int) -> None:
        # forced: at first there is no scroll bar yet, and what has none is not scrolled
        self.scroll_to(y=max(0, min(row, self._last_top)), animate=False, force=True)
