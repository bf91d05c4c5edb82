"""One line of input above the footer: searching and filtering, as pagers and editors do it."""

from collections.abc import Callable

from textual import on
from textual.containers import Horizontal
from textual.events import Key
from textual.widget import Widget
from textual.widgets import Input, Label


class Prompt(Horizontal):
    """Not there until it is asked for; Enter accepts, Escape leaves everything as it was."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt Label { width: auto; padding-right: 1; }
    Prompt Input { border: none; height: 1; padding: 0; width: 1fr; background: transparent; }
    """

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self._changed: Callable[[str], None] = lambda _value: None
        self._done: Callable[[str | None], None] = lambda _value: None
        self._came_from: Widget | None = None

    def ask(
        self, label: str, value: str, *, changed: Callable[[str], None], done: Callable[[str | None], None]
    ) -> None:
        """Opens it.

        Args:
            label: what stands before the line, for example `/`.
            value: what the line holds at first.
            changed: called with the line after each key.
            done: called once, with the line, or with None after Escape.
        """
        self._changed, self._done, self._came_from = changed, done, self.screen.focused
        self.remove_children()
        line = Input(value, compact=True, select_on_focus=False)
        self.mount(Label(label, markup=False), line)
        self.display = True
        line.focus()

    @on(Input.Changed)
    def _tell(self, event: Input.Changed) -> None:
        event.stop()
        self._changed(event.value)

    @on(Input.Submitted)
    def _accept(self, event: Input.Submitted) -> None:
        event.stop()
        self._close(event.value)

    def on_key(self, event: Key) -> None:
        if event.key == "escape":
            event.stop()
            self._close(None)

    def _close(self, value: str | None) -> None:
        self.display = False
        self.remove_children()
        if self._came_from is not None:
            self._came_from.focus()
        self._done(value)
