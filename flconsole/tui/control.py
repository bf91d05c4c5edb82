"""The actions that change a run: they ask the operator where that is wise, then the supervisor."""

from typing import Any

from textual import work
from textual.widget import Widget

from engine.errors import EngineError
from flconsole.supervisor.client import connect
from flconsole.tui.view import Source


class Control(Widget):
    """Mixed into the screen of a run."""

    source: Source
    read_only: bool

    def ask_supervisor(self, command: str, **arguments: Any) -> None:
        """Sends one request in a thread of its own and shows the answer."""
        if self.read_only:
            self.notify("read-only: nothing is changed from here", severity="warning")
            return
        self._request(command, arguments)

    @work(thread=True, group="requests")
    def _request(self, command: str, arguments: dict[str, Any]) -> None:
        try:
            with connect(self.source.run_dir) as supervisor:
                answer = supervisor.request(command, **arguments)
        except EngineError as error:
            self.app.call_from_thread(self.notify, str(error), severity="error", markup=False)
            return
        severity = "information" if answer.ok else "error"
        self.app.call_from_thread(self.notify, answer.text, severity=severity, markup=False)

    def action_add_one(self) -> None:
        self.ask_supervisor("add-client", count=1)
