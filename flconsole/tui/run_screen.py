"""The one screen of the console: a live run, one that is over, and a replay are all shown on it."""

from collections.abc import Callable
from functools import partial
from typing import cast

from textual.app import ComposeResult
from textual.containers import Container
from textual.events import DescendantFocus
from textual.screen import Screen
from textual.widget import Widget

from flconsole.tui.actions import BY_NAME, Place
from flconsole.tui.bindings import bindings
from flconsole.tui.control import Control
from flconsole.tui.failures import Failures
from flconsole.tui.host import host_of
from flconsole.tui.key_line import KeyLine
from flconsole.tui.keys import Keys, spell
from flconsole.tui.layout import PANES, Layout, layout_for, panes_seen, rows_for_clients
from flconsole.tui.news import Watch
from flconsole.tui.pane_tabs import PaneTabs
from flconsole.tui.panes.charts import ChartsPane
from flconsole.tui.panes.clients import ClientsPane
from flconsole.tui.panes.logs import LogsPane
from flconsole.tui.panes.timeline import TimelinePane
from flconsole.tui.prompt import Prompt
from flconsole.tui.replay_bar import ReplayBar
from flconsole.tui.replay_control import ReplayControl
from flconsole.tui.screenshot import Screenshot
from flconsole.tui.status_line import StatusLine
from flconsole.tui.view import Liveness, Shows, Source, View

_GLANCE_S = 0.02
_GLANCES = 50
"""At a view that is awaited, before the next look will do."""


class RunScreen(Control, Failures, ReplayControl, Screenshot, Screen[None]):
    """Status, panes, keys.

    A small screen shows one pane at a time, a middling one the clients and one other, a large one all four.

    Args:
        source: where the run is followed.
        read_only: refuse whatever would change the run.
        keys: the keys in force.
        interval_s: seconds from one look at the source to the next.
    """

    BINDINGS = bindings(Place.REPLAY, Place.EVERYWHERE)

    def __init__(
        self, source: Source, *, read_only: bool, keys: Keys | None = None, interval_s: float = 0.5
    ) -> None:
        super().__init__()
        self.source, self.read_only, self._interval_s = source, read_only, interval_s
        self.keys = keys or Keys()
        self.view = source.view()
        self.active_pane = "clients"
        self.is_zoomed = False
        self._other_pane = "charts"
        self._arrangement: tuple[object, ...] = ()
        self._drawn: View | None = None
        self._watch = Watch()

    def compose(self) -> ComposeResult:
        yield StatusLine(resume_key=self._key("resume-run"))
        yield ReplayBar()
        yield PaneTabs(zoom_key=self._key("zoom"))
        with Container(id="panes"):  # in the order of the layouts that show all of them
            yield ClientsPane(id="clients")
            yield TimelinePane(id="timeline", follow_key=self._key("timeline-follow"))
            yield ChartsPane(id="charts")
            yield LogsPane(id="logs", follow_key=self._key("log-follow"))
        yield Prompt()
        yield KeyLine()

    def _key(self, action: str) -> str:
        """The key of an action to be told of on the screen."""
        return spell(self.keys.of(BY_NAME[action])[0])

    def on_mount(self) -> None:
        self._arrange()
        self.set_interval(self._interval_s, self.look)
        self.look()
        self.look_when(lambda view: view.loading is None)

    # --- what is shown

    def look(self) -> None:
        """Takes the newest view, and lets whatever can be seen draw it where there is anything new in it."""
        before, self.view = self.view, self.source.view()
        if self.view.liveness is not before.liveness:
            self.refresh_bindings()
        for news in self._watch.news(self.view):
            self.notify(news.text, severity=news.severity)
            host_of(self).call_operator(news.text)
        if not host_of(self).is_behind and not self._is_drawn(self.view):
            self._arrange()
            self._draw()

    def look_when(self, is_awaited: Callable[[View], bool], *, glances: int = _GLANCES) -> None:
        """Looks as soon as the source has the view that is awaited and the terminal can take it.

        After a second the next look will do.
        """
        if is_awaited(self.source.view()) and not host_of(self).is_behind:
            self.look()
        elif glances:
            again = partial(self.look_when, is_awaited, glances=glances - 1)
            self.set_timer(_GLANCE_S, again)

    def _is_drawn(self, view: View) -> bool:
        """Whether nobody could tell this view from the one that was drawn last."""
        drawn = self._drawn
        if drawn is None or _circumstances(view) != _circumstances(drawn):
            return False
        is_running = view.liveness is Liveness.RUNNING
        is_same_moment = int(view.now) == int(drawn.now) if is_running else view.as_of == drawn.as_of
        return is_same_moment and (
            view.snapshot is drawn.snapshot or (is_running and host_of(self).low_bandwidth)
        )

    def _draw(self) -> None:
        self._drawn = self.view
        self.query_one(StatusLine).show(self.view)
        self.query_one(ReplayBar).show(self.view)
        for name in PANES:
            pane = self.pane(name)
            if pane.display:
                cast(Shows, pane).show(self.view)

    def on_client_table_marks_changed(self) -> None:
        """The charts show the marked clients, of a run that is over too."""
        charts = self.query_one(ChartsPane)
        if charts.display:
            charts.show(self.view)

    # --- where it is shown

    def pane(self, name: str) -> Widget:
        return self.query_one(f"#{name}", Widget)

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """Decides which panes can be seen, by the room there is and what was last looked at."""
        size, clients = self.app.size, len(self.view.snapshot.state.client_ids)
        layout = Layout.ONE if self.is_zoomed else layout_for(size.width, size.height)
        seen = panes_seen(layout, self.active_pane, self._other_pane)
        rows = rows_for_clients(layout, size.height, clients)
        arrangement = (size, layout, seen, self.active_pane, rows)
        if arrangement == self._arrangement:
            return
        self._arrangement = arrangement
        self._give_room(layout, rows, size.height)
        for name in PANES:
            self.pane(name).display = name in seen
            self.pane(name).set_class(name == self.active_pane, "-active")
        tabs = self.query_one(PaneTabs)
        tabs.display = len(seen) < len(PANES)
        tabs.show(self.active_pane, seen, is_zoomed=self.is_zoomed)
        self.call_after_refresh(self._draw)

    def _give_room(self, layout: Layout, rows: int, height: int) -> None:
        for other in Layout:
            self.set_class(other is layout, f"-{other}")
        self.pane("clients").styles.height = rows if layout is Layout.STACKED else "1fr"
        if layout is Layout.ROWS:
            self.query_one("#panes").styles.grid_rows = f"{rows} {height // 5} 1fr"
        else:
            self.query_one("#panes").styles.grid_rows = None

    def activate(self, name: str) -> None:
        """Gives a pane the focus, and shows it if it could not be seen."""
        self._set_active(name)
        pane = self.pane(name)
        target = pane if pane.can_focus else next(widget for widget in pane.query("*") if widget.can_focus)
        self.set_focus(target)  # at once: the next key may be there already

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The focus may come by other ways, the mouse for instance."""
        for widget in event.widget.ancestors_with_self:
            if widget.id in PANES:
                self._set_active(widget.id)

    def on_pane_tabs_chosen(self, event: PaneTabs.Chosen) -> None:
        self.activate(event.pane)

    def _set_active(self, name: str) -> None:
        self.active_pane = name
        if name != "clients":
            self._other_pane = name
        self._arrange()

    # --- the screen

    def action_show_clients(self) -> None:
        self.activate("clients")

    def action_show_charts(self) -> None:
        self.activate("charts")

    def action_show_logs(self) -> None:
        self.activate("logs")

    def action_show_timeline(self) -> None:
        self.activate("timeline")

    def action_next_pane(self) -> None:
        self._activate_neighbour(1)

    def action_previous_pane(self) -> None:
        self._activate_neighbour(-1)

    def _activate_neighbour(self, step: int) -> None:
        self.activate(PANES[(PANES.index(self.active_pane) + step) % len(PANES)])

    def action_zoom(self) -> None:
        self.is_zoomed = not self.is_zoomed
        self.activate(self.active_pane)

    def action_redraw(self) -> None:
        self.app.clear_selection()
        self.refresh(repaint=True, layout=True)

    def action_suspend(self) -> None:
        self.app.action_suspend_process()

    def action_detach(self) -> None:
        self.app.exit(0)


def _circumstances(view: View) -> tuple[object, ...]:
    return view.liveness, view.loading, view.error, view.playhead
