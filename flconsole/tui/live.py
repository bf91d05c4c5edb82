"""Follows a run that goes on, or has ended: one thread reads its files and folds them."""

import threading
import time
from pathlib import Path

import msgspec
from msgspec.structs import replace

from engine.config import RunConfig
from engine.errors import EngineError, RunDirectoryError
from flconsole.feed import PIECE_BYTES, RunFeed
from flconsole.runs import CONFIG_NAME, is_alive
from flconsole.snapshot import Snapshot, advance_all
from flconsole.text import visible
from flconsole.tui.view import Liveness, View

_POLL_S = 0.25
_LIVENESS_S = 0.5
_BREATH_S = 0.001
"""Between two pieces of a history: the thread that draws gets the interpreter."""


class _Seen(msgspec.Struct, frozen=True):
    """What the thread has found, handed over whole."""

    snapshot: Snapshot = Snapshot()
    is_alive: bool = False
    loading: float | None = 0.0
    error: str = ""


class LiveSource:
    """The newest view of a run directory.

    Args:
        run_dir: the run directory.

    Raises:
        ConfigError: its `config.toml` cannot be read.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._config = RunConfig.load(run_dir / CONFIG_NAME)
        self._seen = _Seen(is_alive=is_alive(run_dir))
        self._bytes_read = 0
        self._look_at = 0.0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    def view(self) -> View:
        seen = self._seen
        return View(
            run_dir=self.run_dir,
            config=self._config,
            snapshot=seen.snapshot,
            now=time.time(),
            liveness=_liveness(seen),
            loading=seen.loading,
            error=seen.error,
        )

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001  # no bug may freeze the screen without a word
            self._seen = replace(self._seen, error=error_line(error))

    def _follow(self) -> None:
        with RunFeed(self.run_dir) as feed:
            while not self._closed.is_set():
                try:
                    self._seen = self._look(feed)
                except (EngineError, OSError) as error:  # a disk that comes back is read again
                    self._seen = replace(self._seen, error=visible(str(error)))
                self._closed.wait(_BREATH_S if feed.is_behind and not self._seen.error else _POLL_S)

    def _look(self, feed: RunFeed) -> _Seen:
        """Whether it is supervised is asked before its files are read to the end: they have its last line."""
        alive = self._seen.is_alive
        if time.monotonic() >= self._look_at:
            if not self.run_dir.is_dir():
                raise RunDirectoryError(f"{self.run_dir}: the run directory is not there any more")
            alive = is_alive(self.run_dir)
            self._look_at = time.monotonic() + _LIVENESS_S
        records = feed.read(PIECE_BYTES)
        self._bytes_read += sum(len(record.line) + 1 for record in records)
        whole = max(1, self._bytes_read + feed.bytes_left)
        loading = self._bytes_read / whole if feed.is_behind else None
        return _Seen(advance_all(self._seen.snapshot, records), alive, loading)


def _liveness(seen: _Seen) -> Liveness:
    """A run whose last line is written has ended, although its supervisor is seen for a moment longer."""
    if seen.is_alive and (seen.snapshot.state.outcome is None or seen.loading is not None):
        return Liveness.RUNNING
    if seen.loading is None and seen.snapshot.state.outcome is None:
        return Liveness.GONE
    return Liveness.ENDED


def error_line(error: Exception) -> str:
    """An error of this program in one line: what and where."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
    return visible(f"the run is not followed any more: {type(error).__name__}: {error}{where}")
