"""A recorded run as a film: an index to go anywhere in it, and a player that moves through it. No Textual.

The index keeps a snapshot every so many records and where in the files it was taken. To go somewhere, the
records since the nearest snapshot before are read and folded again; so memory stays bounded, whatever the
length of the run. What is there when a run is opened is what is played, even where the run goes on.
"""

import os
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine import telemetry
from engine.errors import RunDirectoryError
from flconsole.feed import (
    EVENT_FILES,
    OLDER_SAMPLE_FILE,
    PIECE_BYTES,
    SAMPLE_FILE,
    Mark,
    Merge,
    Record,
    read_lines,
)
from flconsole.snapshot import Snapshot, advance_all

_FIRST_STRIDE = 500
_SNAPSHOTS = 32
"""Kept over the whole run; of more, every other one is dropped."""
_RECENT = 8
"""Kept around the playhead, close to each other: a step back is a short way."""
SLOWEST, FASTEST = 1 / 16, 4096.0
_MOST_RECORDS = 20_000
"""Folded at one look at the clock: a playhead that cannot keep up with its speed still obeys at once."""


class RoundEnd(NamedTuple):
    """When a round finished."""

    round: int
    position: int
    """Records until then, its own included."""
    ts: float


class Track(msgspec.Struct, frozen=True):
    """What there is to be played."""

    records: int = 0
    start: float = 0.0
    """Time of the first record, in wall-clock seconds since the epoch."""
    end: float = 0.0
    rounds: tuple[RoundEnd, ...] = ()


class _Part(NamedTuple):
    """A file from a moment of a merge on."""

    offset: int
    mark: Mark


class _Checkpoint(NamedTuple):
    """A place from which the records can be read on."""

    position: int
    ts: float
    snapshot: Snapshot
    parts: tuple[_Part, ...]


class _Range:
    """The lines of an open file, from an offset to the end it had when it was opened."""

    def __init__(self, descriptor: int, offset: int, end: int) -> None:
        self._descriptor, self._offset, self._end = descriptor, offset, end
        self.is_behind = False
        self.piece = offset
        """Where the lines began that were read last."""

    def read(self, max_bytes: int | None = None) -> list[bytes]:
        self.piece = self._offset
        lines, self._offset, self.is_behind = read_lines(self._descriptor, self._offset, self._end, max_bytes)
        return lines


class _Files:
    """The files of a run, opened once: what is renamed or appended later makes no difference."""

    def __init__(self, run_dir: Path) -> None:
        self._open: list[tuple[int, int]] = []
        try:
            for name in (*EVENT_FILES, OLDER_SAMPLE_FILE, SAMPLE_FILE):
                if (run_dir / name).exists():
                    descriptor = os.open(run_dir / name, os.O_RDONLY | os.O_CLOEXEC)
                    self._open.append((descriptor, os.fstat(descriptor).st_size))
        except OSError as error:
            self.close()
            raise RunDirectoryError(f"{run_dir}: {error.strerror}") from error

    @property
    def beginning(self) -> _Checkpoint:
        return _Checkpoint(0, 0.0, Snapshot(), (_Part(0, Mark()),) * len(self._open))

    @property
    def size(self) -> int:
        return sum(end for _descriptor, end in self._open)

    def ranges(self, parts: tuple[_Part, ...]) -> list[_Range]:
        return [
            _Range(descriptor, part.offset, end)
            for (descriptor, end), part in zip(self._open, parts, strict=True)
        ]

    def close(self) -> None:
        for descriptor, _end in self._open:
            os.close(descriptor)
        self._open = []


class _Cursor:
    """Reads and folds the records from a checkpoint on.

    Args:
        files: the run's files.
        checkpoint: where to begin.
        passed: told of each place at which the reading could begin again.
    """

    def __init__(self, files: _Files, checkpoint: _Checkpoint, passed: Callable[[_Checkpoint], None]) -> None:
        self.position, self.ts, self.snapshot = checkpoint.position, checkpoint.ts, checkpoint.snapshot
        self._ranges = files.ranges(checkpoint.parts)
        self._merge = Merge(self._ranges, [part.mark for part in checkpoint.parts])
        self._passed = passed
        self._batch: list[Record] = []
        self._times: list[float] = []
        self._taken = 0

    @property
    def bytes_read(self) -> int:
        """About how much of the files lies before it."""
        return sum(piece.piece for piece in self._ranges)

    def read_batch(self) -> list[Record]:
        """Folds the next records, some hundred; none at the end."""
        if not self._has_more():
            return []
        batch = self._batch[self._taken :]
        self._take(len(batch))
        return batch

    def go_to_position(self, position: int) -> None:
        """Folds until so many records of the run are folded; forwards only."""
        while self.position < position and self._has_more():
            self._take(min(position - self.position, len(self._batch) - self._taken))

    def go_to_time(self, ts: float, max_records: int) -> bool:
        """Folds whatever was recorded until a moment, but only so many records; whether it has got there."""
        end = self.position + max_records
        while self._has_more():
            until = bisect_right(self._times, ts, self._taken)
            if until == self._taken:
                return True
            if self.position >= end:
                return False
            self._take(until - self._taken)
        return True

    def _has_more(self) -> bool:
        """Whether a record is at hand; reads on where it has to."""
        while self._taken == len(self._batch):
            parts = tuple(
                _Part(piece.piece, mark) for piece, mark in zip(self._ranges, self._merge.marks, strict=True)
            )
            if self._batch:
                self._passed(_Checkpoint(self.position, self.ts, self.snapshot, parts))
            self._batch, self._taken = self._merge.read(PIECE_BYTES), 0
            if not self._batch and not self._merge.is_behind:
                return False
            times = (record.envelope.ts for record in self._batch)
            self._times = list(accumulate(times, max, initial=self.ts))[1:]
        return True

    def _take(self, number: int) -> None:
        batch = self._batch[self._taken : self._taken + number]
        self.snapshot = advance_all(self.snapshot, batch)
        self._taken += number
        self.position += number
        self.ts = self._times[self._taken - 1]


class ReplayIndex:
    """Where things are in the files of a run.

    Args:
        run_dir: the run directory.

    Raises:
        RunDirectoryError: a file cannot be read.
    """

    def __init__(self, run_dir: Path) -> None:
        self._files = _Files(run_dir)
        self._checkpoints = [self._files.beginning]
        self._stride = _FIRST_STRIDE
        self._recent: deque[_Checkpoint] = deque(maxlen=_RECENT)
        self._quiet = array("Q")
        self.track = Track()
        """What there is to be played; complete once the index is built."""

    def build(self) -> Iterator[float]:
        """Reads the run once, piece by piece; yields the share that was read so far."""
        cursor = _Cursor(self._files, self._files.beginning, self._keep)
        rounds, start = [], 0.0
        while batch := cursor.read_batch():
            start = start or batch[0].envelope.ts
            first = cursor.position - len(batch) + 1
            for position, record in enumerate(batch, first):
                if type(record.event) is telemetry.RoundFinished:
                    rounds.append(RoundEnd(record.event.round, position, record.envelope.ts))
                elif record.event is None or type(record.event) is telemetry.Sample:
                    self._quiet.append(position)
            yield cursor.bytes_read / max(1, self._files.size)
        self.track = Track(cursor.position, start, cursor.ts, tuple(rounds))

    def cursor(self, position: int, before: "_Cursor | None" = None) -> "_Cursor":
        """The run after so many records; `before` is moved on where that is the shorter way."""
        nearest = self._nearest(position)
        if before is None or not nearest.position <= before.position <= position:
            before = _Cursor(self._files, nearest, self._recent.append)
        before.go_to_position(position)
        return before

    def cursor_at(self, ts: float) -> "_Cursor":
        """The run with whatever was written until a moment."""
        place = bisect_left(self._checkpoints, ts, key=lambda checkpoint: checkpoint.ts)
        cursor = _Cursor(self._files, self._checkpoints[max(0, place - 1)], self._recent.append)
        cursor.go_to_time(ts, self.track.records)
        return cursor

    def neighbour(self, position: int, step: int) -> int:
        """The position after the next event, or after the one before; samples are none."""
        position += step
        while 0 < position < self.track.records and self._is_quiet(position):
            position += step
        return max(0, min(position, self.track.records))

    def close(self) -> None:
        self._files.close()

    def _keep(self, checkpoint: _Checkpoint) -> None:
        if checkpoint.position - self._checkpoints[-1].position < self._stride:
            return
        self._checkpoints.append(checkpoint)
        if len(self._checkpoints) > _SNAPSHOTS:
            self._checkpoints = self._checkpoints[::2]
            self._stride *= 2

    def _nearest(self, position: int) -> _Checkpoint:
        place = bisect_right(self._checkpoints, position, key=lambda checkpoint: checkpoint.position)
        near = [recent for recent in self._recent if recent.position <= position]
        return max([self._checkpoints[place - 1], *near], key=lambda checkpoint: checkpoint.position)

    def _is_quiet(self, position: int) -> bool:
        place = bisect_left(self._quiet, position)
        return place < len(self._quiet) and self._quiet[place] == position


class Playhead(msgspec.Struct, frozen=True):
    """Where a player stands."""

    track: Track
    is_playing: bool
    speed: float
    """Seconds of the run in one second."""
    position: int
    """Records so far."""
    ts: float
    """The moment shown, in wall-clock seconds since the epoch."""


class Player:
    """Moves through a run that is indexed, at the pace of a clock.

    Args:
        index: built.
        clock: seconds that only grow.
    """

    def __init__(self, index: ReplayIndex, clock: Callable[[], float] = time.monotonic) -> None:
        self._index, self._clock = index, clock
        self._cursor = index.cursor(0)
        self._ts = self._track.start
        self._looked_at = clock()
        self._speed, self._is_playing = 1.0, False

    @property
    def snapshot(self) -> Snapshot:
        return self._cursor.snapshot

    @property
    def head(self) -> Playhead:
        return Playhead(self._track, self._is_playing, self._speed, self._cursor.position, self._ts)

    # --- playing

    def play(self) -> None:
        """Goes on; at the end, from the beginning."""
        if self._is_at_end:
            self.go_to_position(0)
        self._is_playing, self._looked_at = True, self._clock()

    def pause(self) -> None:
        self.advance()
        self._is_playing = False

    def toggle(self) -> None:
        """Plays or pauses."""
        if self._is_playing:
            self.pause()
        else:
            self.play()

    def faster(self) -> None:
        self._set_speed(self._speed * 2)

    def slower(self) -> None:
        self._set_speed(self._speed / 2)

    def advance(self) -> None:
        """Goes as far as the clock has gone since the last look at it; pauses at the end."""
        now = self._clock()
        elapsed, self._looked_at = now - self._looked_at, now
        if not self._is_playing:
            return
        ts = self._ts + elapsed * self._speed
        if self._cursor.go_to_time(ts, _MOST_RECORDS):
            self._ts = min(ts, self._track.end)
        else:  # too fast: time goes by as fast as it can
            self._ts = self._cursor.ts
        if self._is_at_end:
            self._is_playing = False

    def _set_speed(self, speed: float) -> None:
        self.advance()
        self._speed = max(SLOWEST, min(speed, FASTEST))

    # --- going somewhere

    def go_to_position(self, position: int) -> None:
        """Goes to just after so many records."""
        self._cursor = self._index.cursor(max(0, min(position, self._track.records)), self._cursor)
        self._ts = self._cursor.ts or self._track.start
        self._looked_at = self._clock()

    def go_to_time(self, ts: float) -> None:
        """Goes to a moment, in wall-clock seconds since the epoch."""
        self._ts = max(self._track.start, min(ts, self._track.end))
        self._cursor = self._index.cursor_at(self._ts)
        self._looked_at = self._clock()

    def go_to_share(self, share: float) -> None:
        """Goes to a share of the run's time, from 0 to 1."""
        self.go_to_time(self._track.start + share * (self._track.end - self._track.start))

    def go_to_round(self, number: int) -> None:
        """Goes to the end of a round, or of the next one that is there."""
        ends = [end.position for end in self._track.rounds if end.round >= number]
        self.go_to_position(0 if number <= 0 else min(ends, default=self._track.records))

    def step(self, direction: int) -> None:
        """Goes one event on, or one back, and stays there."""
        self._is_playing = False
        self.go_to_position(self._index.neighbour(self._cursor.position, direction))

    def step_round(self, direction: int) -> None:
        """Goes to the end of the next round, or of the one before; beyond them, to an end of the run."""
        positions = [0, *(end.position for end in self._track.rounds), self._track.records]
        here = self._cursor.position
        place = bisect_right(positions, here) if direction > 0 else bisect_left(positions, here) - 1
        self.go_to_position(positions[max(0, min(place, len(positions) - 1))])

    @property
    def _track(self) -> Track:
        return self._index.track

    @property
    def _is_at_end(self) -> bool:
        return self._cursor.position >= self._track.records and self._ts >= self._track.end
