"""The console's application: the screen of a run, and how it is left."""

import signal

from textual.binding import Binding
from textual.events import Key

from flconsole.text import visible
from flconsole.tui.actions import BY_NAME
from flconsole.tui.driver import ConsoleDriver
from flconsole.tui.keys import Keys
from flconsole.tui.run_screen import RunScreen
from flconsole.tui.terminal import Terminal
from flconsole.tui.terminal_app import TerminalApp
from flconsole.tui.view import Source


class ConsoleApp(TerminalApp[int]):
    """Shows one run. Ends with an exit code; the run does not notice.

    Args:
        source: where the run is followed; closed at the end.
        read_only: refuse whatever would change the run.
        keys: the keys in force.
        terminal: what the terminal can.
    """

    CSS_PATH = "console.tcss"
    BINDINGS = [Binding("ctrl+c", "help_quit", show=False, system=True)]  # noqa: RUF012  # as Textual declares it

    def __init__(
        self,
        source: Source,
        *,
        read_only: bool = False,
        keys: Keys | None = None,
        terminal: Terminal | None = None,
    ) -> None:
        super().__init__(terminal)
        self.source, self.read_only = source, read_only
        self.keys = keys or Keys()
        self.set_keymap(self.keys.keymap())

    def get_default_screen(self) -> RunScreen:
        return RunScreen(self.source, read_only=self.read_only, keys=self.keys)

    # --- the terminal

    @property
    def low_bandwidth(self) -> bool:
        return self.terminal.low_bandwidth

    @property
    def is_behind(self) -> bool:
        return isinstance(self._driver, ConsoleDriver) and self._driver.is_behind

    def call_operator(self, what: str) -> None:
        self.bell()
        self.show_title(f"{what} - {self._run}")

    @property
    def _run(self) -> str:
        host = f" on {self.terminal.host}" if self.terminal.host else ""
        return visible(self.source.run_dir.name) + host

    # --- keys

    async def on_key(self, event: Key) -> None:
        """Comes after everybody else: only here it is known that nobody takes a key that was typed ahead."""
        event.prevent_default()
        if not await self._check_bindings(event.key) and isinstance(self.screen, RunScreen):
            self.screen.refuse(event.key)

    # --- how it ends

    def on_mount(self) -> None:
        self.show_title(f"{self.TITLE} {self._run}")
        if self.terminal.host and self.low_bandwidth:
            self.notify("over SSH less is drawn; `ssh -C` saves most of its bytes")

    def on_unmount(self) -> None:
        self.source.close()

    def end_by(self, signum: signal.Signals) -> None:
        self.exit(128 + signum)

    def action_help_quit(self) -> None:
        detach, leave = (self.keys.spelled(BY_NAME[name]) for name in ("detach", "quit"))
        self.notify(f"{detach} detaches, and the run goes on; {leave} asks")
