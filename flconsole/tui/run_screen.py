"""The one screen of the console: a live run, one that is over, and a replay are all shown on it."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer

from flconsole.tui.actions import Place
from flconsole.tui.bindings import bindings
from flconsole.tui.control import Control
from flconsole.tui.keys import Keys
from flconsole.tui.panes.charts import ChartsPane
from flconsole.tui.panes.clients import ClientsPane
from flconsole.tui.panes.logs import LogsPane
from flconsole.tui.panes.timeline import TimelinePane
from flconsole.tui.prompt import Prompt
from flconsole.tui.status_line import StatusLine
from flconsole.tui.view import Source

PANES = ("clients", "charts", "logs", "timeline")


class RunScreen(Control, Screen[None]):
    """Status, panes, footer.

    A small screen shows one pane at a time, a middling one the clients and one other, a large one all four.

    Args:
        source: where the run is followed.
        read_only: refuse whatever would change the run.
        keys: the keys in force.
        interval_s: seconds from one look at the source to the next.
    """

    BINDINGS = bindings(Place.REPLAY, Place.EVERYWHERE)
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  # as Textual declares it
        (0, "-narrow"),
        (80, "-middling"),
        (140, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-short"),
        (24, "-medium"),
        (36, "-tall"),
    ]

    def __init__(
        self, source: Source, *, read_only: bool, keys: Keys | None = None, interval_s: float = 0.5
    ) -> None:
        super().__init__()
        self.source, self.read_only, self._interval_s = source, read_only, interval_s
        self.keys = keys or Keys()
        self.view = source.view()
        self.active_pane = "clients"
        self._beside_clients = "charts"
        self.is_zoomed = False
        """Whether the active pane has the whole screen."""

    def compose(self) -> ComposeResult:
        yield StatusLine()
        with Container(id="panes"):
            yield ClientsPane(id="clients")
            yield ChartsPane(id="charts")
            yield LogsPane(id="logs")
            yield TimelinePane(id="timeline")
        yield Prompt()
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.set_interval(self._interval_s, self.look)
        self._arrange()
        self.look()

    # --- what is shown

    def look(self) -> None:
        """Takes the newest view and lets whatever can be seen draw it."""
        before, self.view = self.view, self.source.view()
        if self.view.liveness is not before.liveness:
            self.refresh_bindings()
        self.query_one(StatusLine).show(self.view)
        for name in PANES:
            pane = self.pane(name)
            if pane.display:
                pane.show(self.view)  # type: ignore[attr-defined]  # every pane `Shows`

    def pane(self, name: str) -> Widget:
        return self.query_one(f"#{name}", Widget)

    def _arrange(self) -> None:
        """Decides which panes can be seen, by the room there is and what was last looked at."""
        is_small = self.has_class("-narrow") or self.has_class("-short")
        is_large = self.has_class("-wide") and self.has_class("-tall")
        if self.is_zoomed or is_small:
            seen = {self.active_pane}
        elif is_large:
            seen = set(PANES)
        else:
            seen = {"clients", self._beside_clients}
        for name in PANES:
            self.pane(name).display = name in seen
            self.pane(name).set_class(name == self.active_pane, "-active")

    def on_resize(self) -> None:
        self.call_after_refresh(self._arrange)
        self.call_after_refresh(self.look)

    def activate(self, name: str) -> None:
        """Gives a pane the focus, and shows it if it could not be seen."""
        self.active_pane = name
        if name != "clients":
            self._beside_clients = name
        self._arrange()
        pane = self.pane(name)
        target = pane if pane.can_focus else next(w for w in pane.query("*") if w.can_focus)
        target.focus()
        self.look()

    def prompt(
        self, label: str, value: str, *, changed: Callable[[str], None], done: Callable[[str | None], None]
    ) -> None:
        """Asks for one line above the footer; see `Prompt.ask`."""
        self.query_one(Prompt).ask(label, value, changed=changed, done=done)

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

    def action_detach(self) -> None:
        self.app.exit(0)
