"""Follows a run that goes on, or has ended: one thread reads its files and folds them."""

import threading
import time
from pathlib import Path

from engine.config import RunConfig
from flconsole.feed import RunFeed
from flconsole.runs import CONFIG_NAME, is_alive
from flconsole.snapshot import Snapshot, advance_all
from flconsole.tui.view import Liveness, View

_POLL_S = 0.25
_LIVENESS_S = 1.0


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
        self._snapshot = Snapshot()
        self._alive = is_alive(run_dir)
        self._loading: float | None = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="feed", daemon=True)
        self._thread.start()

    def view(self) -> View:
        snapshot = self._snapshot
        return View(
            self.run_dir, self._config, snapshot, time.time(), self._liveness(snapshot), self._loading
        )

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _liveness(self, snapshot: Snapshot) -> Liveness:
        if self._alive:
            return Liveness.RUNNING
        if self._loading is None and snapshot.state.outcome is None:
            return Liveness.GONE
        return Liveness.ENDED

    def _follow(self) -> None:
        look_at = 0.0
        with RunFeed(self.run_dir) as feed:
            while not self._ended.is_set():
                if time.monotonic() >= look_at:
                    look_at = time.monotonic() + _LIVENESS_S
                    self._alive = is_alive(self.run_dir)
                self._snapshot = advance_all(self._snapshot, feed.read())
                self._loading = None
                self._ended.wait(_POLL_S)
