"""One line of input above the footer: searching and filtering, as pagers and editors do it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import DescendantBlur
from textual.widget import Widget
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.widgets import Input

    from flconsole.tui.prompt_line import PromptLine

_REMEMBERED = 50


class Prompt(Horizontal):
    """Not there until it is asked for.

    Enter accepts; Escape, or going to another pane, leaves everything as it was. Up and Down bring back what
    was accepted under the same label before. While it is open, letters are text and nothing else.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt Static { width: auto; height: 1; }
    Prompt #prompt-label { max-width: 50%; padding-right: 1; }
    Prompt #prompt-trouble { max-width: 60%; padding-left: 1; color: ansi_red; }
    Prompt Input { border: none; height: 1; padding: 0; width: 1fr; background: transparent; }
    """

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self._changed: Callable[[str], str | None] = lambda _value: None
        self._done: Callable[[str | None], None] = lambda _value: None
        self._came_from: Widget | None = None
        self._label = ""
        self._history: dict[str, list[str]] = {}
        self._recalled: list[str] = []
        """What Up and Down go through: the history, and last what was typed."""
        self._place = 0

    def compose(self) -> ComposeResult:
        yield Static(id="prompt-label", markup=False)
        yield Static(id="prompt-trouble", markup=False)

    def ask(
        self,
        label: str,
        value: str,
        *,
        changed: Callable[[str], str | None],
        done: Callable[[str | None], None],
    ) -> None:
        """Opens it; a question that is still open counts as left with Escape.

        Args:
            label: what stands before the line, for example `/`. Each label has its own history.
            value: what the line holds at first.
            changed: called with the line whenever it is another; what it returns is shown beside the line, as
                what is wrong with it.
            done: called once, with the line, or with None after Escape.
        """
        if self.display:
            self._close(None)
        self._label, self._changed, self._done = label, changed, done
        self._came_from = self.screen.focused
        self._recalled = [*self._history.get(label, []), value]
        self._place = len(self._recalled) - 1
        self.query_one("#prompt-label", Static).update(label)
        self._complain(None)
        self.display = True
        line = self._line()
        with line.prevent(line.Changed):
            line.value = value
        line.cursor_position = len(value)
        self.screen.set_focus(line)  # at once: the next key may be there already

    def _line(self) -> "PromptLine":
        """The line itself, made when it is needed first."""
        from flconsole.tui.prompt_line import PromptLine  # noqa: PLC0415  # not on the way to the first frame

        for line in self.query(PromptLine):
            return line
        line = PromptLine()
        self.mount(line, after=0)
        return line

    # --- what is typed

    def on_input_changed(self, event: "Input.Changed") -> None:
        event.stop()
        if self.display:
            self._complain(self._changed(event.value))

    def on_input_submitted(self, event: "Input.Submitted") -> None:
        event.stop()
        self._close(event.value)

    def action_leave(self) -> None:
        self._close(None)

    def action_recall(self, step: int) -> None:
        line = self._line()
        if self._place == len(self._recalled) - 1:
            self._recalled[-1] = line.value
        self._place = max(0, min(self._place + step, len(self._recalled) - 1))
        line.value = self._recalled[self._place]
        line.cursor_position = len(line.value)

    def on_descendant_blur(self, _event: DescendantBlur) -> None:
        self.call_after_refresh(self._close_if_left)

    def _close_if_left(self) -> None:
        """Another widget has the focus now; nobody has it while the terminal's window lost it."""
        focused = self.screen.focused
        if self.display and focused is not None and self not in focused.ancestors:
            self._came_from = None
            self._close(None)

    # --- what follows from it

    def _complain(self, trouble: str | None) -> None:
        self.query_one("#prompt-trouble", Static).update(trouble or "")

    def _close(self, value: str | None) -> None:
        if not self.display:
            return
        self.display = False
        if value:
            kept = [old for old in self._history.get(self._label, []) if old != value]
            self._history[self._label] = [*kept, value][-_REMEMBERED:]
        if self._came_from is not None and self._came_from.is_attached:
            self.screen.set_focus(self._came_from)
        self._done(value)
