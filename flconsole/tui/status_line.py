"""The line that says where the run stands."""

from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from flconsole.tui.status_parts import status_rows
from flconsole.tui.view import View


class StatusLine(Widget):
    """Two rows: what runs and how it is, and where it stands. Each is sent again when its text changes.

    Args:
        resume_key: the key that goes on with a run whose supervisor was killed.
    """

    DEFAULT_CSS = "StatusLine { height: 2; }"

    def __init__(self, *, resume_key: str) -> None:
        super().__init__(id="status")
        self._resume_key = resume_key
        self._view: View | None = None
        self._rows = (Text(), Text())

    def show(self, view: View) -> None:
        self._view = view
        rows = status_rows(view, self.size.width, self._resume_key)
        for y, (row, before) in enumerate(zip(rows, self._rows, strict=True)):
            if row != before:
                self.refresh(Region(0, y, self.size.width, 1))
        self._rows = rows

    def on_resize(self) -> None:
        if self._view is not None:
            self.show(self._view)

    def render_line(self, y: int) -> Strip:
        strip = Strip(self._rows[y].render(self.app.console, end=""))
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)
