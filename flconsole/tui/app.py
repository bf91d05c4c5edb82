"""The console's application: signals, keys, and the screen of a run."""

import asyncio
import signal

from textual.app import App

from flconsole.tui.keys import Keys
from flconsole.tui.run_screen import RunScreen
from flconsole.tui.view import Source


class ConsoleApp(App[int]):
    """Shows one run. Ends with an exit code; the run does not notice.

    Args:
        source: where the run is followed; closed at the end.
        read_only: refuse whatever would change the run.
        keys: the keys in force.
    """

    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "flconsole"

    def __init__(self, source: Source, *, read_only: bool = False, keys: Keys | None = None) -> None:
        super().__init__()
        self.source, self.read_only = source, read_only
        self.keys = keys or Keys()
        self.set_keymap(self.keys.keymap())

    def get_default_screen(self) -> RunScreen:
        return RunScreen(self.source, read_only=self.read_only, keys=self.keys)

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(signum, self.exit, 128 + signum)

    def on_unmount(self) -> None:
        self.source.close()
