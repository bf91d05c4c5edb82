"""Dialogs with lines to fill in."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from engine.errors import ConfigError
from flconsole.tui.dialogs.dialog import Dialog
from flconsole.tui.prompt_line import WrittenLine
from flconsole.tui.style import BAD, DIM

Result = TypeVar("Result")
_LONGEST = 32
"""Characters of a value; a paste may be a whole file."""


class Line(NamedTuple):
    """One line to fill in."""

    name: str
    label: str
    value: str
    """What it holds at first."""
    hint: str
    """What may be written there."""


class Form(Dialog[Result], Generic[Result]):
    """Lines to fill in: the arrows and Tab go from one to the next, Enter accepts them all.

    Args:
        title: what it is about.
        lines: what is asked.
        note: what to know beside it; empty for nothing.
    """

    DEFAULT_CSS = """
    Form .line { height: auto; }
    Form .line .label { width: 12; }
    Form .line Input { width: 14; height: 1; border: none; border-left: ascii $accent; padding: 0; }
    Form .line .hint { width: 1fr; padding-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[Line], *, note: str = "") -> None:
        super().__init__(title)
        self._lines, self._note = lines, note

    def accept(self, values: Mapping[str, str]) -> Result:
        """The result that the lines make, by their names and without spaces around them.

        Raises:
            ConfigError: shown below the lines, which stay as they are.
        """
        raise NotImplementedError

    def body(self) -> ComposeResult:
        for line in self._lines:
            with Horizontal(classes="line"):
                yield Static(Text(line.label), classes="label")
                yield WrittenLine(line.value, id=line.name)
                yield Static(Text(line.hint, DIM), classes="hint")
        if self._note:
            yield Static(Text(f"\n{self._note}"))
        yield Static(id="problem")
        yield Static(Text("\nEnter accepts, Esc leaves everything as it is", DIM))

    @on(Input.Submitted)
    def _accept(self) -> None:
        try:
            result = self.accept({line.name: self._written(line) for line in self._lines})
        except ConfigError as error:
            self.query_one("#problem", Static).update(Text(f"\n{error}", BAD))
        else:
            self.dismiss(result)

    def _written(self, line: Line) -> str:
        value = self.query_one(f"#{line.name}", Input).value.strip()
        if len(value) > _LONGEST:
            raise ConfigError(f"{line.label}: that is too long")
        return value
