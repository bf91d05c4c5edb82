"""Plays a recorded run: one thread reads it, keeps the time and obeys the operator."""

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from engine.config import RunConfig
from engine.errors import EngineError
from flconsole.player import Move, Player
from flconsole.replay import ReplayIndex
from flconsole.runs import CONFIG_NAME
from flconsole.snapshot import Snapshot
from flconsole.text import visible
from flconsole.tui.live import error_line
from flconsole.tui.view import Liveness, View

_TICK_S = 0.1
_BREATH_S = 0.001
"""Between two pieces of a run that is read: the thread that draws gets the interpreter."""


class ReplaySource:
    """The view at the playhead of a recorded run. It plays as soon as the run is read.

    Args:
        run_dir: the run directory.
        clock: seconds that only grow.

    Raises:
        ConfigError: its `config.toml` cannot be read.
        RunDirectoryError: its files cannot be read.
    """

    def __init__(self, run_dir: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.run_dir, self._clock = run_dir, clock
        config = RunConfig.load(run_dir / CONFIG_NAME)
        self._index = ReplayIndex(run_dir)
        self._view = View(run_dir, config, Snapshot(), time.time(), Liveness.REPLAY, loading=0.0)
        self._moves: queue.SimpleQueue[Move] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._thread.start()

    def view(self) -> View:
        return self._view

    def do(self, move: Move) -> None:
        """Has the player make a move, once the run is read."""
        self._moves.put(move)

    def close(self) -> None:
        self._closed.set()
        self.do(lambda _player: None)  # whoever waits for a move goes on
        self._thread.join()
        self._index.close()

    def _run(self) -> None:
        try:
            self._read()
            self._play()
        except EngineError as error:
            self._view = replace(self._view, error=visible(str(error)))
        except Exception as error:  # noqa: BLE001  # no bug may freeze the screen without a word
            self._view = replace(self._view, error=error_line(error))

    def _read(self) -> None:
        for share in self._index.build():
            self._view = replace(self._view, loading=share)
            if self._closed.wait(_BREATH_S):
                return

    def _play(self) -> None:
        player = Player(self._index, self._clock)
        player.play()
        while not self._closed.is_set():
            player.advance()
            head = player.head
            self._view = replace(
                self._view, snapshot=player.snapshot, now=head.ts, playhead=head, loading=None
            )
            self._obey(player, _TICK_S if head.is_playing else None)

    def _obey(self, player: Player, timeout_s: float | None) -> None:
        """Waits for a move, and makes all that have come."""
        try:
            move = self._moves.get(timeout=timeout_s)
            while True:
                move(player)
                move = self._moves.get_nowait()
        except queue.Empty:
            return
