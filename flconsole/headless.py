"""A run in the foreground without a screen: data on standard output, narration on standard error.

The supervisor has the main thread; another one follows the run's files, as any viewer does.
"""

import contextlib
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TextIO

from msgspec.structs import replace

from engine.config import RunConfig
from engine.errors import EngineError, RunDirectoryBusy
from flconsole.feed import Record, RunFeed
from flconsole.fold import fold
from flconsole.narration import describe, progress, summary
from flconsole.state import RunState
from flconsole.text import visible

_POLL_S = 0.1
_REFRESH_HZ = 4.0
ROUNDS_KEPT = 100


class Display(Protocol):
    """Shows records as they come."""

    def show(self, record: Record, state: RunState) -> None:
        """One more record, already folded into the state."""

    def close(self) -> None:
        """Nothing more will come."""


class PlainLines:
    """One line for each round and each noteworthy event."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, record: Record, state: RunState) -> None:
        line = describe(record.event, state)
        if line is not None:
            _write_line(self._stream, line)

    def close(self) -> None:
        self._stream.flush()


class LiveLine:
    """The same lines on a terminal, and below them one that is redrawn in place."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415  # 80 ms that only a terminal needs
        from rich.live import Live  # noqa: PLC0415

        self._state = RunState()
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(
            get_renderable=lambda: progress(self._state),
            console=self._console,
            refresh_per_second=_REFRESH_HZ,
            transient=True,
        )
        self._live.start()

    def show(self, record: Record, state: RunState) -> None:
        self._state = state
        line = describe(record.event, state)
        if line is not None:
            self._console.print(line)

    def close(self) -> None:
        self._live.stop()


class JsonLines:
    """The lines of both event files, unchanged, beside what another display tells people."""

    def __init__(self, stream: TextIO, beside: Display) -> None:
        self._stream, self._beside = stream, beside

    def show(self, record: Record, state: RunState) -> None:
        line = record.line.decode("utf-8", "replace")
        _write_line(self._stream, visible(line) if self._stream.isatty() else line)
        self._beside.show(record, state)

    def close(self) -> None:
        self._beside.close()


class Narrator:
    """Follows a run from now on and shows what is recorded; what was recorded before is folded in silence.

    Args:
        run_dir: the run directory.
        display: where it is shown. One that cannot be written to any more ends the narration, not the run.
    """

    def __init__(self, run_dir: Path, display: Display) -> None:
        self._feed = RunFeed(run_dir, samples=False)
        self._display = display
        self.state = RunState()
        for record in self._feed.read_all():
            self.state = fold(self.state, record.envelope, record.event)
        self.state = without_old_rounds(self.state)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._narrate, name="narrator", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Shows what is still to be shown."""
        self._ended.set()
        self._thread.join()
        self._feed.close()

    def _narrate(self) -> None:
        showing = True
        while True:
            last = self._ended.wait(_POLL_S)
            for record in self._feed.read():
                self.state = without_old_rounds(fold(self.state, record.envelope, record.event))
                showing = showing and self._show(record)
            if last:
                with contextlib.suppress(OSError):
                    self._display.close()
                return

    def _show(self, record: Record) -> bool:
        try:
            self._display.show(record, self.state)
        except OSError:  # the reader of our output has gone; the run has not
            return False
        return True


def without_old_rounds(state: RunState) -> RunState:
    """The state of a run that may have any number of rounds, in memory that does not grow with them.

    Kept are the newest rounds, and the newest one that was evaluated.
    """
    if len(state.history) <= 2 * ROUNDS_KEPT:
        return state
    evaluated = (n for n, end in reversed(state.history.items()) if end.accuracy is not None)
    kept = {*sorted(state.history)[-ROUNDS_KEPT:], next(evaluated, state.rounds_done)}
    return replace(
        state,
        history={n: end for n, end in state.history.items() if n in kept},
        round_ends={n: end for n, end in state.round_ends.items() if n in kept},
        staleness={n: of for n, of in state.staleness.items() if n in kept},
    )


def run_headless(config: RunConfig, run_dir: Path, *, resumed: bool, json: bool) -> int:
    """Runs the federation in this process until it has ended.

    Returns:
        The exit code.

    Raises:
        EngineError: the supervisor could not do its work; the run's log has the traceback.
    """
    from flconsole.supervisor.supervisor import run_supervisor  # noqa: PLC0415  # asyncio, for those who need it

    narrator = Narrator(run_dir, _display(json=json))
    goes_on_elsewhere = False
    try:
        with _traceback_in_log(run_dir):
            return run_supervisor(config, run_dir, resumed=resumed)
    except RunDirectoryBusy:
        goes_on_elsewhere = True
        raise
    finally:
        narrator.close()
        if not goes_on_elsewhere:
            with contextlib.suppress(OSError):
                _write_line(sys.stderr, "\n".join(summary(narrator.state, run_dir)))


def _write_line(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


def _display(*, json: bool) -> Display:
    if json:
        return JsonLines(sys.stdout, PlainLines(sys.stderr))
    return LiveLine(sys.stderr) if sys.stderr.isatty() else PlainLines(sys.stderr)


@contextlib.contextmanager
def _traceback_in_log(run_dir: Path) -> Iterator[None]:
    """People get one line; whoever looks for the cause finds it in the run's log."""
    try:
        yield
    except RunDirectoryBusy:  # whose log that is
        raise
    except EngineError:
        with (
            contextlib.suppress(OSError),
            (run_dir / "logs" / "supervisor.log").open("a", encoding="utf-8") as log,
        ):
            traceback.print_exc(file=log)
        raise
