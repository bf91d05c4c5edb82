"""The console's application: how it looks, how it ends, and the screen of a run."""

import asyncio
import os
import signal
from collections.abc import Sequence
from functools import lru_cache

from rich.console import RenderableType
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.binding import Binding
from textual.color import Color
from textual.filter import LineFilter
from textual.scrollbar import ScrollBar

from flconsole.text import visible
from flconsole.tui.actions import BY_NAME
from flconsole.tui.ascii_filter import AsciiFilter, to_ascii
from flconsole.tui.driver import ConsoleDriver
from flconsole.tui.keys import Keys
from flconsole.tui.run_screen import RunScreen
from flconsole.tui.terminal import Colours, Terminal
from flconsole.tui.theme import THEME, GlyphScrollBar
from flconsole.tui.view import Source


class ConsoleApp(App[int], inherit_bindings=False):
    """Shows one run. Ends with an exit code; the run does not notice.

    Args:
        source: where the run is followed; closed at the end.
        read_only: refuse whatever would change the run.
        keys: the keys in force.
        terminal: what the terminal can.
    """

    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "flconsole"
    BINDINGS = [Binding("ctrl+c", "help_quit", show=False, system=True)]  # noqa: RUF012  # as Textual declares it

    def __init__(
        self,
        source: Source,
        *,
        read_only: bool = False,
        keys: Keys | None = None,
        terminal: Terminal | None = None,
    ) -> None:
        # later would be too late: the filters of the colours are chosen in there
        super().__init__(driver_class=ConsoleDriver, ansi_color=True)
        self.source, self.read_only = source, read_only
        self.terminal = terminal or Terminal()
        self.keys = keys or Keys()
        self.set_keymap(self.keys.keymap())
        self.register_theme(THEME)
        self.theme = THEME.name
        ScrollBar.renderer = GlyphScrollBar
        self._own_filters = _filters_for(self.terminal)
        self.is_terminal_gone = False

    @property
    def failure(self) -> Exception | None:
        """The unexpected error that ended the console."""
        return self._exception

    def get_default_screen(self) -> RunScreen:
        return RunScreen(self.source, read_only=self.read_only, keys=self.keys)

    # --- the terminal

    @property
    def low_bandwidth(self) -> bool:
        return self.terminal.low_bandwidth

    @property
    def is_behind(self) -> bool:
        return isinstance(self._driver, ConsoleDriver) and self._driver.is_behind

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._own_filters]

    def call_operator(self, what: str) -> None:
        self.bell()
        self._show_title(what)

    def draw_again(self) -> None:
        self.refresh(layout=True)

    def _show_title(self, news: str = "") -> None:
        if self.terminal.has_title and isinstance(self._driver, ConsoleDriver):
            run = visible(self.source.run_dir.name) + (
                f" on {self.terminal.host}" if self.terminal.host else ""
            )
            title = f"{news} - {run}" if news else f"{self.TITLE} {run}"
            self._driver.show_title(title if self.terminal.has_unicode else to_ascii(title))

    # --- how it ends

    def on_load(self) -> None:
        """Before the screen is taken, so that it is given back whenever a signal comes."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(signum, self.exit, 128 + signum)

    def on_mount(self) -> None:
        self._show_title()
        if self.terminal.host and self.low_bandwidth:
            self.notify("over SSH less is drawn; `ssh -C` saves most of its bytes", markup=False)

    def on_unmount(self) -> None:
        self.source.close()

    def terminal_gone(self) -> None:
        self.is_terminal_gone = True
        self.exit(128 + signal.SIGHUP)

    def fail(self, error: Exception) -> None:
        self._handle_exception(error)

    def panic(self, *renderables: RenderableType) -> None:  # noqa: ARG002  # the log has it all
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()

    def action_help_quit(self) -> None:
        detach, leave = (self.keys.spelled(BY_NAME[name]) for name in ("detach", "quit"))
        self.notify(f"{detach} detaches, and the run goes on; {leave} asks", markup=False)

    def action_suspend_process(self) -> None:
        """Gives the terminal back to the shell, which can bring the console back with `fg`."""
        if os.getpgrp() == os.getsid(0):  # nobody could
            self.notify("there is no shell to go back to", severity="warning", markup=False)
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
