"""The charts."""

import math

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget

from flconsole.charts.catalogue import CHARTS, SMOOTHINGS, Kind, charts_for
from flconsole.charts.chart_text import Ink
from flconsole.charts.gatherers import Basis, Look, Settings
from flconsole.tui.actions import Place
from flconsole.tui.background import in_thread
from flconsole.tui.bindings import bindings
from flconsole.tui.chart_widget import INTERVAL_S, ChartWidget, Draw
from flconsole.tui.host import host_of
from flconsole.tui.panes.clients import ClientsPane
from flconsole.tui.terminal import Colours
from flconsole.tui.view import Liveness, View

_REPLAY_INTERVAL_S = 0.2
"""Seconds between two pictures of a replay: it follows the keys of its operator."""
_LEAST_HEIGHT = 8
"""Rows below which a chart shows too little."""
_COLUMNS = ((168, 3), (80, 2), (0, 1))
"""From so many cells on, so many charts side by side."""
_LEAST_WIDTH_OF_ROW = 100
"""Cells below which charts stand side by side only where they also stand one above the other."""


class ChartsPane(Widget, can_focus=True):
    """One chart, or as many as there is room for; the keys work on the marked one."""

    BINDINGS = bindings(Place.CHARTS)
    DEFAULT_CSS = """
    ChartsPane { layout: grid; grid-gutter: 0 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.widgets = [ChartWidget(chart) for chart in CHARTS]
        self._chosen = 0
        self._offered = self.widgets
        """Those of the run's mode."""
        self._is_alone = False
        """Whether only the marked chart is shown."""
        self._has_zoomed = False
        """Whether it was this pane that zoomed itself to the whole screen."""
        self._is_loading = False
        self._view: View | None = None
        self._title = ""

    def compose(self) -> ComposeResult:
        yield from self.widgets

    @property
    def marked(self) -> ChartWidget:
        """The chart that the keys work on."""
        return self._offered[self._chosen]

    # --- what is shown

    def show(self, view: View) -> None:
        self._view = view
        charts = charts_for(view.config.mode)
        self._offered = [widget for widget in self.widgets if widget.chart in charts]
        if not self._is_loading:
            self._is_loading = True
            self.call_after_refresh(lambda: self.run_worker(self._load()))
        self._arrange()
        clients = self.screen.query_one(ClientsPane).table.marked
        is_replay = view.liveness is Liveness.REPLAY
        for widget in self.widgets:
            if widget.display:
                widget.interval_s = _REPLAY_INTERVAL_S if is_replay else INTERVAL_S
                widget.show(self._look(widget, view, clients))

    def on_resize(self) -> None:
        if self._view is not None:
            self.show(self._view)

    def _look(self, widget: ChartWidget, view: View, clients: tuple[str, ...]) -> Look:
        return Look(
            snapshot=view.snapshot,
            settings=widget.settings,
            clients=clients,
            eval_every=view.config.eval_every,
        )

    async def _load(self) -> None:
        """Imports plotext once the first frame is on the screen, which need not wait for it."""
        try:
            draw = await in_thread(_import_draw)
        except (ImportError, OSError) as error:
            for widget in self.widgets:
                widget.waits_for = f"charts cannot be drawn here: {error}"
                widget.update_picture()
            return
        for widget in self.widgets:
            widget.draw = draw
            widget.update_picture()

    def _arrange(self) -> None:
        """Shows as many charts as there is room for, the marked one among them."""
        columns, num_shown = (1, 1) if self._is_alone else grid_of(*self.size, len(self._offered))
        first = min(self._chosen // num_shown * num_shown, len(self._offered) - num_shown)
        shown = self._offered[first : first + num_shown]
        terminal = host_of(self).terminal
        ink = Ink(ascii=not terminal.has_unicode, colours=terminal.colours is not Colours.NONE)
        self.styles.grid_size_columns = columns
        self.styles.grid_size_rows = math.ceil(num_shown / columns)
        for widget in self.widgets:
            if widget.display is not (widget in shown):
                widget.display = widget in shown
            widget.is_marked = num_shown > 1 and widget is self.marked
            widget.ink = ink
        self._show_title(first + 1, first + num_shown)

    def _show_title(self, first: int, last: int) -> None:
        numbers = f"{first} to {last}" if last > first else f"{first}"
        title = (
            "2 Charts"
            if last - first + 1 == len(self._offered)
            else f"2 Charts · {numbers} of {len(self._offered)}"
        )
        if title != self._title:  # a new title draws the whole pane again
            self._title = title
            self.border_title = Content(title)

    # --- keys

    def action_chart_next(self) -> None:
        self._choose(1)

    def action_chart_previous(self) -> None:
        self._choose(-1)

    def action_chart_log_scale(self) -> None:
        if self._can_set("logarithmic scale"):
            self._set(replace(self.marked.settings, log_y=not self.marked.settings.log_y))

    def action_chart_smooth(self) -> None:
        if self._can_set("smoothing"):
            place = SMOOTHINGS.index(self.marked.settings.smoothing)
            self._set(replace(self.marked.settings, smoothing=SMOOTHINGS[(place + 1) % len(SMOOTHINGS)]))

    def action_chart_basis(self) -> None:
        if self._can_set("choice between rounds and time"):
            is_time = self.marked.settings.basis is Basis.TIME
            self._set(replace(self.marked.settings, basis=Basis.ROUNDS if is_time else Basis.TIME))

    async def action_chart_zoom(self) -> None:
        """Only the marked chart, on the whole screen; the second time, everything as it was."""
        self._is_alone = not self._is_alone
        is_zoomed = self.screen.is_zoomed  # type: ignore[attr-defined]  # it is a `RunScreen`
        if self._is_alone:
            self._has_zoomed = not is_zoomed
        if self._has_zoomed and is_zoomed is not self._is_alone:
            await self.run_action("screen.zoom")
        self._show_now()

    def _choose(self, step: int) -> None:
        self._chosen = (self._chosen + step) % len(self._offered)
        self._show_now()

    def _can_set(self, what: str) -> bool:
        chart = self.marked.chart
        if chart.kind is not Kind.LINES:
            self.notify(f"{chart.title} is drawn as a {chart.kind}, which has no {what}.", severity="warning")
        return chart.kind is Kind.LINES

    def _set(self, settings: Settings) -> None:
        self.marked.settings = settings
        self._show_now()

    def _show_now(self) -> None:
        """Draws at once what a key has changed."""
        if self._view is not None:
            self.show(self._view)
            for widget in self.widgets:
                if widget.display:
                    widget.update_picture()


def grid_of(width: int, height: int, most: int) -> tuple[int, int]:
    """How many charts stand side by side and, of at most so many, how many there is room for."""
    rows = max(1, height // _LEAST_HEIGHT)
    columns = next(number for least, number in _COLUMNS if width >= least)
    if rows == 1 and width < _LEAST_WIDTH_OF_ROW:
        columns = 1
    return columns, min(most, columns * rows)


def _import_draw() -> Draw:
    from flconsole.charts.plotting import draw  # noqa: PLC0415  # imports plotext

    return draw
