"""The lines that an operator writes in, imported when one is asked for: not on the way to the first frame."""

import string
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key
from textual.widgets import Input

MAX_LENGTH = 500
_PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "


def _typed(character: str) -> Binding:
    key = {",": "comma", " ": "space"}.get(character, character)
    return Binding(key, f"type({ord(character)})", show=False)


class WrittenLine(Input):
    """One line of text.

    Letters are bindings here, like Enter and Backspace: what comes all at once, as over a slow line, then
    keeps its order, also where a letter was first sent to what had the focus before this line.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*map(_typed, _PRINTABLE)]

    def on_key(self, event: Key) -> None:
        """Keeps Textual's line from taking a letter before the bindings that came earlier have run."""
        if event.character is not None and event.character in _PRINTABLE:
            event.prevent_default()

    def action_type(self, code: int) -> None:
        """Writes a character in place of what is selected."""
        self.replace(chr(code), *sorted(self.selection))


class PromptLine(WrittenLine):
    """The line of the prompt."""

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False, max_length=MAX_LENGTH)
        self.cursor_blink = False  # or an idle prompt keeps the connection busy
