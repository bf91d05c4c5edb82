"""Why a process failed, in its own words."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from flconsole.failures import Suspect
from flconsole.text import visible
from flconsole.tracebacks import Excerpt
from flconsole.tui.dialogs.dialog import Dialog
from flconsole.tui.style import BAD, BOLD, DIM, PLAIN


class TracebackDialog(Dialog[None]):
    """A traceback, or the last words of a process, to scroll through. It opens at the exception: the end.

    Args:
        suspect: the process.
        excerpt: what its log says.
    """

    DEFAULT_CSS = """
    TracebackDialog > #dialog { width: 100%; overflow: hidden; }
    TracebackDialog #sentence { max-height: 4; }
    TracebackDialog #traceback { height: auto; max-height: 75vh; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("t,q,enter", "leave", show=False)]

    def __init__(self, suspect: Suspect, excerpt: Excerpt) -> None:
        super().__init__("")
        self._suspect, self._excerpt = suspect, excerpt

    def body(self) -> ComposeResult:
        if self._suspect.sentence:
            yield Static(Text(self._suspect.sentence, style=BOLD), id="sentence")
        with VerticalScroll(id="traceback"):
            yield Static(Text("\n").join(map(_line, self._excerpt.lines or ["it wrote nothing"])))

    def on_mount(self) -> None:
        what = "first traceback" if self._excerpt.is_traceback else "no traceback; its last lines"
        title = f"{self._suspect.process}: {what} · {self._suspect.log} · Esc closes"
        self.query_one("#dialog").border_title = Content(visible(title))
        scroll = self.query_one("#traceback", VerticalScroll)
        scroll.focus()
        scroll.scroll_end(animate=False)


def _line(line: str) -> Text:
    """A line of a traceback: the exceptions stand out, where they came by stands back."""
    if line.startswith((" ", "|", "+")) or not line:
        return Text(line, style=DIM if line.lstrip().startswith(("File ", "^", "~")) else PLAIN)
    return Text(line, style=BAD)
