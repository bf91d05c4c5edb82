"""Every key, on one page."""

from typing import ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from flconsole.tui.actions import Action, sections
from flconsole.tui.dialogs.dialog import Dialog
from flconsole.tui.keys import Keys
from flconsole.tui.style import BOLD, DIM

MOVING = "In a list: arrows, PgUp, PgDn, Home, End. In a dialog: arrows, Tab, Enter, Esc."
"""What needs no action."""


class Help(Dialog[None]):
    """The registry under its headings, with the keys in force.

    Args:
        keys: the registry's or the user's own.
    """

    DEFAULT_CSS = "Help > #dialog { width: 100; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,question_mark,f1,enter", "leave", show=False)]

    def __init__(self, keys: Keys) -> None:
        super().__init__("Keys")
        self._keys = keys

    def body(self) -> ComposeResult:
        yield Static(self._page())

    def on_mount(self) -> None:
        box = self.query_one("#dialog")
        box.can_focus = True
        box.focus()

    def _page(self) -> Group:
        parts: list[RenderableType] = [Text(MOVING, DIM)]
        for heading, actions in sections().items():
            parts += [Text(f"\n{heading}", BOLD), self._table(actions)]
        return Group(*parts)

    def _table(self, actions: tuple[Action, ...]) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=11)
        table.add_column(width=16)
        table.add_column(ratio=1)
        for action in actions:
            asks = " Asks first." if action.asks else ""
            table.add_row(self._keys.spelled(action), Text(action.title, BOLD), action.help + asks)
        return table
