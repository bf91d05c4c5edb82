"""The console over one moment of a run: nothing moves, so that what it shows can be kept and compared."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from textual.pilot import Pilot

from engine.config import RunConfig
from flconsole.feed import RunFeed
from flconsole.runs import CONFIG_NAME
from flconsole.snapshot import Snapshot, advance_all
from flconsole.tui.app import ConsoleApp
from flconsole.tui.view import Liveness, Source, View

_SETTLED_LOOKS = 6
_LOOK_S = 0.1
_MOST_LOOKS = 200
Result = TypeVar("Result")


class Still:
    """The source of a console that shows what a run's files tell, up to one moment.

    Args:
        run_dir: the run directory.
        liveness: what the run is said to be.
        until: the moment, in wall-clock seconds since the epoch; None for the last one recorded.
    """

    def __init__(self, run_dir: Path, liveness: Liveness, *, until: float | None = None) -> None:
        self.run_dir, self._liveness = run_dir, liveness
        self._config = RunConfig.load(run_dir / CONFIG_NAME)
        with RunFeed(run_dir) as feed:
            records = [r for r in feed.read() if until is None or r.envelope.ts <= until]
        self._snapshot = advance_all(Snapshot(), records)
        self._now = until or records[-1].envelope.ts

    def view(self) -> View:
        return View(self.run_dir, self._config, self._snapshot, self._now, self._liveness)

    def close(self) -> None:
        pass


def take(
    source: Source,
    size: tuple[int, int],
    keys: Sequence[str],
    take: Callable[[ConsoleApp], Result],
) -> Result:
    """Opens the console, presses keys, and takes something from it once nothing changes any more.

    Args:
        source: what it shows.
        size: columns and rows.
        keys: by Textual's names.
        take: is given the application.
    """

    async def run() -> Result:
        app = ConsoleApp(source)
        async with app.run_test(size=size) as pilot:
            await _until_read(source, pilot)
            await pilot.press(*keys)
            await _settle(app, pilot)
            return take(app)

    return asyncio.run(run())


def text_of(app: ConsoleApp) -> str:
    """What is on the screen, without colours."""
    strips = app.screen._compositor.render_strips()  # noqa: SLF001  # there is no other way to it
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


async def _until_read(source: Source, pilot: Pilot[int]) -> None:
    for _ in range(_MOST_LOOKS):
        await pilot.pause(_LOOK_S)
        if source.view().loading is None:
            return
    raise TimeoutError("the run is never read to its end")


async def _settle(app: ConsoleApp, pilot: Pilot[int]) -> None:
    """Waits until the screen has been the same for some looks in a row."""
    seen, same = "", 0
    for _ in range(_MOST_LOOKS):
        await pilot.pause(_LOOK_S)
        now = text_of(app)
        seen, same = now, same + 1 if now == seen else 0
        if same >= _SETTLED_LOOKS:
            return
    raise TimeoutError(f"the screen never stands still:\n{seen}")
