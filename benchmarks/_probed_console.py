"""The console as it is, beside a task that notes how late the event loop comes back to it.

`python -m benchmarks._probed_console RUN_DIR FILE` writes the delays, in milliseconds, when one leaves.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import ClassVar

from flconsole.console import open_console
from flconsole.tui import app

_PERIOD_S = 0.01


class ProbedApp(app.ConsoleApp):
    """The real application, and one task more."""

    CSS_PATH = str(Path(app.__file__).with_name("console.tcss"))
    delays_ms: ClassVar[list[float]] = []

    def on_load(self) -> None:
        self._probe = asyncio.create_task(self._note_delays())

    async def _note_delays(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + _PERIOD_S
            await asyncio.sleep(_PERIOD_S)
            self.delays_ms.append(1000 * (clock() - due))


def main() -> None:
    """Opens the console; see the module."""
    run_dir, result = map(Path, sys.argv[1:])
    app.ConsoleApp = ProbedApp  # type: ignore[misc]  # whoever opens the console opens this one
    open_console(run_dir, read_only=True)
    result.write_text(json.dumps(ProbedApp.delays_ms), encoding="utf-8")


if __name__ == "__main__":
    main()
