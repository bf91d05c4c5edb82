"""The table of clients."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from flconsole.snapshot import Snapshot
from flconsole.tui.actions import Place
from flconsole.tui.bindings import bindings
from flconsole.tui.line_view import LineView
from flconsole.tui.view import View


class ClientTable(LineView):
    """One line for each client."""

    def __init__(self) -> None:
        super().__init__(id="client-table")
        self._ids: list[str] = []
        self._snapshot = Snapshot()

    @property
    def num_lines(self) -> int:
        return len(self._ids)

    def draw_line(self, index: int, _width: int) -> Text:
        client = self._ids[index]
        return Text(f"{client:>4} {self._snapshot.state.client_state(client)}")

    def draw_heading(self, _width: int) -> Text | None:
        return Text("  id state", style="bold")

    def show(self, view: View) -> None:
        self._snapshot, self._ids = view.snapshot, view.snapshot.state.client_ids
        self.lines_changed()

    @property
    def chosen(self) -> tuple[str, ...]:
        """The marked clients, or else the one with the cursor."""
        return (self._ids[self.cursor],) if self._ids else ()


class ClientsPane(Vertical):
    """The table of clients with its keys."""

    BINDINGS = bindings(Place.CLIENTS)

    def compose(self) -> ComposeResult:
        self.border_title = "1 Clients"
        yield ClientTable()

    def show(self, view: View) -> None:
        self.query_one(ClientTable).show(view)

    @property
    def chosen(self) -> tuple[str, ...]:
        return self.query_one(ClientTable).chosen
