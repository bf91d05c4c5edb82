"""Says who is still alive while a run is being stopped."""

import asyncio
import contextlib
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from engine.errors import EngineError
from flconsole.figures import seconds
from flconsole.runs import is_alive
from flconsole.supervisor.client import connect
from flconsole.tui.background import in_thread
from flconsole.tui.dialogs.dialog import Dialog
from flconsole.tui.style import BAD, DIM

_LOOK_S = 0.5


class Stopping(Dialog[bool]):
    """The processes that have not ended yet; the result is True once all have.

    Args:
        run_dir: the run that is being stopped.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("K", "kill", show=False)]

    def __init__(self, run_dir: Path) -> None:
        super().__init__("Stopping the run")
        self._run_dir = run_dir
        self._supervisor: int | None = None

    def body(self) -> ComposeResult:
        yield Static(Text("asking who is still alive"), id="alive")
        yield Static(Text("\nK kills them all at once, Esc waits no longer: the run goes on stopping", DIM))

    def on_mount(self) -> None:
        self._watch()

    @work
    async def _watch(self) -> None:
        while True:
            try:
                self._show(await in_thread(partial(_status, self._run_dir)))
            except EngineError as error:
                if not await in_thread(partial(is_alive, self._run_dir)):
                    self.dismiss(True)
                    return
                self.query_one("#alive", Static).update(Text(str(error), BAD))
            await asyncio.sleep(_LOOK_S)

    def _show(self, status: dict[str, Any]) -> None:
        self._supervisor = status["pid"]
        alive = [process for process in status["processes"] if process["pid"]]
        lines = [
            f"{process['name']:<14} pid {process['pid']:<8} up {seconds(process['uptime_s'])}"
            for process in alive
        ]
        heading = "Still alive:" if alive else "All processes have ended."
        self.query_one("#alive", Static).update(Text("\n".join([heading, *lines])))

    def action_kill(self) -> None:
        """A supervisor that is stopping takes a signal as impatience, and kills whoever is left."""
        if self._supervisor is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._supervisor, signal.SIGTERM)


def _status(run_dir: Path) -> dict[str, Any]:
    with connect(run_dir, timeout_s=3.0) as supervisor:
        return supervisor.request("status").data
