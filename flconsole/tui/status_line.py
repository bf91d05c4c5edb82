"""The line that says where the run stands."""

from rich.text import Text
from textual.widget import Widget

from flconsole.narration import progress
from flconsole.tui.view import View


class StatusLine(Widget):
    """Two rows: what runs, and where it stands."""

    DEFAULT_CSS = "StatusLine { height: 2; }"

    def __init__(self) -> None:
        super().__init__(id="status")
        self._text = Text()

    def show(self, view: View) -> None:
        text = Text(f"{view.run_dir.name} {view.liveness}\n{progress(view.snapshot.state)}")
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Text:
        return self._text
