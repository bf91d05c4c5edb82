"""The table of clients."""

from collections import Counter

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from engine.errors import EngineError
from flconsole.alerts import Alerts
from flconsole.client_order import Order, load_order, order_file, save_order
from flconsole.client_rows import (
    BY_NAME,
    ClientRow,
    Column,
    client_rows,
    columns_for,
    row_filter,
    sample_age,
    sort_rows,
)
from flconsole.figures import short_seconds
from flconsole.snapshot import Snapshot
from flconsole.state import ClientState
from flconsole.text import visible
from flconsole.tui.actions import Place
from flconsole.tui.bindings import bindings
from flconsole.tui.line_view import LineView
from flconsole.tui.panes.logs import LogsPane
from flconsole.tui.prompt import Prompt
from flconsole.tui.style import ALERT, ASCENDING, BOLD, DESCENDING, DIM, MARK, PLAIN, STATES
from flconsole.tui.view import Liveness, View

_GUTTER = 2
"""Cells before the columns: one for the mark, one for the alert."""
_COUNTED = (ClientState.LATE, ClientState.LOST, ClientState.FAILED, ClientState.PAUSED)
"""States that the title counts: those an operator looks for."""


class ClientTable(LineView):
    """One line for each client that the filter lets through, in the order chosen."""

    class MarksChanged(Message):
        """Other clients are marked than before."""

    def __init__(self) -> None:
        super().__init__(id="client-table")
        self.rows: list[ClientRow] = []
        """Of all clients, in the order of their ids."""
        self.shown: list[ClientRow] = []
        """Those that are seen, as they are sorted."""
        self.order = Order()
        self.filter = ""
        self.sample_age: float | None = None
        """Seconds since the newest sample, where it is stale."""
        self._marks: set[str] = set()
        self._alerts = Alerts()
        self._followed: str | None = None
        """The client that the cursor stays with."""
        self._drawn: tuple[Snapshot, int, bool] | None = None
        self._columns_at: dict[int, tuple[Column, ...]] = {}
        """The columns at a width: the same for every row that is drawn."""

    # --- what the rows are

    def show(self, view: View) -> None:
        now, is_gone = int(view.as_of), view.liveness is Liveness.GONE  # ages are told in whole seconds
        drawing = (view.snapshot, now, is_gone)
        if self._drawn is not None and self._drawn[0] is view.snapshot and self._drawn[1:] == drawing[1:]:
            return
        self._drawn = drawing
        state = view.snapshot.state
        self.rows, self.sample_age = client_rows(state, now, is_gone=is_gone), sample_age(state, now)
        self._columns_at.clear()
        self._marks.intersection_update(row.id for row in self.rows)
        if view.loading is None:  # until then the past goes by, and alerts nobody
            self._alerts.follow(state)
        self.rearrange()

    def rearrange(self, *, order: Order | None = None, filter_text: str | None = None) -> None:
        """Filters and sorts the rows; the cursor stays with its client while that is shown."""
        self.order = order or self.order
        self.filter = self.filter if filter_text is None else filter_text
        wanted = filter(row_filter(self.filter), self.rows)
        self.shown = sort_rows(wanted, self.order.column, reverse=self.order.reverse)
        if self._followed is None and self.at_cursor is not None:
            self._followed = self.at_cursor.id
        for index, row in enumerate(self.shown):
            if row.id == self._followed and index != self.cursor:
                self.cursor = index
                self.scroll_to_line(index)
        self._look_at_cursor()
        self.lines_changed()

    def move_cursor(self, index: int) -> None:
        super().move_cursor(index)
        at_cursor = self.at_cursor
        self._followed = None if at_cursor is None else at_cursor.id
        self._look_at_cursor()
        self.lines_changed()

    @property
    def at_cursor(self) -> ClientRow | None:
        return self.shown[self.cursor] if self.cursor < len(self.shown) else None

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self._look_at_cursor()
        self.lines_changed()

    def _look_at_cursor(self) -> None:
        if self.shows_cursor and self.at_cursor is not None:
            self._alerts.look_at(self.at_cursor.id)

    # --- marks

    @property
    def chosen(self) -> tuple[str, ...]:
        """The marked clients, whether the filter shows them or not; or else the one at the cursor."""
        if self._marks:
            return self.marked
        return () if self.at_cursor is None else (self.at_cursor.id,)

    @property
    def marked(self) -> tuple[str, ...]:
        return tuple(row.id for row in self.rows if row.id in self._marks)

    def mark(self) -> None:
        """Marks the client at the cursor, or takes its mark away."""
        if self.at_cursor is not None:
            self._marks ^= {self.at_cursor.id}
            self.lines_changed()
            self.post_message(self.MarksChanged())

    def mark_all(self) -> None:
        """Marks all that are shown or, if they all are marked, none of them."""
        shown = {row.id for row in self.shown}
        self._marks = self._marks - shown if shown <= self._marks else self._marks | shown
        self.lines_changed()
        self.post_message(self.MarksChanged())

    # --- drawing

    @property
    def num_lines(self) -> int:
        return len(self.shown)

    def draw_heading(self, width: int) -> Text:
        line = Text(" " * _GUTTER, style=BOLD)
        line.append(" ".join(self._heading(column) for column in self._columns(width)))
        return line

    def draw_line(self, index: int, width: int) -> Text:
        row = self.shown[index]
        line = Text(style=DIM if row.state is ClientState.STOPPED else PLAIN)
        for is_there, (glyph, style) in ((row.id in self._marks, MARK), (row.id in self._alerts, ALERT)):
            line.append(glyph if is_there else " ", style if is_there else None)
        for number, column in enumerate(self._columns(width)):
            line.append(" " if number else "")
            self._append_cell(line, row, column)
        return line

    def _columns(self, width: int) -> tuple[Column, ...]:
        if width not in self._columns_at:
            self._columns_at = {width: columns_for(self.rows, width - _GUTTER)}
        return self._columns_at[width]

    def _heading(self, column: Column) -> str:
        arrow = "" if column.name != self.order.column else DESCENDING if self.order.reverse else ASCENDING
        return _fitted(column.heading + arrow if column.align == "<" else arrow + column.heading, column)

    def _append_cell(self, line: Text, row: ClientRow, column: Column) -> None:
        if column.name == "state":
            glyph, style = STATES[row.state]
            line.append(_fitted(f"{glyph} {row.state}", column), style)
            return
        is_stale = column.is_sampled and self.sample_age is not None
        line.append(_fitted(column.text(row), column), DIM if is_stale else None)


def _fitted(text: str, column: Column) -> str:
    """A cell as wide as its column; what was cut off is seen to be."""
    room = column.width - cell_len(text)
    if room < 0:
        return set_cell_size(text, column.width - 1) + "…"
    return " " * room + text if column.align == ">" else text + " " * room


class ClientsPane(Vertical):
    """The table of clients with its keys."""

    BINDINGS = bindings(Place.CLIENTS)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._title = ""
        self._has_told_unkept = False
        """Whether the operator knows that the order is not kept."""

    def compose(self) -> ComposeResult:
        yield ClientTable()

    def on_mount(self) -> None:
        try:
            self.table.order = load_order(order_file())
        except EngineError as error:
            self.notify(str(error), severity="warning")

    def show(self, view: View) -> None:
        self.table.show(view)
        self._show_title()

    @property
    def table(self) -> ClientTable:
        return self.query_one(ClientTable)

    @property
    def chosen(self) -> tuple[str, ...]:
        return self.table.chosen

    def _show_title(self) -> None:
        """What is in the table, in the border above it."""
        title = "1 Clients: " + " · ".join(self._title_parts())
        if title != self._title:  # a new title draws the whole pane again
            self._title = title
            self.border_title = Content(title)

    def _title_parts(self) -> list[str]:
        table = self.table
        total, shown = len(table.rows), len(table.shown)
        parts = [f"{total}" if not table.filter else f"{shown} of {total}"]
        counts = Counter(row.state for row in table.rows)
        parts += [f"{counts[state]} {state}" for state in _COUNTED if counts[state]]
        arrow = DESCENDING if table.order.reverse else ASCENDING
        parts.append(f"by {BY_NAME[table.order.column].heading} {arrow}")
        if table.filter:
            parts.append(f"filter: {visible(table.filter)}")
        if table.marked:
            parts.append(f"{len(table.marked)} marked")
        if table.sample_age is not None:
            parts.append(f"use {short_seconds(table.sample_age)} old")
        return parts

    # --- keys

    def action_mark(self) -> None:
        self.table.mark()
        self._show_title()

    def action_mark_all(self) -> None:
        self.table.mark_all()
        self._show_title()

    def action_sort_next(self) -> None:
        self._sort_by_neighbour(1)

    def action_sort_previous(self) -> None:
        self._sort_by_neighbour(-1)

    def action_sort_reverse(self) -> None:
        order = self.table.order
        self._sort(Order(order.column, not order.reverse))

    def _sort_by_neighbour(self, step: int) -> None:
        names = [column.name for column in columns_for(self.table.rows)]
        column = self.table.order.column
        position = names.index(column) if column in names else -step
        self._sort(Order(names[(position + step) % len(names)], self.table.order.reverse))

    def _sort(self, order: Order) -> None:
        self.table.rearrange(order=order)
        self._show_title()
        try:
            save_order(order_file(), order)
        except EngineError as error:
            if not self._has_told_unkept:
                self.notify(str(error), severity="warning")
            self._has_told_unkept = True

    def action_filter_clients(self) -> None:
        before = self.table.filter

        def done(text: str | None) -> None:
            self._filter(before if text is None else text.strip())

        self.screen.query_one(Prompt).ask("/", before, changed=self._filter, done=done)

    def _filter(self, text: str) -> None:
        self.table.rearrange(filter_text=text)
        self._show_title()

    async def action_client_log(self) -> None:
        if self.table.at_cursor is not None:
            self.screen.query_one(LogsPane).show_process(self.table.at_cursor.process or "server")
            await self.run_action("screen.show_logs")
