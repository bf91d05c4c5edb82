"""The charts."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from flconsole.tui.actions import Place
from flconsole.tui.bindings import bindings
from flconsole.tui.view import View


class ChartsPane(Vertical, can_focus=True):
    """One chart, or as many as there is room for."""

    BINDINGS = bindings(Place.CHARTS)

    def compose(self) -> ComposeResult:
        self.border_title = "2 Charts"
        yield Static(id="chart")

    def show(self, view: View) -> None:
        finished = view.snapshot.state.history.values()
        self.query_one(Static).update(
            " ".join(f"{r.accuracy:.3f}" for r in finished if r.accuracy is not None)
        )
