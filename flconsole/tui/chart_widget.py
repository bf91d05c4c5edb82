"""One chart on the screen: drawn again when what it shows has changed, at most once a second."""

import time
from collections.abc import Callable

from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from flconsole.charts.catalogue import Chart
from flconsole.charts.chart_text import Ink, draw_sentence, heading
from flconsole.charts.gatherers import Look, Settings
from flconsole.charts.plot import Plot
from flconsole.tui.style import MARK

Draw = Callable[[Plot, int, int, Ink], list[Text]]
"""`flconsole.charts.plotting.draw`, once it is imported."""

INTERVAL_S = 0.95
"""Seconds between two pictures of a run that goes on; the screen looks at it every half second."""


class ChartWidget(Widget):
    """A chart with its heading. Only rows whose text has changed are sent to the terminal.

    Args:
        chart: which one.
    """

    def __init__(self, chart: Chart) -> None:
        super().__init__(id=f"chart-{chart.name}")
        self.chart = chart
        self.settings = Settings()
        self.is_marked = False
        self.waits_for = "a moment, please"
        """What stands in the chart's place while nothing can be drawn."""
        self.ink = Ink()
        self.interval_s = INTERVAL_S
        self.draw: Draw | None = None
        self._gatherer = chart.gatherer()
        self._look: Look | None = None
        self._gathered: Look | None = None
        self._plot: Plot | None = None
        self._drawn_with: tuple[object, ...] = ()
        self._drawn_at = float("-inf")
        self._lines: list[Text] = []
        self._timer: Timer | None = None

    def show(self, look: Look) -> None:
        """Shows a new snapshot: now or, where the last picture is too young, later."""
        self._look = look
        wait = self.interval_s - (time.monotonic() - self._drawn_at)
        if wait <= 0:
            self.update_picture()
        elif self._timer is None:
            self._timer = self.set_timer(wait, self.update_picture)

    def update_picture(self) -> None:
        """Draws at once what has changed, if anything has."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if self._look is None or not self.size.area or not self.display:
            return
        plot = self._gather(self._look)
        drawn_with = (self.size, self.ink, self.draw, self.waits_for, self.is_marked)
        if plot == self._plot and drawn_with == self._drawn_with:
            return
        self._plot, self._drawn_with, self._drawn_at = plot, drawn_with, time.monotonic()
        before, self._lines = self._lines, self._picture(plot)
        for y in range(self.size.height):
            if y >= len(before) or before[y] != self._lines[y]:
                self.refresh(Region(0, y, self.size.width, 1))

    def on_resize(self) -> None:
        self._lines, self._drawn_with = [], ()
        self.update_picture()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        text = self._lines[y] if y < len(self._lines) else Text()
        strip = Strip(text.render(self.app.console)).adjust_cell_length(width, self.rich_style)
        return strip.apply_style(self.rich_style)

    def _gather(self, look: Look) -> Plot:
        before, self._gathered = self._gathered, look
        if before is not None and self._plot is not None and _shows_the_same(before, look):
            return self._plot
        return self._gatherer.plot(look)

    def _picture(self, plot: Plot) -> list[Text]:
        width, height = self.size
        top = Text(no_wrap=True, end="")
        top.append(f"{MARK.glyph} " if self.is_marked else "  ", MARK.style)
        top.append_text(heading(plot, width - 2, self.ink))
        if self.draw is None:
            return [top, *draw_sentence(self.waits_for, width, height - 1)]
        return [top, *self.draw(plot, width, height - 1, self.ink)]


def _shows_the_same(before: Look, now: Look) -> bool:
    """Whether nothing was recorded in between that any chart shows; without comparing whole histories."""
    return (
        before.snapshot.state.history is now.snapshot.state.history
        and before.snapshot.curves is now.snapshot.curves
        and (before.settings, before.clients) == (now.settings, now.clients)
    )
