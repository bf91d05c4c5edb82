"""The logs of all processes, merged or one at a time."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from flconsole.tui.actions import Place
from flconsole.tui.bindings import bindings
from flconsole.tui.view import View


class LogsPane(Vertical, can_focus=True):
    """The log view with its keys."""

    BINDINGS = bindings(Place.LOGS)

    def compose(self) -> ComposeResult:
        self.border_title = "3 Logs"
        yield Static(id="log")

    def show(self, view: View) -> None:
        """Draws what was written until the view's moment."""

    def show_process(self, name: str) -> None:
        """Shows the log of one process, `client-3` for instance; all merged where the name is empty."""
