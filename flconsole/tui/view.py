"""What every pane of the console is given to draw, and where it comes from."""

from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from engine.config import RunConfig
from flconsole.player import Playhead
from flconsole.snapshot import Snapshot


class Liveness(StrEnum):
    """Whether what is shown still goes on."""

    RUNNING = "running"
    """A supervisor runs it now."""
    ENDED = "ended"
    """Its last line is written."""
    GONE = "gone"
    """No supervisor, and no last line: it was killed. It can be resumed."""
    REPLAY = "replay"


class View(msgspec.Struct, frozen=True):
    """A run as it is to be drawn: immutable, so any thread may have made it."""

    run_dir: Path
    config: RunConfig
    snapshot: Snapshot
    now: float
    """The moment shown, in wall-clock seconds since the epoch; in a replay, the playhead's."""
    liveness: Liveness
    loading: float | None = None
    """Share of the history read so far; None once it is read."""
    error: str = ""
    """Why nothing newer can be shown, fit for a terminal; empty while all is well."""
    playhead: Playhead | None = None
    """Where a replay stands; None where it is none, or is not there yet."""

    @property
    def as_of(self) -> float:
        """What ages count from: `now` of a run that goes on or is replayed, else its last record."""
        if self.liveness in (Liveness.RUNNING, Liveness.REPLAY):
            return self.now
        recorded_at = self.snapshot.state.recorded_at
        return self.now if recorded_at is None else recorded_at


class Source(Protocol):
    """Follows a run and has its newest view at hand. Threads of its own do the work; nothing here blocks."""

    @property
    def run_dir(self) -> Path: ...

    def view(self) -> View:
        """The newest view. The same `snapshot` object as before means that nothing was recorded since."""

    def close(self) -> None:
        """Ends its threads."""


class Shows(Protocol):
    """A part of the screen that draws views."""

    def show(self, view: View) -> None:
        """Draws what has changed. Called about once a second, and only while it can be seen."""
