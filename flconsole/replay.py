"""An index of a recorded run, to go anywhere in it.

The index keeps a snapshot every so many records and where in the files it was taken. To go somewhere, the
records since the nearest snapshot before are read and folded again; so memory stays bounded, whatever the
length of the run. What is there when a run is opened is what is played, even where the run goes on.
"""

import os
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
from flconsole.runs import is_alive
from flconsole.snapshot import Snapshot, advance_all

_FIRST_STRIDE = 500
_SNAPSHOTS = 24
"""Kept over the whole run; of more, every other one is dropped."""
_RECENT = 8
"""Kept around the playhead, close to each other: a step back is a short way."""


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
    is_open: bool = False
    """Whether the run went on when it was opened: what it wrote later is not played."""


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

    def __init__(self, file: "_OpenFile", offset: int) -> None:
        self._file, self.offset = file, offset
        self.is_behind = False
        self.piece = offset
        """Where the lines began that were read last."""

    def read(self, max_bytes: int | None = None) -> list[bytes]:
        self.piece = self.offset
        try:
            lines, self.offset, self.is_behind = read_lines(
                self._file.descriptor, self.offset, self._file.end, max_bytes
            )
        except OSError as error:
            raise RunDirectoryError(f"{self._file.path}: {error.strerror}") from error
        return lines


class _OpenFile(NamedTuple):
    """A file as it was when it was opened."""

    path: Path
    descriptor: int
    end: int


class _Files:
    """The files of a run, opened once: what is renamed or appended later makes no difference."""

    def __init__(self, run_dir: Path) -> None:
        self._open: list[_OpenFile] = []
        for name in (*EVENT_FILES, OLDER_SAMPLE_FILE, SAMPLE_FILE):
            path = run_dir / name
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.close()
                raise RunDirectoryError(f"{path}: {error.strerror}") from error
            self._open.append(_OpenFile(path, descriptor, os.fstat(descriptor).st_size))

    @property
    def beginning(self) -> _Checkpoint:
        return _Checkpoint(0, 0.0, Snapshot(), (_Part(0, Mark()),) * len(self._open))

    @property
    def size(self) -> int:
        return sum(file.end for file in self._open)

    def ranges(self, parts: tuple[_Part, ...]) -> list[_Range]:
        return [_Range(file, part.offset) for file, part in zip(self._open, parts, strict=True)]

    def close(self) -> None:
        for file in self._open:
            os.close(file.descriptor)
        self._open = []


class Cursor:
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
        return sum(piece.offset for piece in self._ranges)

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
        self._is_open = is_alive(run_dir)
        self._files = _Files(run_dir)
        self._checkpoints = [self._files.beginning]
        self._stride = _FIRST_STRIDE
        self._recent: deque[_Checkpoint] = deque(maxlen=_RECENT)
        self._quiet = array("Q")
        self.track = Track()
        """What there is to be played; complete once the index is built."""

    def build(self) -> Iterator[float]:
        """Reads the run once, piece by piece; yields the share that was read so far."""
        cursor = Cursor(self._files, self._files.beginning, self._keep)
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
        self.track = Track(cursor.position, start, cursor.ts, tuple(rounds), self._is_open)

    def cursor(self, position: int, before: Cursor | None = None) -> Cursor:
        """The run after so many records; `before` is moved on where that is the shorter way."""
        nearest = self._nearest(position)
        if before is None or not nearest.position <= before.position <= position:
            before = Cursor(self._files, nearest, self._recent.append)
        before.go_to_position(position)
        return before

    def cursor_at(self, ts: float) -> Cursor:
        """The run with whatever was written until a moment."""
        place = bisect_left(self._checkpoints, ts, key=lambda checkpoint: checkpoint.ts)
        cursor = Cursor(self._files, self._checkpoints[max(0, place - 1)], self._recent.append)
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
