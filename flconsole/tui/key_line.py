"""The last line: what can be done here and now, as much of it as there is room for, and always the help."""

from typing import NamedTuple

from rich.style import Style
from rich.text import Text
from textual.dom import DOMNode
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget

from flconsole.tui.keys import spell
from flconsole.tui.style import DIM, PLAIN

_KEY = Style(color="cyan", bold=True)
_GAP = 2


class _Item(NamedTuple):
    key: str
    title: str
    action: str
    node: DOMNode
    enabled: bool

    @property
    def width(self) -> int:
        return len(self.key) + 1 + len(self.title)


class KeyLine(Widget):
    """One row with the keys of the pane that has the focus, then those that work everywhere."""

    DEFAULT_CSS = "KeyLine { height: 1; }"

    def __init__(self) -> None:
        super().__init__(id="key-line")
        self._items: list[_Item] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._take)

    def _take(self, screen: Screen[object]) -> None:
        items: dict[str, _Item] = {}
        for node, binding, enabled, _tooltip in screen.active_bindings.values():
            if binding.show and binding.action not in items:
                title = binding.description
                items[binding.action] = _Item(spell(binding.key), title, binding.action, node, enabled)
        if list(items.values()) != self._items:
            self._items = list(items.values())
            self.refresh()

    @property
    def _shown(self) -> list[_Item]:
        """Those that fit, and the help, which leads to the others."""
        pinned = [item for item in self._items if item.action == "help"]
        room = self.size.width - sum(item.width + _GAP for item in pinned)
        shown = []
        for item in self._items:
            if item in pinned:
                continue
            room -= item.width + _GAP
            if room < -_GAP:
                break
            shown.append(item)
        return shown + pinned

    def render(self) -> Text:
        line = Text(no_wrap=True, end="")
        for item in self._shown:
            line.append(item.key, _KEY if item.enabled else DIM)
            line.append(f" {item.title}" + " " * _GAP, PLAIN if item.enabled else DIM)
        line.rstrip()
        return line

    async def on_click(self, event: Click) -> None:
        x = event.x
        for item in self._shown:
            if 0 <= x < item.width:
                await self.app.run_action(item.action, item.node)
            x -= item.width + _GAP
