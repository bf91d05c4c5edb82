"""Every action by its name: type some letters of it, Enter does it."""

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.fuzzy import FuzzySearch
from textual.widgets import Input

from flconsole.tui.actions import ACTIONS, Action, section_of
from flconsole.tui.dialogs.dialog import Dialog
from flconsole.tui.keys import Keys
from flconsole.tui.line_view import LineView
from flconsole.tui.style import DIM

WhyNot = Callable[[Action], str]


def label(action: Action) -> str:
    """What the palette calls it, and what is searched."""
    return f"{section_of(action)}: {action.title}"


def find(query: str) -> list[Action]:
    """The actions whose label or name has the letters of the query in this order, the best first."""
    if not query:
        return list(ACTIONS)
    search = FuzzySearch()
    scores = {
        action.name: max(search.match(query, label(action))[0], search.match(query, action.name)[0])
        for action in ACTIONS
    }
    found = [action for action in ACTIONS if scores[action.name] > 0]
    return sorted(found, key=lambda action: -scores[action.name])


class Found(LineView):
    """The actions found, one a line; what cannot be done now is dim and says why.

    Args:
        keys: the keys in force.
        why_not: why an action cannot be done now; empty where it can.
    """

    can_focus = False
    DEFAULT_CSS = "Found { height: 1fr; }"

    def __init__(self, keys: Keys, why_not: WhyNot) -> None:
        super().__init__(id="found")
        self._keys, self._why_not = keys, why_not
        self.actions = find("")

    @property
    def num_lines(self) -> int:
        return len(self.actions)

    @property
    def shows_cursor(self) -> bool:
        return True

    def draw_line(self, index: int, width: int) -> Text:
        action = self.actions[index]
        reason = self._why_not(action)
        line = Text(f"{self._keys.spelled(action):<9.9} {label(action):<26.26} ")
        line.append(f"({reason})" if reason else action.help)
        line.stylize(DIM if reason else "")
        line.truncate(width)
        return line

    def search(self, query: str) -> None:
        self.actions = find(query)
        self.cursor = 0
        self.lines_changed()

    @property
    def chosen(self) -> Action | None:
        """The action with the cursor."""
        return self.actions[self.cursor] if self.actions else None


class Palette(Dialog[Action]):
    """Finds an action; the result is the one that was chosen, whether it can be done now or not.

    Args:
        keys: the keys in force.
        why_not: why an action cannot be done now; empty where it can.
    """

    DEFAULT_CSS = """
    Palette > #dialog { width: 100; height: 100%; max-height: 24; }
    Palette Input { height: 1; border: none; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
    ]

    def __init__(self, keys: Keys, why_not: WhyNot) -> None:
        super().__init__("Commands: type a part of the name, Enter does it")
        self._found = Found(keys, why_not)

    def body(self) -> ComposeResult:
        yield Input(compact=True)
        yield self._found

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._found.lines_changed()

    def action_move(self, step: int) -> None:
        self._found.move_cursor(self._found.cursor + step)

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        self._found.search(event.value.strip())

    @on(Input.Submitted)
    def _choose(self) -> None:
        if self._found.chosen is not None:
            self.dismiss(self._found.chosen)
