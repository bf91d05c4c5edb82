"""The timeline of events."""

import time
from bisect import bisect_left
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import MouseScrollDown, MouseScrollUp

from flconsole.text import visible
from flconsole.timeline import Entry, Kind, Level, Timeline
from flconsole.timeline_filter import EVERYTHING, TimelineFilter, count_troubles
from flconsole.tui.actions import Place
from flconsole.tui.bindings import bindings
from flconsole.tui.line_view import LineView
from flconsole.tui.panes.logs import LogsPane
from flconsole.tui.prompt import Prompt
from flconsole.tui.style import DIM, LEVELS, PLAIN, Appearance
from flconsole.tui.view import View

_APPEARANCES = {
    Kind.OPERATOR: Appearance("◆", Style(color="cyan")),
    Kind.RUN: Appearance("●", PLAIN),
    Kind.ROUND: Appearance(" ", DIM),
}
"""Of entries without trouble; those of any other kind are plain."""
_PLAIN = Appearance("·", PLAIN)
_WHEEL_LINES = 3
_DAY_S = 86_400


class TimelineView(LineView):
    """One line for each entry, the newest last. With the cursor on the newest one, it follows."""

    def __init__(self) -> None:
        super().__init__(id="timeline-view")
        self.entries: tuple[Entry, ...] = ()
        self.shown: list[Entry] = []
        """Those that the filter lets through."""
        self.filter = TimelineFilter()
        self.is_following = True
        self._timeline: Timeline | None = None
        self._followed = 0
        """The number of the entry that the cursor stays with."""
        self._newest_seen = 0
        """The number of the newest entry while it still followed."""

    def show(self, view: View) -> bool:
        """Takes in what has been told since; whether there was anything."""
        if view.snapshot.timeline is self._timeline:
            return False
        self._timeline = view.snapshot.timeline
        self.entries = self._timeline.entries
        self.choose(self.filter)
        return True

    def choose(self, chosen: TimelineFilter) -> None:
        """Shows what the filter lets through; the cursor stays with its entry, or goes to the one after."""
        row = self.cursor - round(self.scroll_offset.y)
        self.filter, self.shown = chosen, chosen.select(self.entries)
        if self.is_following:
            self.follow()
            return
        self.cursor = self._clamped(bisect_left(self.shown, self._followed, key=lambda entry: entry.number))
        self.lines_changed()
        self.scroll_to(y=max(0, self.cursor - row), animate=False)

    def follow(self) -> None:
        """Goes to the newest entry and stays with whatever is the newest."""
        self.move_cursor(self.num_lines - 1)

    def let_go(self) -> None:
        """Stays with the entry at the cursor."""
        self.is_following = False

    def move_cursor(self, index: int) -> None:
        self.is_following = index >= self.num_lines - 1
        if self.is_following:
            self._newest_seen = self.entries[-1].number if self.entries else 0
        super().move_cursor(index)
        self._followed = 0 if self.at_cursor is None else self.at_cursor.number

    @property
    def at_cursor(self) -> Entry | None:
        return self.shown[self.cursor] if self.cursor < len(self.shown) else None

    @property
    def new(self) -> int:
        """Entries that have come since it stopped following."""
        newest = self.shown[::-1]
        return next((n for n, entry in enumerate(newest) if entry.number <= self._newest_seen), len(newest))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self._scroll_by_wheel(event, -_WHEEL_LINES)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self._scroll_by_wheel(event, _WHEEL_LINES)

    def _scroll_by_wheel(self, event: MouseScrollUp | MouseScrollDown, lines: int) -> None:
        event.stop()
        event.prevent_default()
        self.move_cursor(self.cursor + lines)

    # --- drawing

    @property
    def num_lines(self) -> int:
        return len(self.shown)

    def draw_line(self, index: int, _width: int) -> Text:
        entry = self.shown[index]
        glyph, style = _appearance_of(entry)
        line = Text(f"{_time_of(entry, self.shown)} ", style=DIM)
        line.append(f"{glyph} {entry.text}", Style(dim=False) + style)
        if entry.times > 1:
            line.append(f" ×{entry.times}", style)  # noqa: RUF001  # times, not the letter
        return line


def _appearance_of(entry: Entry) -> Appearance:
    if entry.level is not Level.INFO:
        return LEVELS[entry.level.upper()]
    return _APPEARANCES.get(entry.kind, _PLAIN)


def _time_of(entry: Entry, entries: Sequence[Entry]) -> str:
    """The time of day; with its date where the timeline is longer than a day."""
    is_long = entries[-1].ts - entries[0].ts > _DAY_S
    return time.strftime("%m-%d %H:%M:%S" if is_long else "%H:%M:%S", time.localtime(entry.ts))


class TimelinePane(Vertical):
    """The timeline with its keys.

    Args:
        id: Textual's.
        follow_key: the key that goes back to the newest line.
    """

    BINDINGS = bindings(Place.TIMELINE)

    def __init__(self, *, id: str, follow_key: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._follow_key = follow_key
        self._title = ""
        self._view: View | None = None

    def compose(self) -> ComposeResult:
        yield TimelineView()

    def show(self, view: View) -> None:
        self._view = view
        if self.list.show(view) or not self._title:
            self._say_title()

    @property
    def list(self) -> TimelineView:
        return self.query_one(TimelineView)

    @property
    def chosen(self) -> Entry | None:
        """The entry with the cursor."""
        return self.list.at_cursor

    def on_line_view_cursor_moved(self, event: LineView.CursorMoved) -> None:
        event.stop()
        self._say_title()

    def _say_title(self) -> None:
        shown, chosen = self.list.shown, self.list.filter
        parts = [f"4 Timeline: {len(shown)}" + ("" if self._is_all else f" of {len(self.list.entries)}")]
        if chosen.choice != EVERYTHING:
            parts.append(chosen.choice)
        if chosen.words:
            parts.append(f"filter: {visible(chosen.words)}")
        parts += count_troubles(shown)
        if not self.list.is_following:
            parts.append(f"{self.list.new} new ({self._follow_key} follows)")
        title = " · ".join(parts)
        if title != self._title:  # a new title draws the whole border again
            self._title, self.border_title = title, Content(title)

    @property
    def _is_all(self) -> bool:
        return self.list.filter == TimelineFilter()

    # --- keys

    def action_timeline_follow(self) -> None:
        if self.list.is_following:
            self.list.let_go()
        else:
            self.list.follow()
        self._say_title()

    def action_timeline_kind(self) -> None:
        self._choose(self.list.filter.next(self.list.entries))

    def action_filter_timeline(self) -> None:
        before = self.list.filter

        def choose(text: str) -> None:
            self._choose(before._replace(words=text.strip()))

        def done(text: str | None) -> None:
            choose(before.words if text is None else text)

        self.screen.query_one(Prompt).ask("/", before.words, changed=choose, done=done)

    def _choose(self, chosen: TimelineFilter) -> None:
        self.list.choose(chosen)
        self._say_title()

    async def action_entry_log(self) -> None:
        """Shows the log that tells more, where it was when the entry was told."""
        entry, view = self.chosen, self._view
        if entry is None or view is None:
            return
        name = entry.process or ""
        if not (view.run_dir / "logs" / f"{name}.log").exists():
            name = ""  # merged
        self.screen.query_one(LogsPane).show_moment(name, entry.ts)
        await self.run_action("screen.show_logs")
