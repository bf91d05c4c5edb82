"""One line that names all panes, where not all of them can be seen."""

from collections.abc import Collection

from rich.style import Style
from rich.text import Text
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from flconsole.tui.layout import PANES
from flconsole.tui.style import BOLD, PLAIN

_ACTIVE = Style(reverse=True, bold=True)
_GAP = 1


class PaneTabs(Widget):
    """The panes with their keys: that with the focus in reverse, the others that can be seen in bold.

    Args:
        zoom_key: the key that ends a zoom.
    """

    DEFAULT_CSS = "PaneTabs { height: 1; }"

    class Chosen(Message):
        """The operator has clicked a name."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, *, zoom_key: str) -> None:
        super().__init__(id="pane-tabs")
        self._zoom_key = zoom_key
        self._active, self._seen = "", frozenset[str]()
        self._is_zoomed = False

    def show(self, active: str, seen: Collection[str], *, is_zoomed: bool) -> None:
        now = (active, frozenset(seen), is_zoomed)
        if now != (self._active, self._seen, self._is_zoomed):
            self._active, self._seen, self._is_zoomed = now
            self.refresh()

    def render(self) -> Text:
        line = Text(no_wrap=True, end="")
        for number, name in enumerate(PANES, start=1):
            style = _ACTIVE if name == self._active else BOLD if name in self._seen else PLAIN
            line.append(_label(number, name), style)
            line.append(" " * _GAP)
        if self._is_zoomed:
            line.append(f" zoomed: {self._zoom_key} goes back")
        return line

    def on_click(self, event: Click) -> None:
        x = event.x
        for number, name in enumerate(PANES, start=1):
            width = len(_label(number, name))
            if 0 <= x < width:
                self.post_message(self.Chosen(name))
            x -= width + _GAP


def _label(number: int, name: str) -> str:
    return f" {number} {name.capitalize()} "
