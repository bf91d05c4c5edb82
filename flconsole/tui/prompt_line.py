"""The line of the prompt itself, imported when it is asked for: it is not on the way to the first frame."""

import string
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

MAX_LENGTH = 500
_PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "


def _typed(character: str) -> Binding:
    key = {",": "comma", " ": "space"}.get(character, character)
    return Binding(key, f"type({ord(character)})", show=False)


class PromptLine(Input):
    """One line of text.

    Letters that reach the console together with the key that opened the prompt, as over a slow line, are sent
    to what had the focus before. They come back as bindings, and are letters here too.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*map(_typed, _PRINTABLE)]

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False, max_length=MAX_LENGTH)
        self.cursor_blink = False  # or an idle prompt keeps the connection busy

    def action_type(self, code: int) -> None:
        self.insert_text_at_cursor(chr(code))
