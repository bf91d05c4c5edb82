"""What all dialogs share: a box over the screen, left with Escape, and a row of answers to choose from."""

from collections.abc import Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Key
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from flconsole.tui.style import BOLD

Result = TypeVar("Result")


class Answer(NamedTuple):
    """One of the answers to a question."""

    name: str
    label: str
    key: str
    """The key that gives it at once."""


class Answers(Widget, can_focus=True):
    """A row of answers. The arrows and Tab move along it, Enter gives the one in brackets.

    At first that is the first one. Brackets tell it where there are no colours.
    """

    DEFAULT_CSS = """
    Answers { height: auto; width: 100%; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up,shift+tab", "move(-1)", show=False),
        Binding("right,down,tab", "move(1)", show=False),
        Binding("enter", "give", show=False),
    ]

    class Given(Message):
        """The operator has answered."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, answers: Sequence[Answer]) -> None:
        super().__init__()
        self._answers, self._current = answers, 0

    def render(self) -> Text:
        row = Text()
        for index, answer in enumerate(self._answers):
            label = f"{answer.label} ({answer.key})"
            if index == self._current:
                row.append(f"[ {label} ]  ", BOLD)
            else:
                row.append(f"  {label}    ")
        row.rstrip()
        return row

    def action_move(self, step: int) -> None:
        self._current = (self._current + step) % len(self._answers)
        self.refresh()

    def action_give(self) -> None:
        self.post_message(self.Given(self._answers[self._current].name))

    def on_key(self, event: Key) -> None:
        for answer in self._answers:
            if event.key == answer.key:
                event.stop()
                self.post_message(self.Given(answer.name))


class Dialog(ModalScreen[Result | None], Generic[Result]):
    """A question or a form over the screen. Its result is None where it was left with Escape.

    Args:
        title: what it is about, written into its border.
    """

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > #dialog {
        width: 72; max-width: 96%; height: auto; max-height: 100%;
        border: solid $accent; padding: 0 1; background: $surface; scrollbar-size-vertical: 1;
    }
    Dialog Static { width: 100%; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="dialog", can_focus=False) as box:
            box.border_title = self._title
            yield from self.body()

    def body(self) -> ComposeResult:
        """The widgets inside the box."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Answers for the screen below, whose footer is still seen: its bindings mean it by `screen`."""
        stack = self.app.screen_stack
        return stack[stack.index(self) - 1].check_action(action, parameters)

    def action_leave(self) -> None:
        self.dismiss(None)


class Question(Dialog[str]):
    """Some words and a row of answers; the result is the name of the answer.

    Args:
        title: what it is about.
        text: what is asked; may hold any characters.
        answers: the harmless one first.
    """

    def __init__(self, title: str, text: str, answers: Sequence[Answer]) -> None:
        super().__init__(title)
        self._text, self._answers = text, answers

    def body(self) -> ComposeResult:
        yield Static(Text(self._text))
        yield Answers(self._answers)

    @on(Answers.Given)
    def _answer(self, event: Answers.Given) -> None:
        self.dismiss(event.name)
