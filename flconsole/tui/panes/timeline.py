"""The timeline of events."""

import time

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from flconsole.timeline import Entry
from flconsole.tui.actions import Place
from flconsole.tui.bindings import bindings
from flconsole.tui.line_view import LineView
from flconsole.tui.view import View


class TimelineView(LineView):
    """One line for each entry, the newest last."""

    def __init__(self) -> None:
        super().__init__(id="timeline-view")
        self._entries: tuple[Entry, ...] = ()

    @property
    def num_lines(self) -> int:
        return len(self._entries)

    def draw_line(self, index: int, _width: int) -> Text:
        entry = self._entries[index]
        return Text(f"{time.strftime('%H:%M:%S', time.localtime(entry.ts))} {entry.text}")

    def show(self, view: View) -> None:
        follows = self.cursor >= len(self._entries) - 1
        self._entries = view.snapshot.timeline.entries
        self.lines_changed()
        if follows:
            self.move_cursor(len(self._entries) - 1)


class TimelinePane(Vertical):
    """The timeline with its keys."""

    BINDINGS = bindings(Place.TIMELINE)

    def compose(self) -> ComposeResult:
        self.border_title = "4 Timeline"
        yield TimelineView()

    def show(self, view: View) -> None:
        self.query_one(TimelineView).show(view)

    @property
    def chosen(self) -> Entry | None:
        """The entry with the cursor."""
        return None
