"""How the console uses a terminal: its colours and glyphs, its signals, and how it is given back."""

import asyncio
import os
import signal
from collections.abc import Sequence
from functools import lru_cache
from typing import Generic, TypeVar

from rich.console import RenderableType
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.scrollbar import ScrollBar

from flconsole.text import visible
from flconsole.tui.ascii_filter import AsciiFilter, to_ascii
from flconsole.tui.driver import ConsoleDriver
from flconsole.tui.terminal import Colours, Terminal
from flconsole.tui.theme import THEME, GlyphScrollBar

Result = TypeVar("Result")

_ERROR_S = 15.0


class TerminalApp(App[Result], Generic[Result], inherit_bindings=False):
    """An application on whatever terminal there is.

    Args:
        terminal: what the terminal can.
    """

    ENABLE_COMMAND_PALETTE = False
    TITLE = "flconsole"

    def __init__(self, terminal: Terminal | None = None) -> None:
        # later would be too late: the filters of the colours are chosen in there
        super().__init__(driver_class=ConsoleDriver, ansi_color=True)
        self.terminal = terminal or Terminal()
        self.register_theme(THEME)
        self.theme = THEME.name
        ScrollBar.renderer = GlyphScrollBar
        self._own_filters = _filters_for(self.terminal)
        self.is_terminal_gone = False
        self._is_ready = False
        self._ending_signal: signal.Signals | None = None

    @property
    def failure(self) -> Exception | None:
        """The unexpected error that ended it."""
        return self._exception

    # --- the terminal

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._own_filters]

    def draw_again(self) -> None:
        """Draws all of the screen, whatever the terminal shows."""
        self.refresh(layout=True)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,  # noqa: ARG002  # Textual's own default, at every call, is the other one
    ) -> None:
        """Shows a notice, what went wrong for longer. It may hold any text: none of it is obeyed."""
        if timeout is None and severity == "error":
            timeout = _ERROR_S
        super().notify(visible(message), title=title, severity=severity, timeout=timeout, markup=False)

    def show_title(self, title: str) -> None:
        """Writes into the title of the terminal's window, where it has one; the text must be `visible`."""
        if self.terminal.has_title and isinstance(self._driver, ConsoleDriver):
            self._driver.show_title(title if self.terminal.has_unicode else to_ascii(title))

    # --- how it ends

    def on_load(self) -> None:
        """Before the screen is taken, so that it is given back whenever a signal comes."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(signum, self._signalled, signum)

    def on_ready(self) -> None:
        self._is_ready = True
        self.app_resume_signal.subscribe(
            self, lambda _app: self.draw_again()
        )  # another program drew meanwhile
        if self._ending_signal is not None:
            self.end_by(self._ending_signal)

    def _signalled(self, signum: signal.Signals) -> None:
        """Waits until all is mounted: what is taken down half built breaks. A second signal does not wait."""
        if self._is_ready or self._ending_signal is not None:
            self.end_by(signum)
        self._ending_signal = signum

    def end_by(self, signum: signal.Signals) -> None:
        """Ends because of a signal."""
        raise NotImplementedError

    def terminal_gone(self) -> None:
        self.is_terminal_gone = True
        self._signalled(signal.SIGHUP)

    def fail(self, error: Exception) -> None:
        self._handle_exception(error)

    def panic(self, *renderables: RenderableType) -> None:  # noqa: ARG002  # whoever runs it tells
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()

    def action_suspend_process(self) -> None:
        """Gives the terminal back to the shell, which can bring the console back with `fg`."""
        if os.getpgrp() == os.getsid(0):  # nobody could
            self.notify("there is no shell to go back to", severity="warning")
            return
        self._suspend_signal()
        os.killpg(os.getpgrp(), signal.SIGTSTP)  # all of the job, or its shell would not know


class _WithoutColours(LineFilter):
    """Leaves bold, reverse and the like; Textual's own filter still names the default colours."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  # Textual's
        return [Segment(text, style and _without_colour(style), control) for text, style, control in segments]


@lru_cache(1024)
def _without_colour(style: Style) -> Style:
    return style.without_color


def _filters_for(terminal: Terminal) -> list[LineFilter]:
    filters: list[LineFilter] = []
    if terminal.colours is Colours.NONE:
        filters.append(_WithoutColours())
    if not terminal.has_unicode:
        filters.append(AsciiFilter())
    return filters
